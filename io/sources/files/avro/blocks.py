"""Cut an Avro object into blocks of bounded size, and go on after one that is damaged.

Format: https://avro.apache.org/docs/1.12.0/specification/#object-container-files
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from typing import Any

import cramjam
import fastavro
from fastavro.read import HEADER_SCHEMA, SYNC_SIZE

from sources.files.decompress import CompressedStream
from sources.files.failures import EndsEarly
from sources.storage.stream import Stream
from transforms.errors import ObjectFailed

BLOCK_BYTES = 32 << 20
"""The longest block that is read, compressed or not; writers make them of 16 KiB to 2 MiB."""

_HEADER_BYTES = 16 << 20
_MOST_EMPTY = 1_000_000
"""The most elements of a block that take no bytes."""

_CODECS = {"zstandard": "zstd", "bzip2": "bz2", "xz": "xz"}
_VARINT = 10


@dataclass(frozen=True, slots=True)
class Block:
    """One block.

    Attributes:
        count: How many elements it says to have.
        data: Their bytes, decompressed.
        problem: Why they cannot be read; empty if they can.
    """

    count: int
    data: bytes = b""
    problem: str = ""


class Blocks:
    """The blocks of an object, in order.

    Args:
        stream: The object from its first byte on.
        uri: Names the object in messages.
    """

    def __init__(self, stream: Stream, uri: str) -> None:
        self._stream = stream
        self._uri = uri
        self._buffer = bytearray()
        self._ended = False
        self._before = 0
        self._problem = ""
        self.meta: dict[str, bytes] = {}
        self.sync = b""

    @property
    def stored(self) -> int:
        """How many stored bytes have been read."""
        return self._stream.stored

    @property
    def ended(self) -> bool:
        """Whether no block follows."""
        return not self._fill(1)

    @property
    def codec(self) -> str:
        """How the blocks are compressed."""
        return self.meta.get("avro.codec", b"null").decode("utf-8", "replace")

    def read_header(self) -> None:
        """Read what precedes the first block.

        Raises:
            EndsEarly: The object ends before.
            ObjectFailed: It is no Avro object, or its blocks are compressed in an unknown way.
        """
        if not self._fill(1):
            raise EndsEarly(f"{self._uri} is empty: it has no Avro header", "object_corrupt")
        try:
            file: Any = _HeaderFile(self)
            header: Any = fastavro.schemaless_reader(file, HEADER_SCHEMA, None)
        except EndsEarly:
            raise
        except Exception as error:
            raise self._corrupt(f"its Avro header is damaged ({_reason(error)})") from error
        if header["magic"] != b"Obj\x01":
            raise self._corrupt("it does not begin as Avro")
        self.meta, self.sync = header["meta"], header["sync"]
        if self.codec not in ("null", "deflate", "snappy", *_CODECS):
            raise ObjectFailed(
                f"{self._uri} is compressed with the Avro codec {self.codec!r}; null, deflate, "
                "snappy, zstandard, bzip2 and xz can be read",
                "unknown_format",
            )

    def next(self, *, skip_to: int = 0) -> Block | None:
        """The next block; None at the end.

        Args:
            skip_to: Do not decompress a block with no more elements than this.

        Raises:
            EndsEarly: The object ends within the block.
        """
        if self._problem:
            return self._damaged(self._problem)  # an outage broke the search for the next marker
        if not self._fill(1):
            return None
        at = self._before
        self._fill(2 * _VARINT)
        count, size, start = self._numbers()
        end = start + size
        if count < 0 or not 0 <= size <= BLOCK_BYTES:
            return self._damaged(
                f"the block at byte {at:,} says {count:,} elements, {size:,} bytes"
            )
        if not self._fill(end + SYNC_SIZE):
            if self._buffer.find(self.sync, start) < 0:
                reason = "it ends in the middle of an Avro block"
                raise EndsEarly(f"{self._uri} cannot be read on: {reason}", "object_corrupt")
            return self._damaged(f"the block at byte {at:,} is longer than the object")
        if self._buffer[end : end + SYNC_SIZE] != self.sync:
            return self._damaged(f"the block at byte {at:,} does not end where it says")
        stored = bytes(self._buffer[start:end])
        self._drop(end + SYNC_SIZE)
        if count <= skip_to:
            return Block(count)
        try:
            data = decompressed(self.codec, stored, self._uri)
        except (ValueError, ObjectFailed) as error:
            return Block(count, problem=f"the block at byte {at:,} is damaged: {_reason(error)}")
        if count > max(len(data), _MOST_EMPTY):
            return Block(1, problem=f"the block at byte {at:,} says {count:,} elements")
        return Block(count, data)

    def take(self, length: int) -> bytes:
        """The next ``length`` bytes of the header.

        Raises:
            EndsEarly: There are fewer.
            ObjectFailed: They are more than a header may have.
        """
        if length < 0 or self._before + length > _HEADER_BYTES:
            raise self._corrupt(f"its Avro header is longer than {_HEADER_BYTES >> 20} MiB")
        if not self._fill(length):
            raise EndsEarly(f"{self._uri} ends in the middle of its Avro header", "object_corrupt")
        taken = bytes(self._buffer[:length])
        self._drop(length)
        return taken

    def _damaged(self, problem: str) -> Block:
        """Go on behind the next marker; how many elements precede it is not known."""
        self._problem = problem
        while (marker := self._buffer.find(self.sync)) < 0:
            self._drop(max(0, len(self._buffer) - SYNC_SIZE + 1))
            if not self._fill(len(self._buffer) + 1):
                break
        self._drop(len(self._buffer) if marker < 0 else marker + SYNC_SIZE)
        self._problem = ""
        return Block(1, problem=problem)

    def _numbers(self) -> tuple[int, int, int]:
        """Both numbers before a block, and where its data begins; negative if they are damaged."""
        numbers, at = [], 0
        for _ in range(2):
            value = shift = 0
            while True:
                if at >= len(self._buffer) or shift > 63:
                    return -1, -1, at
                byte = self._buffer[at]
                at += 1
                value |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
            numbers.append((value >> 1) ^ -(value & 1))
        return numbers[0], numbers[1], at

    def _fill(self, length: int) -> bool:
        """Read until ``length`` bytes are there; False if the object ends before."""
        while len(self._buffer) < length and not self._ended:
            block = self._stream.read()
            self._ended = not block
            self._buffer += block
        return len(self._buffer) >= length

    def _drop(self, length: int) -> None:
        del self._buffer[:length]
        self._before += length

    def _corrupt(self, reason: str) -> ObjectFailed:
        return ObjectFailed(f"{self._uri} cannot be read: {reason}", "object_corrupt")


def decompressed(codec: str, stored: bytes, uri: str) -> bytes:
    """The data of a block.

    Raises:
        ValueError, ObjectFailed: It is damaged, or longer than ``BLOCK_BYTES``.
    """
    if codec == "null":
        return stored
    if codec == "deflate":
        return _inflated(stored)
    if codec == "snappy":
        return _of_snappy(stored)
    stream = CompressedStream(_Memory(stored), _CODECS[codec], uri)
    data = bytearray()
    while part := stream.read():
        data += part
        _check_length(len(data))
    return bytes(data)


def _inflated(stored: bytes) -> bytes:
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = inflate.decompress(stored, BLOCK_BYTES + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    _check_length(len(data))
    if not inflate.eof:
        raise ValueError("its deflate data has no end")
    return data


def _of_snappy(stored: bytes) -> bytes:
    """Raw snappy, followed by the CRC-32 of the data."""
    try:
        _check_length(cramjam.snappy.decompress_raw_len(stored[:-4]))
        data = bytes(cramjam.snappy.decompress_raw(stored[:-4]))
    except cramjam.DecompressionError as error:
        raise ValueError(str(error)) from error
    if zlib.crc32(data) != int.from_bytes(stored[-4:], "big"):
        raise ValueError("its checksum does not match")
    return data


def _check_length(length: int) -> None:
    if length > BLOCK_BYTES:
        raise ValueError(f"it has more than {BLOCK_BYTES >> 20} MiB decompressed")


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


class _HeaderFile(io.RawIOBase):
    """The header as the file that fastavro reads."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks

    def read(self, size: int = -1) -> bytes:
        """Exactly ``size`` bytes."""
        return self._blocks.take(size)


class _Memory:
    """Bytes as a stream of one block."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.stored = 0

    def read(self) -> bytes:
        """All bytes, once."""
        data, self._data = self._data, b""
        self.stored += len(data)
        return data
