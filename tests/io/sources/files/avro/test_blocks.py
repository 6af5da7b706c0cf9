from __future__ import annotations

import io
from typing import Any

import fastavro
import pytest
from fastavro.read import HEADER_SCHEMA

from sources.files.avro import codecs
from sources.files.avro.blocks import Block, Blocks
from sources.files.failures import EndsEarly
from tests.io.sources.files.test_decompress import Stored
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


def long_blocks(data: bytes, block: int = 7) -> list[tuple[int, bytes, str]]:
    """The count, data and problem of each block."""
    blocks = Blocks(Stored(data, block), "file:///a.avro")
    blocks.read_header()
    cut: list[tuple[int, bytes, str]] = []
    while (each := blocks.next()) is not None:
        content, problem = each.data, each.problem
        try:
            for piece in each.pieces or ():
                content += piece
        except ValueError as error:
            problem = str(error)
        cut.append((each.count, content, problem))
    return cut


@pytest.mark.parametrize("codec", ["null", "deflate", "xz", "snappy", "bzip2"])
@pytest.mark.parametrize("block", [7, 1 << 20])
def test_long_blocks_are_read_in_pieces(
    codec: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = written(600, codec)
    whole = long_blocks(data)
    monkeypatch.setattr(codecs, "BLOCK_BYTES", 15)
    monkeypatch.setattr(codecs, "PIECE_BYTES", 4)
    assert long_blocks(data, block) == whole
    blocks = Blocks(Stored(data, block), "file:///a.avro")
    blocks.read_header()
    counts = []
    while (each := blocks.next(skip_to=1 << 20)) is not None:
        counts.append(each.count)
    assert counts == [count for count, _, _ in whole], "passed over without being decompressed"


@pytest.mark.parametrize("shift", [-1, 1])
def test_a_long_block_that_does_not_end_where_it_says_costs_no_other(
    shift: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codecs, "BLOCK_BYTES", 5)
    data = written()
    whole = long_blocks(data)
    at = data.find(marker_of(data)) + 16
    size = data[at + 1]
    damaged = data[: at + 1] + bytes((size + 2 * shift,)) + data[at + 2 :]
    blocks = long_blocks(damaged)
    assert blocks[1:] == whole[1:]
    count, content, problem = blocks[0]
    assert count == whole[0][0]
    assert whole[0][1].startswith(content)
    assert "does not end where it says" in problem


def test_a_long_block_that_is_cut_ends_the_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs, "BLOCK_BYTES", 5)
    with pytest.raises(EndsEarly, match="middle of an Avro block"):
        long_blocks(written()[:-20])


def test_a_block_of_no_elements_with_data_is_a_problem() -> None:
    data = written(3)
    at = data.find(marker_of(data)) + 16
    (block,) = cut(data[:at] + b"\0" + data[at + 1 :])
    assert (block.count, bool(block.problem)) == (1, True)


def test_a_count_that_is_not_believed_is_not_believed_when_the_block_is_passed_over() -> None:
    data = written(3)
    at = data.find(marker_of(data)) + 16
    count = io.BytesIO()
    fastavro.schemaless_writer(count, "long", 5_000_000)
    stored = data[:at] + count.getvalue() + data[at + 1 :]
    for skip_to in (0, 1 << 40):
        blocks = Blocks(Stored(stored, 1 << 20), "file:///a.avro")
        blocks.read_header()
        block = blocks.next(skip_to=skip_to)
        assert block is not None
        assert block.count == 1


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
