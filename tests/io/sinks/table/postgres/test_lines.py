"""Rows become COPY's lines; a row that cannot be encoded is set aside alone."""

from __future__ import annotations

import pytest

from sinks.table.config import OnConflict
from sinks.table.postgres.lines import encode_blocks
from sinks.table.rows import Block, Poison
from sinks.table.target import Column, Target
from transforms.parse.columns.columnar import CHUNK
from transforms.route.table_name import TableName

TARGET = Target(
    table=TableName("events"),
    label="events",
    columns=(Column("id", "int4"), Column("name", "text")),
    generated=frozenset(),
    key=("id",),
    origin_key=False,
    whole_payload=False,
    on_conflict=OnConflict(),
    unknown_fields="reject",
)


def block(*names: str | None) -> Block:
    return Block(("id", "name"), [list(range(len(names))), list(names)], range(10, 10 + len(names)))


def test_a_piece_of_the_lines_is_the_same_as_in_the_whole() -> None:
    (lines,) = encode_blocks(TARGET, [block("a", None, "b\tc")], [])
    assert lines.data(0, 3) == b"0\ta\n1\t\\N\n2\tb\\tc\n"
    assert lines.data(1, 2) == b"1\t\\N\n"
    assert lines.without({1}).data(0, 2) == b"0\ta\n2\tb\\tc\n"


def test_a_row_with_nul_is_set_aside_and_its_column_named() -> None:
    poison: list[Poison] = []
    (lines,) = encode_blocks(TARGET, [block("a", "\x00", "c")], poison)
    assert list(lines.indices) == [10, 12]
    assert [(bad.index, bad.category) for bad in poison] == [(11, "data")]
    assert poison[0].message.startswith("column name: ")


def test_a_block_that_becomes_empty_is_left_out() -> None:
    poison: list[Poison] = []
    assert encode_blocks(TARGET, [block("\ud800")], poison) == []
    assert [bad.index for bad in poison] == [10]


def test_rows_of_several_chunks_are_one_piece_in_their_order() -> None:
    names = [None if number % 7 == 0 else f"{number}\t" for number in range(2 * CHUNK + 1)]
    (lines,) = encode_blocks(TARGET, [block(*names)], [])
    expected = [
        f"{number}\t" + ("\\N" if name is None else f"{number}\\t")
        for number, name in enumerate(names)
    ]
    assert list(lines.texts) == expected
    assert lines.whole == "".join(f"{text}\n" for text in expected).encode()


def test_texts_of_json_are_copied_as_they_are_written() -> None:
    texts = [' {"a": "\\\\n"}', None, "null"]
    cells = Block(("id", "name"), [[1, 2, 3], texts], range(3), frozenset({"name"}))
    (lines,) = encode_blocks(TARGET, [cells], [])
    assert lines.whole == b'1\t {"a": "\\\\\\\\n"}\n2\t\\N\n3\tnull\n'
    assert list(lines.texts)[1:] == ["2\t\\N", "3\tnull"]


@pytest.mark.parametrize("bad", ["\x00", "\ud800"])
@pytest.mark.parametrize("place", [0, CHUNK - 1, CHUNK, 2 * CHUNK])
def test_one_bad_row_of_many_is_set_aside_wherever_it_is(bad: str, place: int) -> None:
    names = ["a"] * (2 * CHUNK + 1)
    names[place] = bad
    poison: list[Poison] = []
    (lines,) = encode_blocks(TARGET, [block(*names)], poison)
    assert [each.index for each in poison] == [10 + place]
    assert list(lines.indices) == [10 + n for n in range(len(names)) if n != place]
    assert len(lines.texts) == len(names) - 1
