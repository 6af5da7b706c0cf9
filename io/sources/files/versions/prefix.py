"""The start of a text file: its checksums up to given lengths, and what stands there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

from sources.files.decompress import CompressedStream
from sources.files.encodings import PeekedStream
from sources.files.formats import StoredFormat
from sources.files.magic import AVRO, PARQUET, compression_by
from sources.storage.local import LocalFile
from sources.storage.objects import StoredObject
from sources.storage.stream import PlainStream, Stream

_LOOKED_BACK = 1 << 20


@dataclass(frozen=True, slots=True)
class Prefix:
    """The first bytes of a file, decompressed unless it is binary.

    Attributes:
        length: How many there are.
        crc: Their checksum.
        compression: How the file is compressed.
        line: Offset of the last line that begins within them; None if it is longer than 1 MiB.
        last: The last byte.
        after: The two bytes that follow; fewer at the end of the file.
    """

    length: int
    crc: int
    compression: str
    line: int | None
    last: bytes
    after: bytes


def prefixes(
    stored: StoredObject, stored_format: StoredFormat, lengths: Sequence[int]
) -> Iterator[Prefix]:
    """The starts of a file that have ``lengths``, as far as it has so many bytes.

    Raises:
        ObjectFailed: It has changed, is gone, or cannot be decompressed.
        ObjectUnavailable: Access to it is refused.
        SourceUnavailable: The storage is away.
    """
    pinned = LocalFile(stored.uri, stored.version)
    try:
        stream, compression = _opened(pinned, stored, stored_format)
        yield from _cut(stream, compression, sorted(set(lengths)))
    finally:
        pinned.close()


def _opened(
    pinned: LocalFile, stored: StoredObject, stored_format: StoredFormat
) -> tuple[Stream, str]:
    stream = PeekedStream(PlainStream(pinned, 0, stored.size))
    if stored_format.format == "avro" or stream.head.startswith((AVRO, PARQUET)):
        return stream, ""
    compression = stored_format.compression
    if not stored_format.certain:
        compression = compression_by(stream.head, compression, "", stored.uri)
    if not compression:
        return stream, ""
    return CompressedStream(stream, compression, stored.uri), compression


def _cut(stream: Stream, compression: str, lengths: list[int]) -> Iterator[Prefix]:
    """Read up to the last of ``lengths`` and two bytes more."""
    read = crc = 0
    tail = b""
    block = stream.read()
    for length in lengths:
        while block and read + len(block) < length + 2:
            more = stream.read()
            if not more:
                break
            if read + len(block) <= length:
                crc = crc32(block, crc)
                tail = (tail + block)[-_LOOKED_BACK:]
                read += len(block)
                block = more
            else:
                block += more
        inside = length - read
        if inside > len(block):
            return
        tail = (tail + block[:inside])[-_LOOKED_BACK:]
        crc = crc32(memoryview(block)[:inside], crc)
        block, read = block[inside:], length
        newline = tail.rfind(b"\n", 0, max(0, len(tail) - 1))
        whole = newline >= 0 or len(tail) == length
        line = length - len(tail) + newline + 1 if whole else None
        yield Prefix(length, crc, compression, line, tail[-1:], block[:2])
