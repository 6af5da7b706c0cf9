"""Text that is not UTF-8: its encoding comes from a byte order mark or from an option.

In an encoding such as Latin-1 or EUC-JP, where each byte of ASCII stands for itself, records are
cut in the stored bytes. Any other text is converted to UTF-8 first, and offsets are those of the
UTF-8 text.
"""

from __future__ import annotations

import codecs
from functools import cache

from sources.files.failures import EndsEarly
from sources.files.magic import HEAD_BYTES
from sources.storage.stream import Stream
from transforms.errors import ConfigError, ObjectFailed

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose marks begin the same way
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UTF_8 = ("utf-8", "utf-8-sig", "ascii")
_ASCII = bytes(range(128))
_PREFIX = 2
_SHIFTS = (b"\x1b$B!!\x1b(B", b"~{!!~}")
"""Bytes of ASCII that change the meaning of those after them, in ISO-2022 and HZ."""


def encoding_of(name: str) -> str:
    """Python's name of a text encoding; empty for UTF-8.

    Raises:
        ConfigError: Python has no text encoding of that name.

    >>> encoding_of("UTF8"), encoding_of("windows-1252"), encoding_of("latin1")
    ('', 'cp1252', 'iso8859-1')
    """
    try:
        codec = codecs.lookup(name)
        "".encode(codec.name)
    except (LookupError, ValueError):
        codec = None
    if codec is None or not codec._is_text_encoding:
        raise ConfigError(
            f"--encoding {name!r} is unknown; use e.g. utf-8, utf-16, latin-1 or cp1252"
        )
    return "" if codec.name in _UTF_8 else codec.name


@cache
def keeps_ascii(encoding: str) -> bool:
    """Whether each byte of ASCII stands for itself, wherever it is, and nothing else does.

    Then records can be cut in the stored bytes. It is so in single-byte encodings other than
    EBCDIC, and in the EUC family. In GBK, Big5, Shift JIS and others the second byte of a
    character may be that of a delimiter, and in ISO-2022-JP and UTF-7 any byte may be part of one.
    """
    try:
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        for data in (_ASCII, *_SHIFTS):
            if _decoded(decoder, data) != data.decode("ascii"):
                return False
        return all(_leaves_ascii(decoder, bytes((byte,))) for byte in range(128, 256))
    except (LookupError, ValueError):
        return False


def _leaves_ascii(decoder: codecs.IncrementalDecoder, begun: bytes) -> bool:
    """Whether no character that begins with ``begun`` has a byte of ASCII."""
    text = _decoded(decoder, begun)
    if text is None:
        return True
    if text:
        return not text.isascii()
    taken = (_decoded(decoder, begun + bytes((byte,))) for byte in range(128))
    if any(taken):
        return False
    return len(begun) == _PREFIX or all(
        _leaves_ascii(decoder, begun + bytes((byte,))) for byte in range(128, 256)
    )


def _decoded(decoder: codecs.IncrementalDecoder, data: bytes) -> str | None:
    """The text of ``data``; None if it is not text, empty if more has to follow."""
    decoder.reset()
    try:
        return decoder.decode(data)
    except UnicodeDecodeError:
        return None


def marked_encoding(head: bytes) -> str:
    """The encoding that a byte order mark at the start of an object names; empty without one."""
    return next((name for mark, name in _MARKS if head.startswith(mark)), "")


class PeekedStream:
    """A stream whose first blocks can be looked at before they are read."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.head = stream.read()
        self._begun = False
        while 0 < len(self.head) < HEAD_BYTES and self.peek_on():
            pass  # the first member of a compressed object may hold less

    @property
    def stored(self) -> int:
        """How many stored bytes have been read."""
        return self._stream.stored

    def peek_on(self) -> bool:
        """Add the next block to the head; returns False at the end, or where reading fails.

        A stream that has failed fails again when it is read on, so the head is not lost.
        """
        try:
            block = self._stream.read()
        except ObjectFailed:
            return False
        self.head += block
        return bool(block)

    def read(self) -> bytes:
        """The next block, at first all of the head; empty at the end."""
        if not self._begun:
            self._begun = True
            head, self.head = self.head, b""
            return head
        return self._stream.read()


class DecodedStream:
    """The text of a stream in UTF-8.

    A lone surrogate of UTF-16 or UTF-32 becomes bytes that are not UTF-8, so that only its record
    is refused. In other encodings, bytes that are not text end the reading of the object.
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
