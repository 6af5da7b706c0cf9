"""Decompress the blocks of an Avro object: as a whole, or in pieces where they are long."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import cramjam

from sources.files.decompress import CompressedStream
from sources.files.parquet import block_codecs
from transforms.errors import ObjectFailed

BLOCK_BYTES = 32 << 20
"""The longest block that is held as a whole, compressed or not; writers make them of 16 KiB to
2 MiB."""

PIECE_BYTES = 1 << 20
_MOST_BYTES = 4 << 30
_STREAMS = {"zstandard": "zstd", "bzip2": "bz2", "xz": "xz"}

NAMES = ("null", "deflate", "snappy", *_STREAMS)
"""The codecs that can be read."""


class LongBlock(ValueError):
    """The block has more than ``BLOCK_BYTES`` bytes once it is decompressed."""


def decompressed(codec: str, stored: bytes, uri: str) -> bytes:
    """The data of a block.

    Raises:
        LongBlock: It is too long to be held.
        ValueError, ObjectFailed: It is damaged.
    """
    if codec == "null":
        return stored
    if codec == "deflate":
        return _inflated(stored)
    if codec == "snappy":
        return _of_snappy(stored)
    stream = CompressedStream(_Pieces(iter((stored,))), _STREAMS[codec], uri)
    data = bytearray()
    while part := stream.read():
        data += part
        _check_length(len(data))
    return bytes(data)


def pieces_of(codec: str, stored: Iterator[bytes], uri: str) -> Iterator[bytes]:
    """The data of a long block, piece by piece; ``stored`` are its bytes, in pieces too.

    Raises:
        ValueError: It is damaged, or so long that reading it would take minutes.
    """
    if codec == "null":
        return stored
    if codec == "deflate":
        data = _inflating(stored)
    elif codec == "snappy":
        data = _of_long_snappy(stored)
    else:
        data = _of_stream(stored, _STREAMS[codec], uri)
    return _bounded(data)


def _bounded(pieces: Iterator[bytes]) -> Iterator[bytes]:
    length = 0
    for piece in pieces:
        length += len(piece)
        if length > _MOST_BYTES:
            raise ValueError(f"it has more than {_MOST_BYTES >> 30} GiB decompressed")
        yield piece


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


def _inflating(stored: Iterator[bytes]) -> Iterator[bytes]:
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    for piece in stored:
        left = piece
        while True:
            try:
                data = inflate.decompress(left, PIECE_BYTES)
            except zlib.error as error:
                raise ValueError(str(error)) from error
            if data:
                yield data
            left = inflate.unconsumed_tail
            if inflate.eof or (not left and len(data) < PIECE_BYTES):
                break
    if not inflate.eof:
        raise ValueError("its deflate data has no end")


def _of_snappy(stored: bytes) -> bytes:
    """Raw snappy, followed by the CRC-32 of the data."""
    try:
        _check_length(cramjam.snappy.decompress_raw_len(stored[:-4]))
        data = bytes(cramjam.snappy.decompress_raw(stored[:-4]))
    except cramjam.DecompressionError as error:
        raise ValueError(str(error)) from error
    _check_sum(zlib.crc32(data), stored[-4:])
    return data


def _of_long_snappy(stored: Iterator[bytes]) -> Iterator[bytes]:
    checksum = b""

    def without_checksum() -> Iterator[bytes]:
        nonlocal checksum
        for piece in stored:
            data = checksum + piece
            checksum = data[-4:]
            yield data[:-4]

    total = 0
    data: Any = block_codecs.decompressed("SNAPPY", without_checksum())
    try:
        while piece := data.read(PIECE_BYTES):
            total = zlib.crc32(piece, total)
            yield piece
    except block_codecs.Undecodable as error:
        raise ValueError(str(error).replace("a page", "its snappy data")) from error
    _check_sum(total, checksum)


def _of_stream(stored: Iterator[bytes], compression: str, uri: str) -> Iterator[bytes]:
    source = _Pieces(stored)
    stream = CompressedStream(source, compression, uri)
    while True:
        try:
            piece = stream.read()
        except ObjectFailed as error:
            if source.failed:  # the object itself, not the data of the block
                raise
            raise ValueError(error.message) from error
        if not piece:
            return
        yield piece


def _check_sum(total: int, stored: bytes) -> None:
    if total != int.from_bytes(stored, "big"):
        raise ValueError("its checksum does not match")


def _check_length(length: int) -> None:
    if length > BLOCK_BYTES:
        raise LongBlock(f"it has more than {BLOCK_BYTES >> 20} MiB decompressed")


class _Pieces:
    """Pieces of bytes as a stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self.stored = 0
        self.failed = False

    def read(self) -> bytes:
        """The next piece; empty at the end."""
        try:
            piece = next(self._pieces, b"")
        except ObjectFailed:
            self.failed = True
            raise
        self.stored += len(piece)
        return piece
