from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from sources.files.parquet.block_codecs import Undecodable, decompressed

_random = random.Random(1)
TEXTS = {
    "nothing": b"",
    "short": b"abc",
    "repeated": b"x" * 3_000_000,
    "random": _random.randbytes(300_000),
    "mixed": b"".join(_random.choice([b"hello", b"world ", b"a" * 70]) for _ in range(20_000)),
}


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("codec", ["SNAPPY", "GZIP", "ZSTD", "BROTLI", "LZ4_RAW", "UNCOMPRESSED"])
@pytest.mark.parametrize("size", [7, 100_000])
def test_pieces_give_what_the_library_gives(codec: str, text: str, size: int) -> None:
    if size == 7 and text not in ("nothing", "short", "mixed"):
        size = 1_001
    name: Any = codec.lower()
    plain = TEXTS[text]
    stored = plain if codec == "UNCOMPRESSED" else pa.Codec(name).compress(plain, asbytes=True)
    reader = decompressed(codec, pieces(stored, size))
    assert b"".join(iter(lambda: reader.read(65_537), b"")) == plain


@pytest.mark.parametrize("codec", ["SNAPPY", "LZ4_RAW"])
def test_what_ends_early_or_refers_to_nothing_is_undecodable(codec: str) -> None:
    name: Any = codec.lower()
    stored = pa.Codec(name).compress(TEXTS["mixed"], asbytes=True)
    with pytest.raises(Undecodable):
        decompressed(codec, pieces(stored[:-1], 1_000)).read(10_000_000)
    bad = b"\x05\xfe\x09\x00" if codec == "SNAPPY" else b"\x10a\x09\x00\x00"
    with pytest.raises(Undecodable, match="too far back"):
        decompressed(codec, iter([bad])).read(100)


def test_what_follows_the_end_of_gzip_data_is_passed_over() -> None:
    stored = pa.Codec("gzip").compress(TEXTS["mixed"], asbytes=True) + b"more"
    reader = decompressed("GZIP", iter([stored]))
    assert b"".join(iter(lambda: reader.read(65_537), b"")) == TEXTS["mixed"]


def test_a_codec_without_such_a_decoder_is_undecodable() -> None:
    with pytest.raises(Undecodable, match="in LZ4 can only be decompressed as a whole"):
        decompressed("LZ4", iter([b""]))
