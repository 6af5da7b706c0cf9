from __future__ import annotations

import io
import zlib
from typing import Any

import cramjam
import fastavro
import pytest
from fastavro.read import HEADER_SCHEMA

from sources.files.avro import blocks as module
from sources.files.avro.blocks import Block, Blocks, decompressed
from sources.files.failures import EndsEarly
from tests.io.sources.files.test_decompress import CODECS, Stored
from transforms.errors import ObjectFailed

SCHEMA = {"type": "record", "name": "r", "fields": [{"name": "n", "type": "long"}]}


def written(rows: int = 60, codec: str = "null") -> bytes:
    stored = io.BytesIO()
    fastavro.writer(stored, SCHEMA, [{"n": n} for n in range(rows)], codec, sync_interval=20)
    return stored.getvalue()


def cut(data: bytes, block: int = 7) -> list[Block]:
    blocks = Blocks(Stored(data, block), "file:///a.avro")
    blocks.read_header()
    cut: list[Block] = []
    while (next_block := blocks.next()) is not None:
        cut.append(next_block)
    assert blocks.ended
    return cut


def marker_of(data: bytes) -> bytes:
    return data[-16:]


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_an_object_is_cut_into_its_blocks(block: int) -> None:
    blocks = cut(written(), block)
    assert len(blocks) > 1
    assert sum(each.count for each in blocks) == 60
    assert all(not each.problem for each in blocks)


def test_after_a_damaged_length_reading_goes_on_behind_the_next_marker() -> None:
    data = written()
    marker = marker_of(data)
    whole = cut(data)
    at = data.find(marker, data.find(marker) + 1) + 16
    damaged = data[:at] + b"\xff" * 12 + data[at + 12 :]
    blocks = cut(damaged)
    assert [bool(each.problem) for each in blocks] == [n == 1 for n in range(len(whole))]
    assert blocks[2:] == whole[2:]
    assert blocks[1].count == 1


def test_a_block_that_does_not_end_where_it_says_is_damaged() -> None:
    data = written()
    at = data.find(marker_of(data)) + 16
    blocks = cut(data[:at] + data[at + 1 :])
    assert blocks[0].problem
    assert not any(each.problem for each in blocks[1:])


def test_a_length_beyond_the_limit_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", 5)
    assert all(each.problem for each in cut(written()))


def test_an_object_that_ends_early_says_so() -> None:
    with pytest.raises(EndsEarly, match="middle of an Avro block"):
        cut(written()[:-20])
    with pytest.raises(EndsEarly, match="header"):
        cut(written()[:20])
    with pytest.raises(EndsEarly, match="empty"):
        cut(b"")


def test_what_is_no_avro_is_refused() -> None:
    with pytest.raises(ObjectFailed, match="cannot be read"):
        cut(b"Obk\x01" + written()[4:])


def test_an_unknown_codec_is_named() -> None:
    with pytest.raises(ObjectFailed, match=r"'lz4'.*zstandard"):
        cut(written().replace(b"\x08null", b"\x06lz4"))


def test_more_elements_than_bytes_are_not_believed() -> None:
    stored = io.BytesIO()
    header: Any = {"magic": b"Obj\x01", "meta": {"avro.schema": b"{}"}, "sync": bytes(range(16))}
    fastavro.schemaless_writer(stored, HEADER_SCHEMA, header)
    for number in (1 << 60, 0):
        fastavro.schemaless_writer(stored, "long", number)
    stored.write(bytes(range(16)))
    (block,) = cut(stored.getvalue())
    assert (block.count, bool(block.problem)) == (1, True)


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
    monkeypatch.setattr(module, "BLOCK_BYTES", 9_999)
    with pytest.raises(ValueError, match="decompressed"):
        decompressed(codec, compress(data), "u")


def test_a_snappy_block_has_a_checksum() -> None:
    stored = snappy(b"0123456789")
    with pytest.raises(ValueError, match="checksum"):
        decompressed("snappy", stored[:-1] + bytes((stored[-1] ^ 1,)), "u")
