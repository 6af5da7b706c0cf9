"""Values reach SQLite exactly as they are, or are refused."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest

from sinks.text.sqlite_values import affinity_of, bind_column, order_of
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
