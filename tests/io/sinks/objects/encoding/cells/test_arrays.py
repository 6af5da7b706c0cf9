from __future__ import annotations

from datetime import time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from sinks.objects.encoding.cells.arrays import array_of
from sinks.objects.encoding.cells.unfit import Unfit
from sinks.objects.encoding.column_types import (
    BOOLEAN,
    INTEGER,
    JSON_TEXT,
    TEXT,
    ColumnType,
    list_of,
    stored,
    struct_of,
)

CITY = struct_of([("city", TEXT), ("sizes", list_of(INTEGER))])


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        (TEXT, ["a", None, "", "\x00"]),
        (BOOLEAN, [True, None, False]),
        (CITY, [{"city": "x", "sizes": [1, None]}, None, {"city": None, "sizes": []}]),
        (list_of(list_of(INTEGER)), [[[1], None, []], None, []]),
        (list_of(CITY), [[{"city": "x", "sizes": None}, None]]),
        (stored(pa.binary()), [b"\xff", None]),
        (stored(pa.time64("us")), [time(12, 30), None]),
        (stored(pa.float64()), [0.5, float("inf"), None]),
    ],
)
def test_values_come_back_as_they_were(column: ColumnType, cells: list[Any]) -> None:
    array = array_of(column, cells)
    assert array.type == column.arrow
    assert array.to_pylist() == cells


def test_a_scalar_in_a_column_of_text_is_its_text_as_in_a_database() -> None:
    name = UUID(int=1)
    cells = [1, Decimal("1.50"), True, name, {"a": 1}]
    assert array_of(TEXT, cells).to_pylist() == ["1", "1.50", "true", str(name), '{"a":1}']


def test_a_field_that_a_struct_lacks_is_null() -> None:
    assert array_of(CITY, [{}]).to_pylist() == [{"city": None, "sizes": None}]


def test_pairs_are_a_map() -> None:
    column = ColumnType("map", pa.map_(pa.string(), pa.int64()))
    array = array_of(column, [{"a": 1}, [["b", 2], ["b", 3]], None])
    assert array.to_pylist() == [[("a", 1)], [("b", 2), ("b", 3)], None]


@pytest.mark.parametrize(
    ("column", "cell", "path", "reason"),
    [
        (TEXT, "\ud800", "", "the text has half of a surrogate pair, which UTF-8 cannot carry"),
        (TEXT, b"\xff", "", "bytes b'\\xff' is not text"),
        (BOOLEAN, 1, "", "1 is not true or false"),
        (INTEGER, 2**63, "", "9223372036854775808 is not an integer of 64 bits"),
        (ColumnType("integer", pa.uint8()), -1, "", "-1 is not an unsigned integer of 8 bits"),
        (JSON_TEXT, {"a": float("nan")}, "", "nan has no form in JSON"),
        (CITY, [], "", "list [] is not an object"),
        (CITY, {"sizes": 5}, ".sizes", "5 is not an array"),
        (CITY, {"sizes": [1] * 99 + ["x"]}, ".sizes[99]", "'x' is not an integer"),
        (list_of(CITY), [{}, {"city": b"\xff"}], "[1].city", "bytes b'\\xff' is not text"),
        (stored(pa.binary()), "text", "", "'text' is not a value of type binary"),
        (stored(pa.time64("us")), 5, "", "5 is not a value of type time64[us]"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_place(
    column: ColumnType, cell: Any, path: str, reason: str
) -> None:
    with pytest.raises(Unfit) as caught:
        array_of(column, [cell])
    assert (caught.value.path, caught.value.reason) == (path, reason)


def test_a_field_that_a_struct_has_no_place_for_is_refused_unless_it_is_ignored() -> None:
    with pytest.raises(Unfit) as caught:
        array_of(CITY, [{"zip": 1}])
    assert (caught.value.path, caught.value.category) == (".zip", "unknown_field")
    ignoring = struct_of(CITY.fields, ignoring=True)
    assert array_of(ignoring, [{"zip": 1, "city": "x"}]).to_pylist() == [
        {"city": "x", "sizes": None}
    ]
