"""Values as MariaDB's literals: exact, or refused with a line that says why."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from sinks.table.mariadb.literals import column, quoted_text

EAST = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("declared", "value", "literal"),
    [
        ("int(11)", 7, "7"),
        ("int(11)", True, "1"),
        ("int(11)", 7.0, "7"),
        ("bigint(20) unsigned", Decimal("1e3"), "1000"),
        ("int(11)", " 12 ", "12"),
        ("boolean", "yes", "1"),
        ("boolean", False, "0"),
        ("boolean", 2, "2"),
        ("decimal(10,2)", Decimal("1.500"), "1.5"),
        ("decimal(10,2)", 0.1, "0.1"),
        (
            "decimal(65,30)",
            Decimal("12345678901234567890.123456789"),
            "12345678901234567890.123456789",
        ),
        ("decimal(10,0)", Decimal("0E-999999999"), "0"),
        ("double", 0.1, "0.1e0"),
        ("double", 1e300, "1e+300"),
        ("double", 3, "3"),
        ("datetime(6)", "2024-01-01T00:00:00+02:00", "'2023-12-31 22:00:00'"),
        ("datetime(6)", "2024-01-01T00:00:00.123456Z", "'2024-01-01 00:00:00.123456'"),
        ("datetime(6)", "2024-01-01T00:00:00.1234560+02:00", "'2023-12-31 22:00:00.123456'"),
        ("timestamp", "2024-01-01T10:30Z", "'2024-01-01 10:30:00'"),
        ("datetime", datetime(2024, 1, 1, 1, tzinfo=EAST), "'2023-12-31 23:00:00'"),
        ("datetime", datetime(2024, 1, 1, 1, tzinfo=UTC), "'2024-01-01 01:00:00'"),
        ("datetime", date(2024, 1, 1), "'2024-01-01'"),
        ("date", "2024-01-31T00:00:00Z", "'2024-01-31'"),
        ("time(6)", time(10, 15, 0, 5), "'10:15:00.000005'"),
        ("time", "10:15:00Z", "'10:15:00'"),
        ("json", {"a": ["it's", "\\"]}, '\'{"a":["it\\\'s","\\\\\\\\"]}\''),
        ("varchar(3)", "a\U0001f600b", "'a\U0001f600b'"),
        ("varchar(9)", Decimal("1.10"), "'1.10'"),
        ("longtext", "\x00'\\", "'\x00\\'\\\\'"),
        ("longblob", b"\x00'\\", "X'00275c'"),
        ("binary(2)", b"ab", "X'6162'"),
        ("enum('a','it''s')", "it's", "'it\\'s'"),
        ("enum('1','2')", "2", "'2'"),
        (
            "uuid",
            "{6F9619FF-8B86-D011-B42D-00CF4FC964FF}",
            "'6f9619ff-8b86-d011-b42d-00cf4fc964ff'",
        ),
        ("uuid", UUID(int=1), "'00000000-0000-0000-0000-000000000001'"),
        ("year(4)", 2024, "2024"),
        ("inet6", "::1", "'::1'"),
        ("int(11)", None, "NULL"),
    ],
)
def test_a_value_keeps_what_it_is(declared: str, value: Any, literal: str) -> None:
    assert list(column(declared, [value])) == [literal]


@pytest.mark.parametrize(
    ("declared", "value", "why"),
    [
        ("int(11)", 1.5, "not a whole number"),
        ("int(11)", "1.5", "not a whole number"),
        ("int(11)", "x", "not a whole number"),
        ("int(11)", "\u0661", "not a whole number"),
        ("decimal(10,2)", 10**200, "more than 100 digits"),
        ("decimal(10,2)", Decimal("1.005"), "more digits than the 2"),
        ("decimal(10,2)", 0.125, "more digits than the 2"),
        ("decimal(10)", Decimal("0.5"), "more digits than the 0"),
        ("decimal(10,2)", Decimal("1e999999999"), "more than 100 digits"),
        ("decimal(10,2)", Decimal("NaN"), "not a number"),
        ("double", math.inf, "not a finite number"),
        ("double(10,2)", 0.125, "more digits than the 2"),
        ("datetime", "2024-01-01T00:00:00.5Z", "whole seconds only"),
        ("datetime(3)", datetime(2024, 1, 1, 0, 0, 0, 1500), "3 digits of a second"),
        ("datetime(6)", "2024-01-01T00:00:00.1234567Z", "6 digits of a second"),
        ("datetime(6)", 1700000000, "not certainly a timestamp"),
        ("datetime(6)", "01/02/2024", "not certainly a timestamp"),
        ("datetime(6)", "2024-01-01 00:00:00 tomorrow", "not certainly a timestamp"),
        ("datetime", datetime(1, 1, 1, tzinfo=EAST), "not a year between 1 and 9999"),
        ("date", "2024-01-01T10:00:00Z", "dates only"),
        ("date", datetime(2024, 1, 1, 10), "dates only"),
        ("date", 20240101, "not certainly a date"),
        ("time", "10:15:00+02:00", "has a time zone"),
        ("time", 1015, "not certainly a time"),
        ("varchar(3)", "abc ", "4 characters"),
        ("binary(4)", b"ab", "would add zeros"),
        ("enum('a','b')", "1", "none of the column's words"),
        ("enum('a','b')", 1, "none of the column's words"),
        ("set('a','b')", "a,2", "none of the column's words"),
        ("year(4)", 24, "not a year"),
        ("uuid", "x", "UUID"),
    ],
)
def test_what_mariadb_would_change_is_refused(declared: str, value: Any, why: str) -> None:
    with pytest.raises((ValueError, ArithmeticError), match=why):
        column(declared, [value])
    with pytest.raises((ValueError, ArithmeticError), match=why):
        column(declared, [None, value])


@pytest.mark.parametrize(
    "text", ["", "a", "it's", "a\\", "\\'", "'; DROP TABLE t; --", "\n\x1a\x00"]
)
def test_a_text_ends_where_it_ends(text: str) -> None:
    inner = quoted_text(text)[1:-1]
    unescaped, rest = "", inner
    while rest:
        assert rest[0] != "'"
        skip = rest[0] == "\\"
        unescaped, rest = unescaped + rest[skip], rest[1 + skip :]
    assert unescaped == text


@pytest.mark.parametrize("declared", ["varchar(20)", "datetime(6)", "int(11)"])
def test_a_whole_column_is_written_as_its_values_are(declared: str) -> None:
    every: dict[str, list[Any]] = {
        "varchar(20)": ["a", "b'", "\\"],
        "datetime(6)": [
            "2024-01-01T00:00:00Z",
            "2024-01-02 00:00:00.5",
            "2024-01-02T00:00:00+00:00",
        ],
        "int(11)": [1, -2, 2**70],
    }
    values = every[declared]
    assert list(column(declared, values)) == [column(declared, [None, v])[1] for v in values]
