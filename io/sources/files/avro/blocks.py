"""Cut an Avro object into blocks of bounded size, and go on after one that is damaged.

Format: https://avro.apache.org/docs/1.12.0/specification/#object-container-files
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import fastavro
from fastavro.read import HEADER_SCHEMA, SYNC_SIZE

from sources.files.avro import codecs
from sources.files.failures import EndsEarly
from sources.files.magic import AVRO, kind_of
from sources.storage.stream import Stream
from transforms.errors import ObjectFailed

_HEADER_BYTES = 16 << 20
_MOST_EMPTY = 1_000_000
"""The most elements of a block that take no bytes."""

_MOST_LONG = 1 << 32
"""The most elements of a long block."""

_VARINT = 10


@dataclass(frozen=True, slots=True)
class Block:
    """One block.

    Attributes:
        count: How many elements it says to have.
        data: Their bytes, decompressed.
        pieces: The same of a long block, piece by piece. They end early with a ``ValueError``
            if the block is damaged.
        problem: Why they cannot be read; empty if they can.
    """

    count: int
    data: bytes = b""
    pieces: Iterator[bytes] | None = None
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
        self._long: _LongBlock | None = None
        self.meta: dict[str, bytes] = {}
        self.sync = b""

    @property
    def stored(self) -> int:
        """How many stored bytes have been read."""
        return self._stream.stored

    @property
    def ended(self) -> bool:
        """Whether no block follows the last one returned."""
        self._leave_long()
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
        self._fill(len(AVRO))
        if not AVRO.startswith(self._buffer[: len(AVRO)]):
            kind = kind_of(bytes(self._buffer))
            raise self._corrupt("it does not begin as Avro" + (f" but as {kind}" if kind else ""))
        try:
            file: Any = _HeaderFile(self)
            header: Any = fastavro.schemaless_reader(file, HEADER_SCHEMA, None)
        except EndsEarly:
            raise
        except Exception as error:
            raise self._corrupt(f"its Avro header is damaged ({reason_of(error)})") from error
        self.meta, self.sync = header["meta"], header["sync"]
        if self.codec not in codecs.NAMES:
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
            return self.go_on_behind_marker(
                self._problem
            )  # an outage broke the search for the next marker
        self._leave_long()
        if not self._fill(1):
            return None
        at = self._before
        self._fill(2 * _VARINT)
        count, size, start = self._numbers()
        end = start + size
        said = f"the block at byte {at:,} says {count:,} elements, {size:,} bytes"
        if count < 0 or size < 0 or (size > codecs.BLOCK_BYTES and count > _MOST_LONG):
            return self.go_on_behind_marker(said)
        if size > codecs.BLOCK_BYTES:
            self._drop(start)
            self._long = _LongBlock(self, at, size)
            return self._long_block(count, self._long, said)
        if not self._fill(end + SYNC_SIZE):
            if self._buffer.find(self.sync, start) < 0:
                raise self._ends_early()
            return self.go_on_behind_marker(f"the block at byte {at:,} is longer than the object")
        if self._buffer[end : end + SYNC_SIZE] != self.sync:
            return self.go_on_behind_marker(f"the block at byte {at:,} does not end where it says")
        stored = bytes(self._buffer[start:end])
        self._drop(end + SYNC_SIZE)
        if 0 < count <= min(skip_to, _MOST_EMPTY):
            return Block(count)
        try:
            data = codecs.decompressed(self.codec, stored, self._uri)
        except codecs.LongBlock:
            if count > _MOST_LONG:
                return Block(1, problem=said)
            return self._long_block(count, iter((stored,)), said)
        except (ValueError, ObjectFailed) as error:
            problem = f"the block at byte {at:,} is damaged: {reason_of(error)}"
            return Block(max(1, min(count, _MOST_LONG)), problem=problem)
        if count > max(len(data), _MOST_EMPTY) or (data and not count):
            return Block(1, problem=said)
        return Block(count, data)

    def _long_block(self, count: int, stored: Iterator[bytes], said: str) -> Block:
        if not count:
            return Block(1, problem=said)
        return Block(count, pieces=codecs.pieces_of(self.codec, stored, self._uri))

    def _leave_long(self) -> None:
        """Pass over what is left of a long block."""
        while self._long is not None:
            try:
                for _ in self._long:
                    pass
                self._long = None
            except ValueError:
                self._long = None  # it is damaged, and its rest has been passed over

    def long_piece(self, left: int) -> bytes:
        """At most ``left`` of the stored bytes of a long block; nothing if the marker is next."""
        size = min(left, codecs.PIECE_BYTES)
        enough = self._fill(size + SYNC_SIZE)
        marker = self._buffer.find(self.sync, 0, size + SYNC_SIZE - 1)
        if marker < 0 and not enough:
            raise self._ends_early()
        return self._take(size if marker < 0 else marker)

    def pass_marker(self) -> bool:
        """Whether the next bytes are the marker, which is then passed."""
        if not self._fill(SYNC_SIZE) or self._buffer[:SYNC_SIZE] != self.sync:
            return False
        self._drop(SYNC_SIZE)
        return True

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
        return self._take(length)

    def _take(self, length: int) -> bytes:
        taken = bytes(self._buffer[:length])
        self._drop(length)
        return taken

    def go_on_behind_marker(self, problem: str) -> Block:
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

    def _ends_early(self) -> EndsEarly:
        reason = "it ends in the middle of an Avro block"
        return EndsEarly(f"{self._uri} cannot be read on: {reason}", "object_corrupt")

    def _corrupt(self, reason: str) -> ObjectFailed:
        return ObjectFailed(f"{self._uri} cannot be read: {reason}", "object_corrupt")


def reason_of(error: Exception) -> str:
    """What ``error`` says, in one line; many errors of fastavro say nothing.

    At the end of the data, some say at which address in memory that was.
    """
    if isinstance(error, EOFError):
        return "the data ends too early"
    return " ".join(str(error).split())[:200] or type(error).__name__


class _LongBlock:
    """The stored bytes of a block that is not held, in pieces; at most up to the next marker.

    Args:
        blocks: Where they come from.
        at: The offset of the block.
        left: How many it says to have.
    """

    def __init__(self, blocks: Blocks, at: int, left: int) -> None:
        self._blocks = blocks
        self._problem = f"the block at byte {at:,} does not end where it says"
        self._left = left
        self._ended = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._ended:
            raise StopIteration
        piece = self._blocks.long_piece(self._left) if self._left else b""
        self._left -= len(piece)
        if piece:
            return piece
        whole = not self._left and self._blocks.pass_marker()
        if not whole:
            self._blocks.go_on_behind_marker(self._problem)
        self._ended = True
        if whole:
            raise StopIteration
        raise ValueError(self._problem)


class _HeaderFile(io.RawIOBase):
    """The header as the file that fastavro reads."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks

    def read(self, size: int = -1) -> bytes:
        """Exactly ``size`` bytes."""
        return self._blocks.take(size)
