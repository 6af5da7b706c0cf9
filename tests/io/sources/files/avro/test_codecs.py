from __future__ import annotations

import zlib
from typing import Any

import cramjam
import pytest

from sources.files.avro import codecs
from sources.files.avro.codecs import decompressed, pieces_of
from tests.io.sources.files.test_decompress import CODECS
from transforms.errors import ObjectFailed


def raw_deflate(data: bytes) -> bytes:
    return zlib.compress(data, wbits=-15)


def snappy(data: bytes) -> bytes:
    raw = bytes(cramjam.snappy.compress_raw(data))
    return raw + zlib.crc32(data).to_bytes(4, "big")


COMPRESS: dict[str, Any] = {
    "deflate": raw_deflate,
    "snappy": snappy,
    "zstandard": CODECS["zstd"],
    "bzip2": CODECS["bz2"],
    "xz": CODECS["xz"],
}


@pytest.mark.parametrize("codec", COMPRESS)
def test_every_codec_is_bounded_and_checked(codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compress = COMPRESS[codec]
    data = b"0123456789" * 1_000
    assert decompressed(codec, compress(data), "u") == data
    with pytest.raises((ValueError, ObjectFailed)):
        decompressed(codec, compress(data)[:-5], "u")
    monkeypatch.setattr(codecs, "BLOCK_BYTES", 9_999)
    with pytest.raises(ValueError, match="decompressed"):
        decompressed(codec, compress(data), "u")


def test_a_snappy_block_has_a_checksum() -> None:
    stored = snappy(b"0123456789")
    with pytest.raises(ValueError, match="checksum"):
        decompressed("snappy", stored[:-1] + bytes((stored[-1] ^ 1,)), "u")


@pytest.mark.parametrize("codec", COMPRESS)
def test_every_codec_gives_a_long_block_in_pieces(codec: str) -> None:
    data = b"0123456789" * 500_000
    stored = COMPRESS[codec](data)
    pieces = list(pieces_of(codec, iter((stored[:9], stored[9:12], stored[12:])), "u"))
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= 32 << 20
    for damaged in (stored[:-5], stored[:20] + b"\xff" * 20 + stored[40:]):
        with pytest.raises(ValueError, match=r"\w"):
            list(pieces_of(codec, iter((damaged,)), "u"))


def test_what_would_take_minutes_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs, "_MOST_BYTES", 1 << 20)
    stored = raw_deflate(bytes(4 << 20))
    with pytest.raises(ValueError, match="decompressed"):
        list(pieces_of("deflate", iter((stored,)), "u"))
