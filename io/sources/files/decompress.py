"""Decompress in bounded steps, one member after another.

One object may hold several members, as ``cat a.gz b.gz``, pigz, bgzip, pzstd and pbzip2 write
them. What precedes a damaged spot is handed out before the damage is reported.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Protocol

import cramjam
import lz4.frame
import zstandard

from sources.files.failures import EndsEarly
from sources.storage.stream import BLOCK_BYTES, Stream
from transforms.errors import ObjectFailed

_XZ_MEMORY = 128 << 20
_ZSTD_WINDOW = 128 << 20
_ZSTD_HEADER = 18
_SNAPPY_MARK = b"\xff\x06\0\0sNaPpY"


class BeyondLimit(Exception):
    """Whole data, but reading it takes more memory than is allowed, or something that is not there.

    The message says what.
    """


class Decoder(Protocol):
    """Decompresses one member: a gzip member, a zstd frame, a bz2 or xz stream, and so on."""

    step_bytes: int
    """How many bytes to feed at a time."""

    hungry: bool
    """Whether it needs new data before it can give more."""

    ended: bool
    """Whether the member is complete."""

    rest: bytes
    """What was fed beyond its end, once it has ended."""

    def decode(self, data: bytes) -> bytes:
        """The decompressed bytes of ``data``.

        Raises:
            ValueError: The data is damaged; the arguments are what still came out, and why.
            BeyondLimit: It cannot be read, without being damaged.
        """
        ...


class GzipMember:
    """One gzip member, 1 MiB at a time."""

    step_bytes = 64 << 10

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=31)
        self._pending = b""
        self.hungry = True
        self.ended = False
        self.rest = b""

    def decode(self, data: bytes) -> bytes:
        """The decompressed bytes of ``data``, at most 1 MiB; the next calls give the rest."""
        data = self._pending + data
        before = self._inflate.copy()
        try:
            decoded = self._inflate.decompress(data, BLOCK_BYTES)
        except zlib.error as error:
            raise ValueError(_salvage(before, data), str(error)) from error
        self._pending = self._inflate.unconsumed_tail
        self.ended = self._inflate.eof
        self.hungry = len(decoded) < BLOCK_BYTES
        self.rest = self._inflate.unused_data
        return decoded


class Bz2Stream:
    """One bz2 stream, 1 MiB at a time; a damaged block gives nothing."""

    step_bytes = 16 << 10

    def __init__(self) -> None:
        self._decompressor = bz2.BZ2Decompressor()
        self.hungry = True
        self.ended = False
        self.rest = b""

    def decode(self, data: bytes) -> bytes:
        """The decompressed bytes of ``data``, at most 1 MiB; the next calls give the rest."""
        try:
            decoded = self._decompressor.decompress(data, BLOCK_BYTES)
        except (OSError, ValueError) as error:
            raise ValueError(b"", str(error)) from error
        self.ended = self._decompressor.eof
        self.hungry = self._decompressor.needs_input
        self.rest = self._decompressor.unused_data
        return decoded


class ZstdFrame:
    """One zstd frame; a damaged block gives nothing.

    Only small input bounds the output: a block of at most 128 KiB takes at least 4 bytes
    (RFC 8878, 3.1.1.2), so that 1 KiB gives at most 32 MiB.
    """

    step_bytes = 1 << 10
    hungry = True

    def __init__(self) -> None:
        decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._decompressor = decompressor.decompressobj()
        self._start = b""
        self.ended = False
        self.rest = b""

    def decode(self, data: bytes) -> bytes:
        """The decompressed bytes of ``data``."""
        if len(self._start) < _ZSTD_HEADER:
            self._start += data[:_ZSTD_HEADER]
        try:
            decoded = self._decompressor.decompress(data)
        except zstandard.ZstdError as error:
            self._check_header(error)
            raise ValueError(b"", str(error)) from error
        self.ended = self._decompressor.eof
        self.rest = self._decompressor.unused_data
        return decoded

    def _check_header(self, error: zstandard.ZstdError) -> None:
        """Tell a frame that needs too much from one that is damaged."""
        try:
            frame = zstandard.get_frame_parameters(self._start)
        except zstandard.ZstdError:
            return
        if frame.window_size > _ZSTD_WINDOW:
            raise BeyondLimit(
                f"its zstd window is {frame.window_size >> 20:,} MiB, the limit is "
                f"{_ZSTD_WINDOW >> 20} MiB; compress it with a smaller window (--long)"
            ) from error
        if frame.dict_id:
            raise BeyondLimit(f"it needs the zstd dictionary {frame.dict_id}") from error


class Lz4Frame:
    """One lz4 frame, 1 MiB at a time; a damaged block gives nothing."""

    step_bytes = 64 << 10

    def __init__(self) -> None:
        self._decompressor = lz4.frame.LZ4FrameDecompressor()
        self.hungry = True
        self.ended = False
        self.rest = b""

    def decode(self, data: bytes) -> bytes:
        """The decompressed bytes of ``data``, at most 1 MiB; the next calls give the rest."""
        try:
            decoded: bytes = self._decompressor.decompress(data, BLOCK_BYTES)
        except (RuntimeError, ValueError) as error:
            raise ValueError(b"", str(error)) from error
        self.ended = self._decompressor.eof
        self.hungry = self._decompressor.needs_input
        self.rest = self._decompressor.unused_data or b""
        return decoded


class XzStream:
    """One xz stream, 1 MiB at a time; a damaged block gives nothing."""

    step_bytes = 16 << 10

    def __init__(self) -> None:
        self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
        self.hungry = True
        self.ended = False
        self.rest = b""

    def decode(self, data: bytes) -> bytes:
        """The decompressed bytes of ``data``, at most 1 MiB; the next calls give the rest."""
        try:
            decoded = self._decompressor.decompress(data, BLOCK_BYTES)
        except lzma.LZMAError as error:
            if "limit" in str(error):
                limit = f"{_XZ_MEMORY >> 20} MiB"
                raise BeyondLimit(f"its xz data takes more than {limit} to decompress") from error
            raise ValueError(b"", str(error)) from error
        self.ended = self._decompressor.eof
        self.hungry = self._decompressor.needs_input
        self.rest = self._decompressor.unused_data
        return decoded


class SnappyChunk:
    """One chunk of snappy's framing format, which holds at most 64 KiB of data.

    Format: https://github.com/google/snappy/blob/main/framing_format.txt
    """

    step_bytes = 16 << 10
    hungry = True

    def __init__(self) -> None:
        self._chunk = b""
        self.ended = False
        self.rest = b""

    def decode(self, data: bytes) -> bytes:
        """The data of the chunk, once all of it is there."""
        chunk = self._chunk = self._chunk + data
        size = 4 + int.from_bytes(chunk[1:4], "little")
        if len(chunk) >= 4 and chunk[0] in (0, 1) and size > 128 << 10:
            raise ValueError(b"", f"a chunk of {size:,} bytes")
        if len(chunk) < 4 or len(chunk) < size:
            return b""
        try:
            decoded = bytes(cramjam.snappy.decompress(_SNAPPY_MARK + chunk[:size]))
        except cramjam.DecompressionError as error:
            raise ValueError(b"", str(error)) from error
        self.ended, self.rest, self._chunk = True, chunk[size:], b""
        return decoded


_DECODERS: dict[str, Callable[[], Decoder]] = {
    "gzip": GzipMember,
    "bz2": Bz2Stream,
    "zstd": ZstdFrame,
    "lz4": Lz4Frame,
    "snappy": SnappyChunk,
    "xz": XzStream,
}


class CompressedStream:
    """The decompressed bytes of a stored stream of any number of members, even none."""

    def __init__(self, stored: Stream, compression: str, uri: str) -> None:
        self._stored = stored
        self._compression = compression
        self._uri = uri
        self._input = b""
        self._used = 0
        self._member: Decoder | None = None
        self._failed: ObjectFailed | None = None

    @property
    def stored(self) -> int:
        """How many compressed bytes have been read."""
        return self._stored.stored

    def read(self) -> bytes:
        """The next block, about 1 MiB; empty at the end."""
        parts: list[bytes] = []
        size = 0
        while self._failed is None and size < BLOCK_BYTES:
            if self._used >= len(self._input) and (self._member is None or self._member.hungry):
                if parts:
                    break  # no I/O while there is something to give
                self._input, self._used = self._stored.read(), 0
                if not self._input:
                    return self._end()
            part = self._step()
            if part:
                parts.append(part)
                size += len(part)
        if not parts and self._failed is not None:
            raise self._failed
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _step(self) -> bytes:
        """Feed the current member, or the next one; returns what comes out."""
        if self._member is None:
            if self._compression in ("gzip", "xz"):  # may be padded with zeros, as on tapes
                padding = len(self._input) - len(self._input[self._used :].lstrip(b"\0"))
                self._used = padding
                if self._used >= len(self._input):
                    return b""
            self._member = _DECODERS[self._compression]()
        member = self._member
        data = b""
        if member.hungry:
            data = self._input[self._used : self._used + member.step_bytes]
            self._used += len(data)
        try:
            decoded = member.decode(data)
        except BeyondLimit as error:
            self._failed = ObjectFailed(f"{self._uri} cannot be read: {error}", "unknown_format")
            return b""
        except ValueError as error:
            salvaged, reason = error.args
            self._failed = self._corrupt(f"its {self._compression} data is damaged ({reason})")
            return bytes(salvaged)
        if member.ended:
            # What was fed beyond the end is the last part of what has been used.
            self._used -= len(member.rest)
            self._member = None
        return decoded

    def _end(self) -> bytes:
        """Nothing, unless a member is incomplete: no stored bytes follow."""
        if self._member is None:
            return b""
        reason = f"it ends in the middle of its {self._compression} data"
        self._failed = EndsEarly(f"{self._uri} cannot be read on: {reason}", "object_corrupt")
        raise self._failed

    def _corrupt(self, reason: str) -> ObjectFailed:
        return ObjectFailed(f"{self._uri} cannot be read on: {reason}", "object_corrupt")


def _salvage(inflate: zlib._Decompress, data: bytes) -> bytes:
    """What ``data`` gives up to the damaged byte, which halving finds."""
    good = []
    while data:
        half = (len(data) + 1) // 2
        trial = inflate.copy()
        try:
            good.append(trial.decompress(data[:half]))
        except zlib.error:
            if half == 1:
                break
            data = data[:half]
        else:
            inflate, data = trial, data[half:]
    return b"".join(good)
