"""Cells of Arrow are the values that they stand for, wherever they are cut or put together."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from transforms.parse.columns.arrow_cells import ArrowCells


def cells(values: list[Any], of_type: Any = None) -> ArrowCells:
    return ArrowCells(pa.array(values, of_type or pa.int64()), lambda array: array.to_pylist())


def test_cells_are_values_where_one_is_asked_for() -> None:
    column = cells([1, None, 3])
    assert [*column, column[2], len(column)] == [1, None, 3, 3, 3]
    assert column[::2] == [1, 3]


def test_a_slice_stays_as_arrow_has_it() -> None:
    piece = cells([1, None, 3])[1:9]
    assert isinstance(piece, ArrowCells)
    assert list(piece) == [None, 3]
    assert len(cells([1])[5:9]) == 0


def test_cells_of_one_type_are_joined_as_arrow_has_them() -> None:
    whole = cells([1]).joined([cells([2]), cells([None])])
    assert isinstance(whole, ArrowCells)
    assert list(whole) == [1, 2, None]


def test_cells_of_other_types_are_joined_as_values() -> None:
    assert cells([1]).joined([cells(["a"], pa.string()), [None]]) == [1, "a", None]


def test_a_text_is_looked_for_in_texts_and_in_other_values() -> None:
    texts = cells(["", "a", None, ""], pa.string())
    assert texts.positions_of("") == [0, 3]
    behind = texts[1:]
    assert isinstance(behind, ArrowCells)
    assert behind.positions_of("") == [2]
    assert cells([1, 2]).positions_of("1") == []


def test_cells_that_are_taken_out_are_null() -> None:
    behind = cells(["", "a", None, "b"], pa.string())[1:]
    assert isinstance(behind, ArrowCells)
    rest = behind.without([0])
    assert isinstance(rest, ArrowCells)
    assert list(rest) == [None, None, "b"]
    assert rest.has_null


def test_picked_cells_are_in_the_order_of_their_positions() -> None:
    assert list(cells([1, None, 3]).picked([2, 1, 2])) == [3, None, 3]
