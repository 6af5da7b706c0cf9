"""CSV that is read in columns is the same as row by row, up to what the table's columns take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.table.cells import with_typed_cells
from sinks.table.config import OnConflict
from sinks.table.rows import rows_of
from sinks.table.target import Column, Target
from sinks.text.arrow_text import JSONB_TEXT, lines_of
from sinks.text.copy_text import copy_data, encode_json_texts, encoder_of
from transforms.batch.record import Format, RecordBatch, Span
from transforms.parse.columns import csv_columns
from transforms.parse.columns.arrow_cells import ArrowCells
from transforms.parse.columns.columnar import Columnar, ColumnForms
from transforms.parse.columns.csv_columns import csv_reader_of
from transforms.parse.json_text import decode_json
from transforms.parse.parse import ParseConfig, parse
from transforms.route.table_name import TableName

FORMAT = Format("csv", ("id", "n", "j", "t"))
TYPES = {"id": "int8", "n": "numeric", "j": "jsonb", "t": "text"}
EXACT = ParseConfig(max_record_bytes=200)
QUICK = replace(EXACT, columns=ColumnForms())
TARGET = Target(
    table=TableName("t"),
    label="t",
    columns=tuple(Column(name, kind) for name, kind in TYPES.items()),
    generated=frozenset(),
    key=("id",),
    origin_key=False,
    whole_payload=False,
    on_conflict=OnConflict(),
    unknown_fields="reject",
)

CELLS = [
    *(
        b"",
        b'""',
        b"1",
        b"1.50",
        b"x",
        b"null",
        b" null ",
        b"{}",
        b'"{""k"":1}"',
        b'"[1,""\\u00e9""]"',
    ),
    *(b'"{""k"":1e5}"', b'"{""k"":', b"\xff", '"é"'.encode(), b'"a\nb"', b'"', b'a"b', b"1e20000"),
    *(b'"{""k"": [1, 2]}"', b"1" * 5_000, b"1" * 190, b'"""x"""', b'"\t[1]"'),
]


def batch(raws: list[bytes]) -> RecordBatch:
    return RecordBatch(Span("s", "p", 0, len(raws)), FORMAT, range(len(raws)), raws)


def filled(raws: list[bytes]) -> list[bytes]:
    return [b'1,2,"{""k"":1}",a'] * 60 + raws


def typed(parsed: RecordBatch) -> RecordBatch:
    return with_typed_cells(TARGET, parsed, typed=True, written={"jsonb": "json"})


def refusals(parsed: RecordBatch) -> list[tuple[Any, ...]]:
    return [
        (each.origin, each.raw, each.stage, each.category, each.message) for each in parsed.failures
    ]


def copied(parsed: RecordBatch) -> dict[str, list[Any]]:
    """What COPY gets for each column; JSON as the value that is kept of it."""
    rows, poison = rows_of(TARGET, parsed.values or (), {})
    assert poison == []
    columns: dict[str, list[Any]] = {}
    for name, kind in TYPES.items():
        encode = encode_json_texts if name in rows.texts else encoder_of(kind)
        cells = rows.cells(name)
        texts: list[Any] = list(encode(list(cells)))
        if isinstance(cells, ArrowCells):
            lines = lines_of([JSONB_TEXT if name in rows.texts else kind], [cells], [encode])
            assert lines == copy_data(texts)
        if kind == "jsonb":
            texts = [
                text if text == "\\N" else decode_json(text.replace("\\\\", "\\")) for text in texts
            ]
        columns[name] = texts
    return columns


def compare(raws: list[bytes]) -> RecordBatch:
    """Fail unless both ways make the same of ``raws``; the records in columns."""
    exact, quick = parse(batch(raws), EXACT), parse(batch(raws), QUICK)
    assert refusals(exact) == refusals(quick)
    assert list(exact.offsets) == list(quick.offsets)
    assert list(exact.values or ()) == list(quick.values or ())
    slow, fast = typed(exact), typed(quick)
    compare_typed(slow, fast)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_columns, "FEWEST_BY_ARROW", 1)
        by_arrow = parse(batch(raws), QUICK)
    assert refusals(exact) == refusals(by_arrow)
    compare_typed(slow, typed(by_arrow))
    return fast


def compare_typed(slow: RecordBatch, fast: RecordBatch) -> None:
    assert refusals(slow) == refusals(fast)
    assert list(slow.offsets) == list(fast.offsets)
    assert repr(list(slow.values or ())) == repr(list(fast.values or ()))
    assert copied(slow) == copied(fast)


@pytest.mark.parametrize("place", range(1, 4))
@pytest.mark.parametrize("cell", CELLS)
def test_any_cell_in_any_column_is_read_as_it_is_by_itself(place: int, cell: bytes) -> None:
    row = [b"7", b"2", b"{}", b"a"]
    row[place] = cell
    assert isinstance(compare(filled([b",".join(row)])).values, Columnar)


@settings(max_examples=30)
@given(st.lists(st.lists(st.sampled_from(CELLS), min_size=3, max_size=4), max_size=5))
def test_hostile_rows_are_told_from_good_ones(rows: list[list[bytes]]) -> None:
    compare(filled([b"7," + b",".join(row) for row in rows]))


def test_rows_by_arrow_stay_there_up_to_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_columns, "FEWEST_BY_ARROW", 1)
    values = typed(parse(batch([b'1,,"{""k"":1}",a', b"2,3,[],"]), QUICK)).values
    assert isinstance(values, Columnar)
    assert all(isinstance(cells, ArrowCells) for cells in values.columns.values())
    assert list(values) == [
        {"id": "1", "n": None, "j": {"k": 1}, "t": "a"},
        {"id": "2", "n": "3", "j": [], "t": ""},
    ]


def test_json_is_taken_as_it_is_written() -> None:
    fast = compare(filled([]))
    assert isinstance(fast.values, Columnar)
    assert fast.values.texts == {"j"}
    assert fast.values.columns["j"][0] == '{"k":1}'


def test_rows_of_which_too_many_are_broken_are_read_by_themselves() -> None:
    raws = [b"1,2"] * 100
    assert not isinstance(parse(batch(raws), QUICK).values, Columnar)
    assert len(parse(batch(raws), QUICK).failures) == 100


def test_headers_that_need_a_look_at_each_row_have_no_reader() -> None:
    assert csv_reader_of(FORMAT) is not None
    for other in (
        replace(FORMAT, nulls=("NA",)),
        replace(FORMAT, columns=("a", "")),
        replace(FORMAT, columns=("a", "a")),
    ):
        assert csv_reader_of(other) is None
