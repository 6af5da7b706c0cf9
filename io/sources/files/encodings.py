"""Text that is not UTF-8: told by its mark or by name, read as it is or turned into UTF-8.

Where one byte is one character and ASCII is ASCII, as in Latin-1, records are cut in the bytes as
they are. Anything else is turned into UTF-8 first, and offsets are those of the UTF-8 text.
"""

from __future__ import annotations

import codecs

from sources.files.failures import EndsEarly
from sources.storage.stream import Stream
from transforms.errors import ConfigError, ObjectFailed

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, which begins alike
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
LONGEST_MARK = 4
_UTF_8 = ("utf-8", "utf-8-sig", "ascii")
_ASCII = bytes(range(128))


def encoding_of(name: str) -> str:
    """The name by which Python knows an encoding of text; empty for UTF-8.

    Raises:
        ConfigError: There is none of that name.

    >>> encoding_of("UTF8"), encoding_of("windows-1252"), encoding_of("latin1")
    ('', 'cp1252', 'iso8859-1')
    """
    try:
        found = codecs.lookup(name)
        "".encode(found.name)
    except (LookupError, ValueError):
        found = None
    if found is None or not found._is_text_encoding:
        raise ConfigError(
            f"--encoding {name!r} is unknown; use e.g. utf-8, utf-16, latin-1 or cp1252"
        )
    return "" if found.name in _UTF_8 else found.name


def is_single_byte(encoding: str) -> bool:
    """Whether one byte is one character, and ASCII is what it is in UTF-8."""
    try:
        if _ASCII.decode(encoding) != _ASCII.decode("ascii"):
            return False
        return all(
            len(bytes((byte,)).decode(encoding, "replace")) == 1 for byte in range(256)
        ) and (b"aa".decode(encoding) == "\N{LATIN SMALL LETTER A}" * 2)
    except UnicodeError:
        return False


def marked(head: bytes) -> str:
    """The encoding that a mark at the start of an object names; empty where there is none."""
    return next((name for mark, name in _MARKS if head.startswith(mark)), "")


class Peeked:
    """A stream whose first block has been looked at."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.head = stream.read()
        self._given = False

    @property
    def stored(self) -> int:
        """How many stored bytes have been read."""
        return self._stream.stored

    def read(self) -> bytes:
        """The next block; empty at the end."""
        if not self._given:
            self._given = True
            return self.head
        return self._stream.read()


class DecodedStream:
    """The text of a stream in UTF-8.

    What UTF-16 holds that is not text becomes what is not UTF-8 either, for the record that has
    it to be refused; in other encodings the object cannot be read on.
    """

    def __init__(self, stream: Stream, encoding: str, uri: str) -> None:
        self._stream = stream
        self._uri = uri
        self._encoding = encoding
        lenient = encoding.startswith(("utf-16", "utf-32"))
        self._errors = "surrogatepass" if lenient else "strict"
        self._decoder = codecs.getincrementaldecoder(encoding)(self._errors)
        self._ended = False

    @property
    def stored(self) -> int:
        """How many stored bytes have been read."""
        return self._stream.stored

    def read(self) -> bytes:
        """The next block; empty at the end."""
        while not self._ended:
            block = self._stream.read()
            self._ended = not block
            try:
                text = self._decoder.decode(block, final=self._ended)
            except UnicodeDecodeError as error:
                kind = EndsEarly if self._ended else ObjectFailed
                raise kind(
                    f"{self._uri} is not {self._encoding}: {error.reason}", "object_corrupt"
                ) from error
            if text:
                return text.encode("utf-8", "surrogatepass")
        return b""
