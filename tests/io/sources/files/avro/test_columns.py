from __future__ import annotations

import math
from typing import Any

import pytest

from sources.files.avro.columns import evidence, rows_of
from sources.files.parquet.arrow_rows import Rows
from transforms.errors import Reject
from transforms.parse.avro.shapes import Shape
from transforms.parse.typed_rows import RowEncoder, decode


def rows(shape: Shape, *values: Any, recursive: bool = False) -> Rows:
    records = [{"v": value} for value in values]
    return rows_of(records, {"v": shape}, RowEncoder({"v": shape.kind}), recursive=recursive)


def refuse(value: int) -> int:
    if value < 0:
        raise ValueError("below zero")
    return value * 2


def test_values_are_converted_and_given_back_by_their_bytes() -> None:
    result = rows(Shape("float", None, "double"), 1.5, math.inf, None, 1e308)
    assert [row["v"] for row in result.values] == [1.5, math.inf, None, 1e308]
    assert [decode(raw)["v"] for raw in result.raws] == [1.5, math.inf, None, 1e308]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_float_that_json_lacks_is_kept(value: float) -> None:
    (raw, _) = rows(Shape("float", None, "double"), value, -value).raws
    assert repr(decode(raw)["v"]) == repr(value)


def test_one_bad_value_costs_one_row_and_names_its_column() -> None:
    result = rows(Shape(None, refuse, "long"), 1, -1, 3)
    assert [row["v"] for row in result.values] == [2, None, 6]
    assert result.faults == {1: "column 'v' (string): below zero"}
    with pytest.raises(Reject, match="below zero"):
        decode(result.raws[1])
    assert b'"stored":-1' in result.raws[1]


def test_text_that_is_not_utf_8_costs_one_row() -> None:
    result = rows(Shape(None, None, "string"), "a", "b\udcff", "c")
    assert result.faults == {1: "column 'v' (string): the text is not UTF-8"}
    assert b'{"hex":"62ff"}' in result.raws[1]
    assert decode(result.raws[2]) == {"v": "c"}


def test_what_is_nested_too_deep_costs_one_row() -> None:
    deep: Any = None
    for _ in range(150):
        deep = {"next": deep}
    result = rows(Shape("any", None, "T"), {"next": None}, deep, recursive=True)
    assert list(result.faults) == [1]
    assert "deeper than 100" in result.faults[1]


def test_evidence_is_what_is_stored() -> None:
    stored = {"k": [b"\xff", "t", math.nan, 1, None]}
    assert evidence(stored) == [["k", [{"hex": "ff"}, "t", "nan", 1, None]]]
