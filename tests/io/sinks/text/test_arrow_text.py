"""What Arrow writes for COPY is what ``copy_text`` writes, or the same value to the column."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.text.arrow_text import JSONB_TEXT, PIECE, lines_of
from sinks.text.copy_text import copy_data, encode_json_texts, encoder_of
from sources.files.parquet.arrow_columns import values_of
from transforms.parse.columns.arrow_cells import ArrowCells

KINDS = [
    *("text", "uuid", "int4", "int8", "numeric", "float8", "float4", "bool", "timestamptz"),
    *("timestamp", "date", "time", "jsonb", "json", "bytea", "_text"),
    *("interval", "tstzrange", "_date", "inet"),
]

_TEXT = st.sampled_from(
    [*("", "a", "\\", "\\N", "\t", "\n", "\r", "\0", "é", '"', "\x01", "\x7f", "null", "1")]
)
_NUMBERS = st.integers(-(2**63), 2**63 - 1)
_CENTS = st.decimals(-(10**8), 10**8, places=2, allow_nan=False)
_TINY = st.decimals(-10, 10, places=7, allow_nan=False)
_MOMENTS = st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30))
_PAIR = pa.struct([("k", pa.int64()), ("s", pa.string()), ("d", pa.decimal128(18, 2))])
_NESTED = pa.struct([("p", pa.struct([("b", pa.bool_())])), ("f", pa.float64())])

CASES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (pa.string(), _TEXT),
    (pa.string(), st.text("ab", max_size=3)),
    (pa.string(), st.sampled_from(["2026-01-31T10:15:00Z", "2026-01-31", "10:15", "", "P1D"])),
    (pa.string(), st.sampled_from(["now", "20260131", "31/01/2026", "1700000000", "5", "é" * 12])),
    (pa.int64(), _NUMBERS),
    (pa.uint8(), st.integers(0, 255)),
    (pa.bool_(), st.booleans()),
    (pa.decimal128(18, 2), _CENTS),
    (pa.decimal128(18, 7), _TINY),
    (pa.float64(), st.floats()),
    (pa.timestamp("us", "UTC"), _MOMENTS.map(lambda at: at.replace(tzinfo=dt.UTC))),
    (pa.timestamp("us", "Europe/Berlin"), _MOMENTS.map(lambda at: at.replace(tzinfo=dt.UTC))),
    (pa.timestamp("us"), _MOMENTS),
    (pa.timestamp("s"), _MOMENTS.map(lambda at: at.replace(microsecond=0))),
    (pa.date32(), st.dates()),
    (_PAIR, st.fixed_dictionaries({"k": st.none() | _NUMBERS, "s": _TEXT, "d": _CENTS})),
    (_PAIR, st.fixed_dictionaries({"k": _NUMBERS, "s": st.none() | st.just("é"), "d": _CENTS})),
    (_NESTED, st.fixed_dictionaries({"p": st.just({"b": True}), "f": st.floats()})),
]


def cells(values: list[Any], of_type: Any) -> ArrowCells:
    array = pa.concat_arrays([pa.array([None], of_type), pa.array(values, of_type)]).slice(1)
    return ArrowCells(array, lambda part: values_of(part, far=True).values)


def outcome(write: Callable[[], bytes]) -> bytes | str:
    try:
        return write()
    except (ValueError, TypeError, ArithmeticError) as error:
        return f"{type(error).__name__}: {error}"


def value_in(kind: str, text: str) -> Any:
    """What a column of a type makes of a text."""
    if text == "\\N":
        return None
    if kind in ("float8", "float4"):
        return repr(float(text))
    if kind == "jsonb":
        return json.loads(text.replace("\\\\", "\\"), parse_float=Decimal)
    if kind in ("timestamp", "timestamptz", "date") and text[:1].isdigit():
        return dt.datetime.fromisoformat(text)
    return text


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(data=st.data())
def test_any_values_are_written_as_without_arrow(kind: str, data: st.DataObject) -> None:
    of_type, strategy = data.draw(st.sampled_from(CASES))
    column = cells(data.draw(st.lists(st.none() | strategy, min_size=1, max_size=4)), of_type)
    encoder = encoder_of(kind)
    wanted = outcome(lambda: copy_data(encoder(list(column))))
    got = outcome(lambda: lines_of([kind], [column], [encoder]))
    if isinstance(got, str) or isinstance(wanted, str):
        assert got == wanted
        return
    pairs = zip(got.decode().split("\n"), wanted.decode().split("\n"), strict=True)
    for one, other in pairs:
        assert one == other or value_in(kind, one) == value_in(kind, other)


def test_columns_that_arrow_does_not_write_stand_beside_those_that_it_writes() -> None:
    columns = [cells([1, 2], pa.int64()), ["x\t", None], cells([b"\0", None], pa.binary())]
    kinds = ["int8", "text", "bytea"]
    whole = lines_of(kinds, columns, list(map(encoder_of, kinds)))
    assert whole == b"1\tx\\t\t\\\\x00\n2\t\\N\t\\N\n"


def test_texts_of_json_are_escaped_as_without_arrow() -> None:
    texts = cells(['{"k":"\\n"}', None, "[1]", '"é"'], pa.string())
    wanted = copy_data(encode_json_texts(list(texts)))
    assert lines_of([JSONB_TEXT], [texts], [encode_json_texts]) == wanted


def test_lines_of_several_pieces_are_in_their_order() -> None:
    numbers = list(range(2 * PIECE + 1))
    whole = lines_of(["int8"], [cells(numbers, pa.int64())], [encoder_of("int8")])
    assert whole == "".join(f"{number}\n" for number in numbers).encode()
