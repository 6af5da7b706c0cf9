"""Values reach SQLite exactly as they are, or are refused."""

from __future__ import annotations

import datetime
import random
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest

from sinks.text.sqlite_values import affinity_of, bind_column, binder_of, order_of
from tests.io.sinks.tested_database import Database


@pytest.mark.parametrize(
    ("declared", "value", "bound"),
    [
        ("", Decimal("12.5"), 12.5),
        ("", Decimal("0.1"), 0.1),
        ("", Decimal("0.12345678901234567890123"), "0.12345678901234567890123"),
        ("", 2**63, "9223372036854775808"),
        ("", 2**63 - 1, 2**63 - 1),
        ("text", 1, "1"),
        ("text", Decimal("1.10"), "1.10"),
        ("text", True, "true"),
        ("boolean", True, 1),
        ("bigint", Decimal("4.0"), 4),
        ("bigint", "17", 17),
        ("bigint", "x", "x"),
        ("json", "text", '"text"'),
        ("json", None, None),
        ("text", {"a": Decimal("1.0")}, '{"a":1.0}'),
        ("text", datetime.date(2026, 1, 2), "2026-01-02"),
        ("date", "2026-01-02T03:04:05Z", "2026-01-02"),
        ("date", datetime.datetime(2026, 1, 2, 3, 4), "2026-01-02"),
        ("date", "2026-01-02", "2026-01-02"),
        ("date", "January 2nd, 2026", "January 2nd, 2026"),
        ("date", "2026-01-02 or later", "2026-01-02 or later"),
        ("date", "2026-01-025", "2026-01-025"),
        ("timestamp", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ("blob", b"\x00", b"\x00"),
    ],
)
def test_values_are_bound_exactly(declared: str, value: Any, bound: Any) -> None:
    (result,) = bind_column(declared, [value])
    assert (result, type(result)) == (bound, type(bound))


def test_an_integer_that_would_be_rounded_is_refused() -> None:
    with pytest.raises(ValueError, match="64 bits"):
        bind_column("bigint", [2**63])


def test_order_is_that_of_the_database(sqlite_database: Database) -> None:
    values = ["b", 2, None, b"a", 1.5, "a"]
    literals = ["'b'", "2", "NULL", "x'61'", "1.5", "'a'"]
    query = " UNION ALL ".join(f"SELECT {literal} AS v" for literal in literals)
    rows = sqlite_database.rows(f"SELECT v FROM ({query}) ORDER BY v")
    assert sorted(values, key=order_of) == [row[0] for row in rows]


def test_affinity_follows_the_rules_in_their_order() -> None:
    # "CHARINT" has INT, which is looked for first.
    assert affinity_of("CHARINT") == "integer"
    assert affinity_of("FLOATING POINT") == "integer"


_SAMPLES: list[list[Any]] = [
    [0, -1, 2**63 - 1, -(2**63), None],
    [2**63, 1],
    [1, True, None],
    [Decimal("12.50"), Decimal("-0.0"), Decimal("0.1"), Decimal(7), Decimal("123456789012.45")],
    [Decimal("12.5"), 3, None, Decimal("9999999999999.9"), 0.1],
    [Decimal("0.12345678901234567890123"), Decimal("1.5")],
    [Decimal("9007199254740993.0"), Decimal("1.5")],
    [Decimal(123456789012345), Decimal(1234567890123456), Decimal(12345678901234567)],
    [Decimal("1E+2"), Decimal("1E-9"), Decimal("0.0000001")],
    [Decimal("NaN"), Decimal("1.5")],
    [Decimal("Infinity"), Decimal("1.5")],
    [1.5, float("inf"), -0.0, None],
    ["a", "", None, "null", "1.10", "17", "-3", "١٢"],
    ["2026-01-02T03:04:05Z", "2026-12-02 03:04", None],
    ["2026-01-02T03:04:05Z", "2026.5"],
    ["2026-01-02T03:04:05Z", "now"],
    ["2026-01-02T03:04:05Z", "tomorrow", ""],
    ["2026", "2026-01-02"],
    [{"a": Decimal("1.10"), "b": [None, "é\n"]}, None, "null", "a\nb", 1, True, []],
    [{"a": "\ud800"}, {"b": 1}],
    [{"a": {1, 2}}, {"b": object()}],
    [{"a": b"\x00"}, {"b": float("nan")}, float("inf")],
    [b"\x00", "a", None],
    [None, None],
    [datetime.date(2026, 1, 2), datetime.datetime(2026, 1, 2, 3), None],
    [],
]


def _outcome(bind: Callable[[], Sequence[Any]]) -> list[tuple[type, str]] | tuple[type, str]:
    try:
        return [(type(value), repr(value)) for value in bind()]
    except (ValueError, TypeError, ArithmeticError) as error:
        return type(error), re.sub("0x[0-9a-f]+", "", str(error))


@pytest.mark.parametrize(
    "declared",
    [
        "",
        "text",
        "bigint",
        "real",
        "numeric",
        "decimal(12,2)",
        "json",
        "jsonb",
        "blob",
        "boolean",
        "date",
        "timestamp",
        "datetime",
        "time",
    ],
)
@pytest.mark.parametrize("values", _SAMPLES, ids=range(len(_SAMPLES)))
def test_a_column_is_bound_as_its_values_are(declared: str, values: list[Any]) -> None:
    one_by_one = _outcome(lambda: list(map(binder_of(declared), values)))

    assert _outcome(lambda: bind_column(declared, values)) == one_by_one


@pytest.mark.parametrize("digits", [14, 15, 16, 17])
def test_a_float_stands_only_for_the_decimal_that_it_is(digits: int) -> None:
    source = random.Random(digits)
    texts = [str(source.randrange(10**digits)).zfill(digits) for _ in range(3_000)]
    values = [
        Decimal(f"{text[:at]}.{text[at:]}") for text in texts if (at := source.randrange(digits))
    ]

    for value, bound in zip(values, bind_column("", values), strict=True):
        same = Decimal(repr(bound)) == value if isinstance(bound, float) else bound == str(value)
        assert same, (value, bound)
