from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from sources.files.parquet.arrow_types import has_unwritten, kind_of, leaves


@pytest.mark.parametrize(
    ("arrow_type", "kind"),
    [
        (pa.int64(), None),
        (pa.large_string(), None),
        (pa.uuid(), None),
        (pa.float32(), "float"),
        (pa.binary(2), "bytes"),
        (pa.dictionary(pa.int8(), pa.date32()), "date"),
        (pa.list_(pa.int64()), None),
        (pa.large_list(pa.decimal256(60, 0)), ["list", "decimal"]),
        (pa.struct([("n", pa.int64()), ("t", pa.time64("us"))]), ["struct", {"t": "time"}]),
        (pa.struct([("n", pa.int64())]), None),
        (pa.map_(pa.string(), pa.int64()), ["map", None, None]),
    ],
)
def test_a_kind_names_what_json_cannot_tell_apart(arrow_type: Any, kind: Any) -> None:
    assert kind_of(arrow_type) == kind


def test_leaves_are_the_values_at_any_depth() -> None:
    column = pa.array([[{"a": 1, "b": ["x", "y"]}], [{"a": 2, "b": []}]])
    assert [leaf.to_pylist() for leaf in leaves(column)] == [[1, 2], ["x", "y"]]


@pytest.mark.parametrize(
    ("column", "unwritten"),
    [
        (pa.array([1.5, None]), False),
        (pa.array([1.5, float("nan")]), True),
        (pa.array([[1.5], [float("inf")]]), True),
        (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), False),
        (pa.array([[(1, "a")]], pa.map_(pa.int64(), pa.string())), True),
    ],
)
def test_json_lacks_infinities_and_keys_other_than_text(column: Any, unwritten: bool) -> None:
    assert has_unwritten(column) is unwritten
