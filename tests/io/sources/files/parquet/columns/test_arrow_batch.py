"""Rows that are not made yet are those that are made one by one; what may not be read is left to that way."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from sources.files.parquet.arrow_rows import encoder_of, rows_of
from sources.files.parquet.columns.arrow_batch import FEWEST, ArrowBatch, arrow_batch_of

STRUCT = pa.struct([("k", pa.int64()), ("s", pa.string())])
AT = dt.datetime(2026, 11, 27, 12, 0, 0, 250, tzinfo=dt.UTC)

PLAIN: dict[str, tuple[Any, list[Any]]] = {
    "integer": (pa.uint16(), [0, 65_535, None]),
    "boolean": (pa.bool_(), [True, False, None]),
    "decimal": (pa.decimal128(12, 7), [Decimal("0E-7"), Decimal("-1.5000000"), None]),
    "float": (pa.float64(), [1.0, float("nan"), float("-inf"), None]),
    "text": (pa.string(), ["", "\0\\\t\n", "é\u2028", None]),
    "instant": (pa.timestamp("us", "Europe/Berlin"), [AT, None]),
    "without a zone": (pa.timestamp("ms"), [dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31), None]),
    "date": (pa.date32(), [dt.date(1, 1, 1), dt.date(9999, 12, 31), None]),
    "struct": (STRUCT, [{"k": 1, "s": "a"}, {"k": None, "s": None}, None]),
}


def batch(of_type: Any, values: list[Any]) -> pa.RecordBatch:
    column = pa.array((values * FEWEST)[: max(FEWEST, len(values))], of_type)
    return pa.RecordBatch.from_arrays([column], ["c"])


def arrow_batch(rows: pa.RecordBatch, limit: int = 1_000, most: int = 100_000) -> ArrowBatch | None:
    return arrow_batch_of(rows, encoder_of(rows.schema), frozenset(), limit, most)


@pytest.mark.parametrize("name", PLAIN)
def test_rows_and_their_bytes_are_those_that_are_made_one_by_one(name: str) -> None:
    rows = batch(*PLAIN[name])
    for part in (rows, rows.slice(0, FEWEST)):
        whole = arrow_batch(part)
        wanted = rows_of(part, encoder_of(part.schema))
        assert whole is not None
        assert repr(list(whole.values)) == repr(wanted.values)
        assert repr(whole.values[1]) == repr(wanted.values[1])
        assert list(whole.raws) == wanted.raws
        assert whole.raws.estimate >= sum(map(len, wanted.raws)) // 4


def test_text_that_is_no_utf_8_is_left_to_the_other_way() -> None:
    texts = pa.array([b"\xff"] * FEWEST, pa.binary()).view(pa.string())
    assert arrow_batch(pa.RecordBatch.from_arrays([texts], ["c"])) is None
    inside = pa.StructArray.from_arrays([texts], ["s"])
    assert arrow_batch(pa.RecordBatch.from_arrays([inside], ["c"])) is None


@pytest.mark.parametrize(
    ("of_type", "value"),
    [
        (pa.timestamp("us"), 2**62),
        (pa.timestamp("s"), -(2**63)),
        (pa.timestamp("ns"), 1),
        (pa.date32(), 2**31 - 1),
        (pa.date32(), -719_163),
        (pa.list_(pa.int64()), [1]),
        (pa.binary(), b"a"),
        (pa.time64("us"), 1),
        (pa.float16(), 1.0),
        (pa.map_(pa.string(), pa.int64()), [("a", 1)]),
        (pa.struct([]), {}),
        (pa.null(), None),
    ],
)
def test_what_may_have_no_value_is_left_to_the_other_way(of_type: Any, value: Any) -> None:
    assert arrow_batch(batch(of_type, [value])) is None


def test_rows_that_may_be_too_large_are_left_to_the_other_way() -> None:
    rows = batch(pa.string(), ["x"] * (FEWEST - 1) + ["x" * 200])
    assert arrow_batch(rows, limit=2_000) is not None
    assert arrow_batch(rows, limit=1_000) is None
    assert arrow_batch(rows, limit=2_000, most=300) is None


def test_few_rows_and_rows_without_columns_are_left_to_the_other_way() -> None:
    assert arrow_batch(batch(pa.int64(), [1]).slice(1)) is None
    rows: Any = pa.array([{}] * FEWEST, pa.struct([]))
    empty = pa.RecordBatch.from_struct_array(rows)
    assert arrow_batch(empty) is None
