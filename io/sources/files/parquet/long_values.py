"""Pages that do not fit in memory, because a value in them is long, with a mark in its place.

Such a page is decompressed piece by piece and written again for pyarrow. Of each long value its
head, length and SHA-256 are kept; a mark stands for it in the new page. So the other rows of the
page are read as usual. This works for text and bytes in plain encoding, dictionaries included.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pyarrow as pa

from sources.files.parquet.block_codecs import Bytes, Undecodable, decompressed
from sources.files.parquet.page_headers import DATA, DATA_V2, PageHeader
from transforms.parse.raw import HEAD_BYTES

MOST_KEPT = 48 << 20
"""The most bytes of a page that is written again."""

_PIECE_BYTES = 1 << 20
_CODECS: dict[str, Any] = {
    "SNAPPY": "snappy",
    "GZIP": "gzip",
    "ZSTD": "zstd",
    "BROTLI": "brotli",
    "LZ4_RAW": "lz4_raw",
}


@dataclass(frozen=True, slots=True)
class LongValue:
    """A value that is too long to be read.

    Attributes:
        length: Its bytes.
        head: The first of them.
        digest: The SHA-256 of all of them, in hexadecimal.
    """

    length: int
    head: bytes
    digest: str


class Marks:
    """The marks that stand for long values; no value of a file can be one by accident.

    Args:
        limit: The longest value, in bytes, that is kept.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._token = f"cut:{secrets.token_hex(8)}:"
        self._values: dict[str, LongValue] = {}

    def __bool__(self) -> bool:
        return bool(self._values)

    def mark(self, value: LongValue) -> bytes:
        """The bytes that stand for ``value``; they are ASCII."""
        name = f"{self._token}{len(self._values)}"
        self._values[name] = value
        return name.encode()

    def of(self, value: Any) -> LongValue | None:
        """What ``value`` stands for, if it is a mark."""
        if type(value) is bytes and value.startswith(self._token.encode()):
            value = value.decode()
        return self._values.get(value) if type(value) is str else None

    def within(self, value: Any) -> LongValue | None:
        """The longest value that a mark in ``value`` stands for, at any depth."""
        if isinstance(value, dict):
            parts: Any = [*value, *value.values()]
        elif isinstance(value, list | tuple):
            parts = value
        else:
            return self.of(value)
        marked = [long for part in parts if (long := self.within(part)) is not None]
        return max(marked, key=lambda long: long.length, default=None)


def with_marks(
    header: PageHeader,
    stored: Callable[[int, int], Iterator[bytes]],
    codec: str,
    levels: tuple[bool, bool],
    marks: Marks,
) -> tuple[bytes, int]:
    """A page with marks in the place of its long values, its header included; and its new size.

    Args:
        header: Of the page.
        stored: The bytes of the page from an offset in it on, up to another.
        codec: How the column is compressed, as Parquet's metadata names it.
        levels: Whether the page has repetition levels, and definition levels.
        marks: Takes the long values.

    Raises:
        Undecodable: The page is damaged, or cannot be read in this way.
    """
    if not header.is_plain:
        raise Undecodable("its values are in an encoding that can only be read as a whole")
    ahead = 0
    compressed = codec
    if header.type == DATA_V2:
        ahead = sum(header.details.get(number) or 0 for number in (5, 6))
        if not 0 <= ahead <= min(header.stored, MOST_KEPT):
            raise Undecodable("its levels are too long")
        if header.details.get(7) is False:
            compressed = "UNCOMPRESSED"
    plain = decompressed(compressed, stored(ahead, header.stored))
    body = bytearray(b"".join(stored(0, ahead)))
    if header.type == DATA:
        for _ in range(sum(levels)):
            size = _exactly(plain, 4)
            length = int.from_bytes(size, "little")
            if length > MOST_KEPT:
                raise Undecodable("its levels are too long")
            body += size + _exactly(plain, length)
    try:
        _copy_values(plain, body, marks)
    except (OSError, ValueError, EOFError) as error:
        raise Undecodable(str(error)) from error
    if codec == "UNCOMPRESSED" or header.type == DATA_V2:
        return header.resized(len(body), len(body)) + body, len(body)
    packed: bytes = pa.Codec(_CODECS[codec]).compress(bytes(body), asbytes=True)
    return header.resized(len(packed), len(body)) + packed, len(body)


def _copy_values(plain: Bytes, body: bytearray, marks: Marks) -> None:
    """Append the values of ``plain`` to ``body``."""
    read = plain.read
    while size := read(4):
        length = int.from_bytes(size, "little")
        if len(size) < 4:
            raise Undecodable("a value ends early")
        if length > marks.limit:
            mark = marks.mark(_long_value(plain, length))
            body += len(mark).to_bytes(4, "little") + mark
        else:
            body += size
            body += _exactly(plain, length)
        if len(body) > MOST_KEPT:
            raise Undecodable("its values are too many, even without the long ones")


def _long_value(plain: Bytes, length: int) -> LongValue:
    digest, head, left = sha256(), b"", length
    while left:
        piece = _exactly(plain, min(left, _PIECE_BYTES))
        digest.update(piece)
        if len(head) < HEAD_BYTES:
            head = (head + piece)[:HEAD_BYTES]
        left -= len(piece)
    return LongValue(length, head, digest.hexdigest())


def _exactly(plain: Bytes, size: int) -> bytes:
    data = plain.read(size)
    if len(data) < size:
        raise Undecodable("a value ends early")
    return data
