"""Values as DuckDB keeps them: exact, or refused with a line that says why."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import duckdb
import pytest

from sinks.table.duckdb.values import column, encoding_of

EAST = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("declared", "value", "kept"),
    [
        ("integer", 7, 7),
        ("integer", True, 1),
        ("integer", 7.0, 7),
        ("bigint", Decimal("1e3"), 1000),
        ("integer", " 12 ", 12),
        ("hugeint", 2**126, 2**126),
        ("boolean", "yes", True),
        ("boolean", False, False),
        ("boolean", 0, False),
        ("decimal(10,2)", Decimal("1.500"), Decimal("1.50")),
        ("decimal(10,2)", 0.1, Decimal("0.10")),
        ("decimal(10,2)", "7", Decimal("7.00")),
        ("decimal(38,10)", Decimal("12345678901234567890.0123456789"), Decimal("12345678901234567890.0123456789")),
        ("double", Decimal("0.1"), 0.1),
        ("double", 1e300, 1e300),
        ("float", 0.5, 0.5),
        ("timestamp with time zone", "2024-01-01T00:00:00+02:00", datetime(2023, 12, 31, 22, tzinfo=UTC)),
        ("timestamp with time zone", "2024-01-01T00:00:00.1Z", datetime(2024, 1, 1, 0, 0, 0, 100_000, UTC)),
        ("timestamp with time zone", "2024-01-01 10:30", datetime(2024, 1, 1, 10, 30, tzinfo=UTC)),
        ("timestamp with time zone", "2024-01-01T00:00:00.1234560+02:00", datetime(2023, 12, 31, 22, 0, 0, 123_456, UTC)),
        ("timestamp with time zone", datetime(2024, 1, 1, 1, tzinfo=EAST), datetime(2023, 12, 31, 23, tzinfo=UTC)),
        ("timestamp", datetime(2024, 1, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, 1)),
        ("timestamp_s", "2024-01-01T01:00:00Z", datetime(2024, 1, 1, 1)),
        ("timestamp", date(2024, 1, 1), datetime(2024, 1, 1)),
        ("date", "2024-01-31T00:00:00Z", date(2024, 1, 31)),
        ("date", datetime(2024, 1, 31), date(2024, 1, 31)),
        ("time", time(10, 15, 0, 5), time(10, 15, 0, 5)),
        ("time", "10:15:00.5Z", time(10, 15, 0, 500_000)),
        ("varchar", "a\U0001f600b\x00", "a\U0001f600b\x00"),
        ("varchar", Decimal("1.10"), "1.10"),
        ("blob", b"\x00'\\", b"\x00'\\"),
        ("enum('a', 'it''s')", "it's", "it's"),
        ("uuid", "{6F9619FF-8B86-D011-B42D-00CF4FC964FF}", UUID("6f9619ff-8b86-d011-b42d-00cf4fc964ff")),
        ("json", {"a": Decimal("1.00000000000000000001")}, '{"a":1.00000000000000000001}'),
        ("integer[]", [1, None, 2.0], [1, None, 2]),
    ],
)  # fmt: skip
def test_a_value_is_kept_as_it_is(declared: str, value: Any, kept: Any) -> None:
    array = column(declared, [value, None])
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("cells", _table(array))
    cell = f"CAST(v AS {declared})" if encoding_of(declared).cast else "v"
    rows = connection.execute(f"SELECT {cell} FROM cells").fetchall()
    assert rows == [(kept,), (None,)]


def _table(array: Any) -> Any:
    import pyarrow as pa

    return pa.table({"v": array})


@pytest.mark.parametrize(
    ("declared", "value", "why"),
    [
        ("integer", 1.5, "'1.5' is not a whole number"),
        ("integer", "1.5", "'1.5' is not a whole number"),
        ("integer", "x", "'x' is not a whole number"),
        ("integer", 2**31, "is not within the bounds of INTEGER"),
        ("utinyint", -1, "is not within the bounds of UTINYINT"),
        ("bigint", 10**200, "the number has more than 100 digits"),
        ("bigint", Decimal("1e5000"), "the number has more than 100 digits"),
        ("decimal(10,2)", Decimal("1.005"), "'1.005' has more digits than the 2"),
        ("decimal(10,2)", Decimal("123456789.5"), "than the 8 that the column keeps before the point"),
        ("decimal(10,2)", math.nan, "'nan' is not a number"),
        ("double", Decimal("1e400"), "'1E.400' is too large"),
        ("double", "x", "'x' is not a number"),
        ("boolean", 2, "'2' is not true or false"),
        ("timestamp", 1700000101, "send ISO 8601 text"),
        ("timestamp", "now", "send ISO 8601 text"),
        ("timestamp with time zone", "2024-02-30T00:00:00Z", "day is out of range"),
        ("timestamp with time zone", "2024-01-01T00:00:00.1234567Z", "keeps 6 digits of a second"),
        ("timestamp_s", "2024-01-01T00:00:00.1Z", "keeps whole seconds only"),
        ("timestamp_ms", datetime(2024, 1, 1, 0, 0, 0, 1), "keeps 3 digits of a second"),
        ("date", "2024-01-31T01:00:00Z", "has a time, and the column keeps dates only"),
        ("date", 20240131, "send ISO 8601 text"),
        ("time", "10:15:00+02:00", "has a time zone, which the column cannot keep"),
        ("time", 5, "send ISO 8601 text"),
        ("varchar", "\ud800", "surrogates not allowed"),
        ("enum('a', 'b')", "1", "'1' is none of the column's words"),
        ("uuid", "x", "badly formed"),
        ("integer[]", [1.5], "'1.5' is not a whole number"),
        ("integer[]", 1, "'1' is not a list"),
        ("struct(a integer)", {"a": 1}, "takes text only"),
    ],
)  # fmt: skip
def test_a_value_that_would_be_changed_is_refused(declared: str, value: Any, why: str) -> None:
    with pytest.raises((ValueError, ArithmeticError, TypeError), match=why):
        column(declared, [value])


@pytest.mark.parametrize("declared", ["bigint", "decimal(38,10)", "varchar", "uuid", "integer[]"])
def test_a_column_may_have_nothing(declared: str) -> None:
    assert column(declared, [None, None]).to_pylist() == [None, None]
    assert column(declared, []).to_pylist() == []


def test_numbers_of_several_kinds_are_one_column() -> None:
    kept = column("decimal(9,1)", [1, Decimal("2.0"), Decimal("2.50"), 0.5, "3"]).to_pylist()
    assert kept == [1, 2, Decimal("2.5"), Decimal("0.5"), 3]


@pytest.mark.parametrize(
    "text",
    [
        "0000-12-31T23:59:59Z",  # Python has no year 0
        "0001-01-01T00:00:00+01:00",  # is in it
        "2026-01-01T00Z",  # Arrow reads it
        "2026-01-01T00:00:00.1234567Z",
        "2026-02-30T00:00:00Z",
    ],
)
def test_an_instant_that_arrow_or_duckdb_would_take_and_nobody_else_is_refused(text: str) -> None:
    for values in ([text], ["2026-01-01T00:00:00Z", text]):
        with pytest.raises((ValueError, OverflowError)):
            column("timestamp with time zone", values)


def test_null_in_json_is_null_of_the_database() -> None:
    values = [{"a": "x\ny"}, None, [1], "null", Decimal("1.10")]
    assert column("json", values).to_pylist() == ['{"a":"x\\ny"}', None, "[1]", '"null"', "1.10"]
    assert column("json", values[2:]).to_pylist() == ["[1]", '"null"', "1.10"]


def test_bytes_among_texts_are_read_as_texts() -> None:
    assert column("varchar", ["a", b"b"]).to_pylist() == ["a", "b"]
    with pytest.raises(ValueError, match="utf-8"):
        column("varchar", ["a", b"\xff"])
