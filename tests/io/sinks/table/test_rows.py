"""Records become rows: grouped where it matters, refused where they do not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from sinks.table.config import OnConflict
from sinks.table.rows import Rows, blocks_of, picked, rows_of, runs_of
from sinks.table.target import Column, Target
from transforms.parse.columns.columnar import CHUNK, Columnar
from transforms.route.table_name import TableName

TARGET = Target(
    table=TableName("events"),
    label="events",
    columns=(Column("id", "int4"), Column("a", "text"), Column("b", "text")),
    generated=frozenset({"g"}),
    key=("id",),
    origin_key=False,
    whole_payload=False,
    on_conflict=OnConflict(),
    unknown_fields="reject",
)
DEFAULT_B = replace(TARGET, columns=(*TARGET.columns[:2], Column("b", "text", has_default=True)))
UPDATE = replace(TARGET, on_conflict=OnConflict("update"))


def blocks(target: Target, records: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    rows, poison = rows_of(target, records, {})
    assert poison == []
    return [
        (block.names, [list(cells) for cells in block.cells], list(block.indices))
        for block in blocks_of(target, rows)
    ]


def in_columns(written: Mapping[str, str], texts: frozenset[str] = frozenset()) -> Columnar:
    """Two records, of which the cells say other than the records that are made of them."""
    records = [{"id": 1, "a": "made"}, {"id": 2, "a": "made"}]
    cells: dict[str, list[Any]] = {"id": [1, 2], "a": ["read", "read"]}
    return Columnar(cells, 2, lambda index: records[index], written, texts)


class TestColumnar:
    def test_cells_that_were_read_are_taken_without_making_records(self) -> None:
        rows, _ = rows_of(TARGET, in_columns({"a": "text"}, frozenset({"a"})), {})
        (block,) = blocks_of(TARGET, rows)
        assert block.cells == [[1, 2], ["read", "read"]]
        assert block.texts == {"a"}
        (one,) = blocks_of(TARGET, picked(rows, [1]))
        assert one.cells == [[2], ["read"]]
        assert list(one.indices) == [1]
        assert one.texts == {"a"}

    def test_cells_for_a_column_of_another_type_are_not_taken(self) -> None:
        rows, _ = rows_of(TARGET, in_columns({"a": "jsonb"}, frozenset({"a"})), {})
        (block,) = blocks_of(TARGET, rows)
        assert block.cells == [[1, 2], ["made", "made"]]
        assert block.texts == frozenset()

    def test_a_field_without_a_column_refuses_each_record(self) -> None:
        target = replace(TARGET, columns=TARGET.columns[:1])
        rows, poison = rows_of(target, in_columns({}), {})
        assert len(rows.indices) == 0
        assert [(bad.index, bad.category) for bad in poison] == [
            (0, "unknown_field"),
            (1, "unknown_field"),
        ]


class TestBlocksOf:
    def test_records_of_one_shape_are_one_block_in_any_order_of_fields(self) -> None:
        records: list[dict[str, Any]] = [{"id": 1, "a": "x"}, {"a": "y", "id": 2}]
        assert blocks(UPDATE, records) == [(("id", "a"), [[1, 2], ["x", "y"]], [0, 1])]

    def test_a_missing_field_is_null_where_nothing_else_is_meant(self) -> None:
        records = [{"id": 1, "a": "x"}, {"id": 2, "b": "y"}]
        assert blocks(TARGET, records) == [
            (("id", "a", "b"), [[1, 2], ["x", None], [None, "y"]], [0, 1])
        ]

    def test_fields_as_many_but_not_the_same_are_told_apart(self) -> None:
        records = [{"id": 1, "a": "x"}, {"id": 2, "b": "y"}, {"id": 3, "a": "z"}]
        assert blocks(UPDATE, records) == [
            (("id", "a"), [[1, 3], ["x", "z"]], [0, 2]),
            (("id", "b"), [[2], ["y"]], [1]),
        ]

    def test_only_columns_with_a_default_divide_an_insert(self) -> None:
        records: list[dict[str, Any]] = [{"id": 1, "b": "x"}, {"id": 2, "a": "y"}, {"id": 3}]
        assert blocks(DEFAULT_B, records) == [
            (("id", "b"), [[1], ["x"]], [0]),
            (("id", "a"), [[2, 3], ["y", None]], [1, 2]),
        ]

    @pytest.mark.parametrize("place", [0, CHUNK - 1, CHUNK, 2 * CHUNK])
    @pytest.mark.parametrize("other", [{"id": 0}, {"id": 0, "b": "y"}, {"b": "y", "id": 0}])
    def test_one_record_of_other_fields_among_many_is_told_apart(
        self, place: int, other: dict[str, Any]
    ) -> None:
        records: list[dict[str, Any]] = [{"id": n, "a": "x"} for n in range(2 * CHUNK + 1)]
        records[place] = other
        rest = [n for n in range(2 * CHUNK + 1) if n != place]
        by_names = {names: indices for names, _, indices in blocks(UPDATE, records)}
        assert by_names == {
            ("id", "a"): rest,
            tuple(name for name in ("id", "b") if name in other): [place],
        }

    def test_the_cells_of_many_records_keep_their_order(self) -> None:
        numbers = list(range(2 * CHUNK + 1))
        records = [{"id": n, "a": str(n)} for n in numbers]
        assert blocks(TARGET, records) == [
            (("id", "a"), [numbers, list(map(str, numbers))], numbers)
        ]
        assert blocks(TARGET, [{"id": n} for n in numbers]) == [(("id",), [numbers], numbers)]

    def test_records_without_fields_have_no_cells(self) -> None:
        target = replace(TARGET, key=("source",), origin_key=True)
        rows, poison = rows_of(target, [{}, {}], {"source": ["s", "s"]})
        (block,) = blocks_of(target, rows)
        assert (block.names, block.cells, poison) == (("source",), [["s", "s"]], [])

    def test_nothing_gives_no_block(self) -> None:
        assert blocks(TARGET, []) == []


class TestRowsOf:
    @pytest.mark.parametrize(
        ("record", "category", "words"),
        [
            ({"a": "x"}, "key", "id is missing"),
            ({"id": None}, "key", "id is null"),
            ({"id": None, "a": 0}, "key", "id is null"),
            ({"id": 1, "x": 1, "y": 2}, "unknown_field", "field x, y"),
            ({"id": 1, "g": 1}, "unknown_field", "g is generated"),
        ],
    )
    def test_a_record_that_does_not_fit_says_why(
        self, record: dict[str, Any], category: str, words: str
    ) -> None:
        rows, (poison,) = rows_of(TARGET, [{"id": 1}, record], {})
        assert list(rows.indices) == [0]
        assert (poison.index, poison.category) == (1, category)
        assert words in poison.message

    def test_a_long_list_of_unknown_fields_is_cut(self) -> None:
        record = {"id": 1} | {"f" * 500 + str(i): i for i in range(50)}
        _, (poison,) = rows_of(TARGET, [record], {})
        assert len(poison.message) < 700
        assert "45 more" in poison.message

    def test_input_is_not_changed(self) -> None:
        target = replace(
            TARGET,
            unknown_fields="payload",
            columns=(*TARGET.columns, Column("payload", "jsonb")),
        )
        record = {"id": 1, "x": 1, "payload": {"own": 2}}
        rows, _ = rows_of(target, [record], {})
        assert rows.values == [{"id": 1, "payload": {"own": 2, "x": 1}}]
        assert record == {"id": 1, "x": 1, "payload": {"own": 2}}


class TestRunsOf:
    RECORDS: ClassVar = [{"id": 1, "a": "x"}, {"id": 2, "b": "y"}, {"id": 3, "a": "z"}]

    def test_the_order_of_rows_is_kept(self) -> None:
        rows, _ = rows_of(UPDATE, self.RECORDS, {})
        assert [list(block.indices) for block in runs_of(UPDATE, rows)] == [[0], [1], [2]]

    def test_rows_that_are_alike_are_one_run(self) -> None:
        rows, _ = rows_of(TARGET, self.RECORDS, {})
        (block,) = runs_of(TARGET, rows)
        assert list(block.cells) == [[1, 2, 3], ["x", None, "z"], [None, "y", None]]

    def test_nothing_gives_no_run(self) -> None:
        assert runs_of(TARGET, Rows([], [])) == []


def test_picked_rows_keep_their_cells_and_the_order_asked_for() -> None:
    rows, _ = rows_of(TARGET, [{"id": 1, "a": "x"}, {"id": 2, "a": "y"}], {})
    chosen = picked(rows, [1, 0])
    assert (chosen.indices, chosen.cells("a")) == ([1, 0], ["y", "x"])
    assert chosen.values == [{"id": 2, "a": "y"}, {"id": 1, "a": "x"}]
