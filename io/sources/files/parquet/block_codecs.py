"""Decompress one page of Parquet piece by piece, whatever its size.

pyarrow decompresses a page as a whole, which takes as much memory as the page has bytes. Here
only a window is held. Snappy and LZ4 have no such decoder in a library: their blocks are read
element by element, in Python, which is slow but only done for pages that do not fit in memory.

Sources: https://github.com/google/snappy/blob/main/format_description.txt and
https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pyarrow as pa
import zstandard

PIECE_BYTES = 1 << 20
_REPEATS = 128
_WINDOW_BYTES = 4 << 20
"""How far back Snappy may refer here; its encoders stay within 64 KiB."""


class Bytes(Protocol):
    """Something that bytes are read from in order."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; fewer only at the end."""
        ...


class Undecodable(Exception):
    """The compressed bytes cannot be read within a window, or are damaged."""


class PieceReader(io.RawIOBase):
    """Reads from an iterator of pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` from one piece."""
        while not self._piece:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._piece = memoryview(piece)
        size = min(len(buffer), len(self._piece))
        buffer[:size] = self._piece[:size]
        self._piece = self._piece[size:]
        return size


def decompressed(codec: str, stored: Iterator[bytes]) -> Bytes:
    """The bytes that ``stored`` becomes.

    Args:
        codec: As Parquet's metadata names it.
        stored: The compressed bytes, in pieces.

    Raises:
        Undecodable: There is no decoder for this codec that needs only a window.
    """
    if codec == "UNCOMPRESSED":
        return io.BufferedReader(PieceReader(stored), PIECE_BYTES)
    pieces = _PIECES.get(codec)
    if pieces is not None:
        return io.BufferedReader(PieceReader(pieces(stored)), PIECE_BYTES)
    raise Undecodable(f"a page in {codec} can only be decompressed as a whole")


def _gzip(stored: Iterator[bytes]) -> Iterator[bytes]:
    engine = zlib.decompressobj(wbits=47)  # gzip or zlib
    for piece in stored:
        left = piece
        while left and not engine.eof:  # what follows the end is never consumed
            yield engine.decompress(left, PIECE_BYTES)
            left = engine.unconsumed_tail
    yield engine.flush()


def _zstd(stored: Iterator[bytes]) -> Iterator[bytes]:
    source: Any = io.BufferedReader(PieceReader(stored), PIECE_BYTES)
    engine = zstandard.ZstdDecompressor(max_window_size=64 << 20)
    reader = engine.stream_reader(source, read_across_frames=True)
    while piece := reader.read(PIECE_BYTES):
        yield piece


def _brotli(stored: Iterator[bytes]) -> Iterator[bytes]:
    source = io.BufferedReader(PieceReader(stored), PIECE_BYTES)
    reader = pa.CompressedInputStream(pa.PythonFile(source, mode="r"), "brotli")
    while piece := reader.read(PIECE_BYTES):  # it may be short before the end
        yield piece


class _Buffered:
    """Compressed bytes, with an index of the next one."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.data = b""
        self.at = 0
        self._pieces = pieces

    def ensure(self, size: int) -> bool:
        """Have ``size`` bytes ready, fewer only at the end; returns whether there is one."""
        while len(self.data) - self.at < size:
            piece = next(self._pieces, None)
            if piece is None:
                return self.at < len(self.data)
            self.data, self.at = self.data[self.at :] + piece, 0
        return True

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        self.ensure(size)
        data = self.data[self.at : self.at + size]
        if len(data) < size:
            raise Undecodable("a page ends early")
        self.at += size
        return data


class _Window:
    """The last bytes of what has been decompressed."""

    def __init__(self) -> None:
        self.bytes = bytearray()
        self._given = 0

    def copy(self, back: int, length: int) -> None:
        """Append ``length`` bytes that begin ``back`` bytes before the end."""
        held = self.bytes
        start = len(held) - back
        if back <= 0 or start < 0:
            raise Undecodable("a page refers to bytes that are too far back")
        if back >= length:
            held += held[start : start + length]
        else:
            held += (held[start:] * (length // back + 1))[:length]

    def full(self) -> bytes:
        """What is new, once that is a piece; otherwise nothing."""
        if len(self.bytes) - self._given < PIECE_BYTES:
            return b""
        return self.rest()

    def rest(self) -> bytes:
        """What is new."""
        new = bytes(self.bytes[self._given :])
        if len(self.bytes) > 2 * _WINDOW_BYTES:
            del self.bytes[: len(self.bytes) - _WINDOW_BYTES]
        self._given = len(self.bytes)
        return new


def _snappy(stored: Iterator[bytes]) -> Iterator[bytes]:
    buffered = _Buffered(stored)
    window = _Window()
    while buffered.take(1)[0] > 0x7F:
        pass  # the length of all
    while buffered.ensure(5):
        data, at = buffered.data, buffered.at
        tag = data[at]
        kind, high = tag & 3, tag >> 2
        if kind == 0:
            extra = max(0, high - 59)
            length = int.from_bytes(data[at + 1 : at + 1 + extra], "little") if extra else high
            buffered.at += 1 + extra
            yield from _literal(buffered, window, length + 1)
            continue
        width = kind if kind < 3 else 4
        element = data[at : at + 1 + width]
        if len(element) <= width:
            raise Undecodable("a page ends early")
        if kind == 1:
            offset, length = (high >> 3) << 8 | element[1], (high & 7) + 4
        else:
            offset, length = int.from_bytes(element[1:], "little"), high + 1
        # What repeats itself is written as the same copy again and again.
        times = _REPEATS if data.startswith(element * _REPEATS, at) else 1
        buffered.at += len(element) * times
        window.copy(offset, length * times)
        if piece := window.full():
            yield piece
    yield window.rest()


def _lz4(stored: Iterator[bytes]) -> Iterator[bytes]:
    buffered = _Buffered(stored)
    window = _Window()
    while buffered.ensure(1):
        token = buffered.take(1)[0]
        yield from _literal(buffered, window, _lz4_length(buffered, token >> 4))
        if not buffered.ensure(1):
            break  # the last sequence has no copy
        back = int.from_bytes(buffered.take(2), "little")
        left = _lz4_length(buffered, token & 15) + 4
        while left:
            step = min(left, PIECE_BYTES)
            window.copy(back, step)
            left -= step
            if piece := window.full():
                yield piece
    yield window.rest()


def _lz4_length(buffered: _Buffered, length: int) -> int:
    if length == 15:
        while True:
            more = buffered.take(1)[0]
            length += more
            if more < 255:
                break
    return length


def _literal(buffered: _Buffered, window: _Window, length: int) -> Iterator[bytes]:
    while length:
        step = min(length, PIECE_BYTES)
        window.bytes += buffered.take(step)
        length -= step
        if piece := window.full():
            yield piece


_PIECES: dict[str, Callable[[Iterator[bytes]], Iterator[bytes]]] = {
    "GZIP": _gzip,
    "ZSTD": _zstd,
    "BROTLI": _brotli,
    "SNAPPY": _snappy,
    "LZ4_RAW": _lz4,
}
