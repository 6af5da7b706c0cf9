"""What Arrow gives COPY in its binary format is to the server what ``arrow_text`` writes."""

from __future__ import annotations

import datetime as dt
import io
import uuid
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import psycopg2
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.text.arrow_binary import PIECE, binary_of
from sinks.text.arrow_text import JSONB_TEXT, lines_of
from sinks.text.copy_text import encode_json_texts, encoder_of
from transforms.parse.columns.arrow_cells import ArrowCells

PAIR = pa.struct([("k", pa.int64()), ("s", pa.string())])
DEEP = pa.struct([("p", PAIR), ("d", pa.decimal128(18, 2)), ("b", pa.bool_())])
UUIDS = [str(uuid.UUID(int=number)) for number in (0, 1, 2**128 - 1, 0xABCDEF << 96)]
AT = dt.datetime(2026, 11, 27, 12, 0, 0, 1, tzinfo=dt.UTC)
NAIVE = [dt.datetime(1, 1, 1), dt.datetime(1999, 12, 31, 23, 59, 59), dt.datetime(9999, 12, 31)]
CENTS = ["0.00", "-0.01", "0.99", "1.00", "9999.99", "10000.00", "-10000.01", "9999999999999999.99"]

TAKEN: list[tuple[str, Any, list[Any]]] = [
    ("int2", pa.int64(), [0, -1, 32_767, -32_768]),
    ("int4", pa.uint8(), [0, 255]),
    ("int4", pa.int64(), [2**31 - 1, -(2**31)]),
    ("int8", pa.int64(), [2**63 - 1, -(2**63), 0]),
    ("int8", pa.uint64(), [2**63 - 1]),
    ("bool", pa.bool_(), [True, False]),
    ("float8", pa.float64(), [0.1, -0.0, 1e300, 5e-324, float("nan"), float("-inf")]),
    ("uuid", pa.string(), [*UUIDS, UUIDS[3].upper()]),
    ("int8", pa.string(), ["0", "-1", "9223372036854775807", "-9223372036854775808"]),
    ("int2", pa.string(), ["0", "-32768"]),
    ("numeric", pa.string(), ["1", "1.50", "-0.001", ".5", "5.", "007", "-0", "0.0"]),
    ("numeric(9, 1)", pa.string(), ["1", "1.55", "-0.049"]),
    ("bool", pa.string(), ["true", "false"]),
    ("date", pa.string(), ["2026-01-31", "0001-01-01", "9999-12-31"]),
    ("timestamptz", pa.string(), ["2026-01-31T10:15:00Z", "0001-01-01 00:00:00.000001+00:00"]),
    ("timestamptz(0)", pa.string(), ["2026-01-31T10:15:00.5Z", "2026-01-31T10:15:01.5Z"]),
    ("timestamp", pa.string(), ["2026-01-31T10:15:00", "9999-12-31 23:59:58.999999"]),
    ("text", pa.string(), ["", "é\u2028", "\\N", "\t\n\r\\", "\x01", "x" * 3_000]),
    ("varchar(3)", pa.string(), ["abc", ""]),
    ("bpchar", pa.string(), ["ab  ", " a"]),
    ("date", pa.date32(), [dt.date(1, 1, 1), dt.date(9999, 12, 31), dt.date(2000, 1, 1)]),
    ("timestamp", pa.timestamp("us"), NAIVE),
    ("timestamp", pa.timestamp("ms"), NAIVE),
    ("timestamp", pa.timestamp("us", "Asia/Tokyo"), [AT]),
    ("timestamptz", pa.timestamp("us", "UTC"), [AT, AT.replace(year=1), AT.replace(year=9999)]),
    ("timestamptz", pa.timestamp("s", "Europe/Berlin"), [AT.replace(microsecond=0)]),
    ("timestamptz(2)", pa.timestamp("us", "UTC"), [AT.replace(microsecond=15_000), AT]),
    ("numeric", pa.decimal128(18, 2), list(map(Decimal, CENTS))),
    ("numeric(20, 1)", pa.decimal128(18, 2), list(map(Decimal, CENTS))),
    ("numeric", pa.decimal128(38, 0), [Decimal(0), Decimal(10**18 - 1), Decimal(-(10**17))]),
    ("numeric", pa.decimal128(18, 16), [Decimal("0." + "0" * 15 + "1"), Decimal("-9." + "9" * 16)]),
    ("numeric", pa.decimal128(18, 7), [Decimal("0E-7"), Decimal("-1.0000001"), Decimal("1E+4")]),
    ("jsonb", PAIR, [{"k": 1, "s": "é"}, {"k": None, "s": None}, {"k": -1, "s": ""}]),
    ("jsonb", DEEP, [{"p": None, "d": Decimal("1.50"), "b": True}, {"p": {"k": 1, "s": "a"}}]),
]

LEFT: list[tuple[str, Any, list[Any]]] = [
    ("int2", pa.int64(), [32_768]),
    ("int8", pa.uint64(), [2**63]),
    ("int8", pa.string(), ["1", "01"]),
    ("int8", pa.string(), ["0x10"]),
    ("int2", pa.string(), ["32768"]),
    ("numeric", pa.string(), ["1e5"]),
    ("numeric", pa.string(), ["NaN"]),
    ("numeric", pa.string(), [""]),
    ("numeric", pa.string(), ["1" * 19]),
    ("bool", pa.string(), ["true", "t"]),
    ("date", pa.string(), ["2026-01-31", "20260131"]),
    ("date", pa.string(), ["0000-12-31"]),
    ("timestamptz", pa.string(), ["2026-01-31T10:15:00"]),
    ("timestamptz", pa.string(), ["2026-01-31T10:15:00+16:00"]),
    ("timestamptz", pa.string(), ["2026-01-31T10:15Z"]),
    ("timestamptz", pa.string(), ["2026-01-31T10:15:00.1234567Z"]),
    ("timestamptz", pa.string(), ["2026-01-31T23:59:60Z"]),
    ("timestamptz", pa.string(), ["0000-01-31T10:15:00Z"]),
    ("timestamp", pa.string(), ["2026-01-31T10:15:00Z"]),
    ("timestamp", pa.string(), ["2026-01-31 10:15"]),
    ("time", pa.string(), ["10:15"]),
    ("float8", pa.string(), ["0.1"]),
    ("text", pa.int64(), [1]),
    ("text", pa.string(), ["\0"]),
    ("uuid", pa.string(), ["6f9619ff8b86d011b42d00cf4fc964ff"]),
    ("uuid", pa.string(), [UUIDS[0] + "0", UUIDS[0][:-1]]),
    ("uuid", pa.string(), [UUIDS[0].replace("-0", "0-")]),
    ("uuid", pa.string(), [UUIDS[0][:-1] + "g"]),
    ("uuid", pa.string(), [UUIDS[0][:-1] + " "]),
    ("uuid", pa.string(), [UUIDS[0][:-1] + "-"]),
    ("float4", pa.float64(), [0.1]),
    ("timestamptz", pa.timestamp("us"), NAIVE),
    ("timestamptz", pa.timestamp("ns", "UTC"), [AT]),
    ("timestamptz", pa.date32(), [dt.date(2026, 1, 1)]),
    ("timestamp", pa.timestamp("s"), [253_402_300_800]),
    ("timestamp", pa.timestamp("us"), [-62_135_596_800_000_001]),
    ("date", pa.date32(), [2_932_897]),
    ("numeric", pa.decimal128(38, 2), [Decimal(10**18)]),
    ("numeric", pa.decimal128(38, 0), [Decimal(2**64)]),
    ("numeric", pa.decimal128(38, -2), [Decimal(100)]),
    ("numeric", pa.decimal128(18, 17), [Decimal("0." + "9" * 17)]),
    ("numeric", pa.float64(), [0.1]),
    ("json", PAIR, [{"k": 1, "s": "a"}]),
    ("jsonb", PAIR, [{"k": 1, "s": '"'}]),
    ("jsonb", PAIR, [{"k": 1, "s": "\\"}]),
    ("bytea", pa.binary(), [b"a"]),
    ("mood", pa.string(), ["ok"]),
]


def cells(values: list[Any], of_type: Any) -> ArrowCells:
    """Values in the middle of an array."""
    array = pa.concat_arrays([pa.array([None], of_type), pa.array([*values, None], of_type)])
    return ArrowCells(array.slice(1, len(values)), lambda part: part.to_pylist())


def kind_of(column: str) -> str:
    return column.partition("(")[0]


@pytest.fixture(scope="module")
def cursor(postgres_server: str) -> Iterator[Any]:
    with closing(psycopg2.connect(postgres_server)) as connection:
        yield connection.cursor()


def loaded(cursor: Any, columns: str, data: bytes, form: str) -> bytes:
    """What a table of ``columns`` has after COPY."""
    cursor.execute(f"CREATE TEMP TABLE got ({columns})")
    cursor.copy_expert(f"COPY got FROM STDIN (FORMAT {form})", io.BytesIO(data))
    rows = io.BytesIO()
    cursor.copy_expert("COPY got TO STDOUT", rows)
    cursor.execute("DROP TABLE got")
    return rows.getvalue()


@pytest.mark.parametrize("nulls", [False, True], ids=["without null", "with null"])
@pytest.mark.parametrize(("column", "of_type", "values"), TAKEN, ids=range(len(TAKEN)))
def test_the_server_reads_the_same_values_as_from_texts(
    cursor: Any, column: str, of_type: Any, values: list[Any], nulls: bool
) -> None:
    kinds = ["int4", kind_of(column), "text"]
    rows = [None, *values, None, None] if nulls else values
    columns = [
        cells(list(range(len(rows))), pa.int32()),
        cells(rows, of_type),
        cells(["a"] * len(rows), pa.string()),
    ]
    data = binary_of(kinds, columns)
    assert data is not None
    texts = lines_of(kinds, columns, list(map(encoder_of, kinds)))
    table = f"n int4, c {column}, t text"
    assert loaded(cursor, table, data, "binary") == loaded(cursor, table, texts, "text")


@pytest.mark.parametrize(("column", "of_type", "values"), LEFT, ids=range(len(LEFT)))
def test_what_may_be_another_value_is_left_to_texts(
    column: str, of_type: Any, values: list[Any]
) -> None:
    if all(type(value) is int for value in values) and not pa.types.is_integer(of_type):
        width = pa.int32() if pa.types.is_date32(of_type) else pa.int64()
        array = pa.array(values, width).view(of_type)
        assert binary_of([column], [ArrowCells(array, lambda part: part.to_pylist())]) is None
        return
    assert binary_of([column], [cells(values, of_type)]) is None


def test_cells_that_arrow_does_not_have_are_left_to_texts() -> None:
    assert binary_of(["int4", "int4"], [cells([1], pa.int32()), [1]]) is None


def test_rows_of_several_pieces_are_in_their_order(cursor: Any) -> None:
    numbers = list(range(2 * PIECE + 1))
    data = binary_of(["int8"], [cells(numbers, pa.int64())])
    assert data is not None
    rows = loaded(cursor, "n int8", data, "binary")
    assert rows == "".join(f"{number}\n" for number in numbers).encode()


def test_texts_of_json_are_what_the_server_reads_of_them(cursor: Any) -> None:
    columns = [cells(['{"k": 1.50}', None, '"é"', "[null]"], pa.string())]
    data = binary_of([JSONB_TEXT], columns)
    assert data is not None
    texts = lines_of([JSONB_TEXT], columns, [encode_json_texts])
    assert loaded(cursor, "j jsonb", data, "binary") == loaded(cursor, "j jsonb", texts, "text")


READ = {
    "int8": st.text("0123456789-+x ", min_size=1, max_size=20),
    "int4": st.integers(-(2**32), 2**32).map(str),
    "numeric": st.text("0123456789.-+e", min_size=1, max_size=20),
    "bool": st.sampled_from(["true", "false", "t", "TRUE", "1", ""]),
    "date": st.dates().map(str) | st.text("0123456789-", min_size=10, max_size=10),
    "timestamptz": st.datetimes().map(lambda at: at.isoformat() + "Z")
    | st.tuples(
        st.text("0129-:T .", min_size=19, max_size=26), st.sampled_from(["Z", "+00:00", "+01"])
    ).map("".join)
    | st.tuples(st.datetimes(), st.text("0.,+-:Z ", max_size=9)).map(
        lambda each: f"{each[0]}{each[1]}Z"
    ),
    "timestamp": st.datetimes().map(str)
    | st.tuples(st.datetimes(), st.text("0.,+-:Z ", max_size=9)).map(
        lambda each: f"{each[0]}{each[1]}"
    ),
}


@pytest.mark.parametrize("kind", READ)
@settings(max_examples=300)
@given(data=st.data())
def test_any_text_that_is_read_here_is_the_value_that_the_server_reads(
    cursor: Any, kind: str, data: st.DataObject
) -> None:
    column = cells(data.draw(st.lists(READ[kind], min_size=1, max_size=3)), pa.string())
    read = binary_of([kind], [column])
    if read is not None:
        texts = lines_of([kind], [column], [encoder_of(kind)])
        here, there = (
            loaded(cursor, f"c {kind}", *each) for each in ((read, "binary"), (texts, "text"))
        )
        assert here == there
