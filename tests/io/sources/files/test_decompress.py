from __future__ import annotations

import bz2
import gzip
import lzma
import random
import struct
from collections.abc import Callable
from functools import cache

import cramjam
import lz4.frame
import pytest
import zstandard

from sources.files.decompress import CompressedStream
from transforms.errors import ObjectFailed

Compress = Callable[[bytes], bytes]
CODECS: dict[str, Compress] = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
    "bz2": bz2.compress,
    "lz4": lz4.frame.compress,
    "snappy": lambda data: bytes(cramjam.snappy.compress(data)),
    "xz": lzma.compress,
}
each_codec = pytest.mark.parametrize(("name", "compress"), CODECS.items())
each_name = pytest.mark.parametrize("name", CODECS)
NUMBERS = random.Random(1)
LINES = b"".join(b'{"n":%d}\n' % NUMBERS.getrandbits(64) for _ in range(50_000))
"""Some 1.3 MB, which compressed is more than one block of ``Stored``, and of bz2."""


@cache
def compressed_lines(name: str) -> bytes:
    """``LINES`` as the codec writes them: compressing takes most of the time of these tests."""
    return CODECS[name](LINES)


class Stored:
    """A stream over bytes in memory, a few at a time."""

    def __init__(self, data: bytes, block: int = 100_000) -> None:
        self._data = data
        self._block = block
        self.stored = 0

    def read(self) -> bytes:
        block = self._data[self.stored : self.stored + self._block]
        self.stored += len(block)
        return block


def decompressed(name: str, data: bytes, block: int = 100_000) -> tuple[bytes, ObjectFailed | None]:
    """Everything that comes out, and what it ended with."""
    stream = CompressedStream(Stored(data, block), name, "s3://b/x")
    parts: list[bytes] = []
    try:
        while part := stream.read():
            parts.append(part)
    except ObjectFailed as error:
        with pytest.raises(ObjectFailed):
            stream.read()
        return b"".join(parts), error
    assert stream.stored == len(data)
    assert stream.read() == b""
    return b"".join(parts), None


@each_name
def test_one_member(name: str) -> None:
    assert decompressed(name, compressed_lines(name)) == (LINES, None)


@each_codec
@pytest.mark.parametrize("block", [1, 7, 1_000_000])
def test_several_members_in_blocks_of_any_size(name: str, compress: Compress, block: int) -> None:
    text = LINES[:20_000]
    data = compress(text) + compress(b"") + compress(b"tail\n")
    assert decompressed(name, data, block) == (text + b"tail\n", None)


@each_codec
def test_no_member_at_all(name: str, compress: Compress) -> None:
    assert decompressed(name, b"") == (b"", None)
    assert decompressed(name, compress(b"")) == (b"", None)


@each_name
@pytest.mark.parametrize("lost", [1, 5, 1_000])
def test_truncated_data_gives_what_is_whole_and_then_fails(name: str, lost: int) -> None:
    data = compressed_lines(name)
    text, error = decompressed(name, data + data[:-lost])
    assert text.startswith(LINES)
    assert LINES.startswith(text[len(LINES) :])
    assert error is not None
    assert error.category == "object_corrupt"
    assert "s3://b/x" in str(error)
    assert "ends in the middle" in str(error)


@each_name
def test_damage_in_the_second_member_leaves_the_first(name: str) -> None:
    first = compressed_lines(name)
    second = bytearray(first)
    middle = len(second) // 2
    second[middle : middle + 64] = bytes(64)
    text, error = decompressed(name, first + bytes(second))
    assert text.startswith(LINES)
    assert error is not None
    assert "damaged" in str(error)


def test_everything_before_a_wrong_gzip_checksum_is_given() -> None:
    data = bytearray(gzip.compress(LINES[:1_000]))
    data[-8] ^= 1
    text, error = decompressed("gzip", bytes(data))
    assert text == LINES[:1_000]
    assert error is not None


@each_codec
def test_what_follows_the_data_and_is_none_fails(name: str, compress: Compress) -> None:
    text, error = decompressed(name, compress(b"a\n") + b"garbage after the end")
    assert text == b"a\n"
    assert error is not None


def test_zero_padding_after_gzip_is_not_data() -> None:
    data = gzip.compress(b"a\n") + bytes(1_000) + gzip.compress(b"b\n") + bytes(7)
    assert decompressed("gzip", data, block=100) == (b"a\nb\n", None)


def test_skippable_zstd_frames_are_skipped() -> None:
    frame = struct.pack("<II", 0x184D2A50, 5) + b"hello"
    compress = CODECS["zstd"]
    assert decompressed("zstd", frame + compress(b"a") + frame + compress(b"b")) == (b"ab", None)


@pytest.mark.parametrize(
    ("name", "compress", "most"),
    [
        ("gzip", gzip.compress, 1 << 20),
        ("bz2", bz2.compress, 1 << 20),
        ("zstd", zstandard.ZstdCompressor(level=19).compress, 32 << 20),
    ],
)
def test_a_bomb_comes_out_in_bounded_blocks(name: str, compress: Compress, most: int) -> None:
    size = 100 << 20
    stream = CompressedStream(Stored(compress(bytes(size))), name, "s3://b/x")
    total = largest = 0
    while part := stream.read():
        total += len(part)
        largest = max(largest, len(part))
    assert total == size
    assert largest <= 2 * most


def test_a_window_beyond_the_limit_is_not_called_damage() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=28, enable_ldm=True)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    text, error = decompressed("zstd", compressor.compress(LINES) + compressor.flush())
    assert text == b""
    assert error is not None
    assert "window is 256 MiB" in error.message
    assert (error.category, "damaged" in error.message) == ("unknown_format", False)


def test_a_dictionary_that_is_missing_is_not_called_damage() -> None:
    dictionary = zstandard.train_dictionary(1 << 12, [b"%d lines" % n * 20 for n in range(500)])
    data = zstandard.ZstdCompressor(dict_data=dictionary).compress(b"1 lines" * 10)
    _, error = decompressed("zstd", data)
    assert error is not None
    assert f"the zstd dictionary {dictionary.dict_id()}" in error.message


def test_a_snappy_chunk_has_a_bound_and_an_unknown_one_is_passed_over_or_refused() -> None:
    data = CODECS["snappy"](b"a\n")
    assert decompressed("snappy", data + b"\x80\x03\0\0abc" + data) == (b"a\na\n", None)
    for chunk in (b"\x02\x03\0\0abc", b"\x00\xff\xff\xff"):
        text, error = decompressed("snappy", data + chunk + bytes(100))
        assert text == b"a\n"
        assert error is not None
        assert "damaged" in error.message
