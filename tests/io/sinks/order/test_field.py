"""Values that say what is newest, as numbers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.order.field import kind_of, ordinal
from sinks.order.state import OLDEST
from sinks.table.config import OnConflict
from sinks.table.target import Column, Target
from transforms.errors import ConfigError, Reject
from transforms.route.table_name import TableName

zones = st.integers(-23 * 60, 23 * 60).map(lambda m: timezone(timedelta(minutes=m)))


@given(st.datetimes(timezones=zones), st.datetimes(timezones=zones))
def test_instants_keep_their_order_in_every_form(one: datetime, other: datetime) -> None:
    def number(value: Any) -> int:
        return ordinal("at", "instant", value)

    assert (number(one) < number(other), number(one) == number(other)) == (
        one < other,
        one == other,
    )
    assert number(one) == number(one.isoformat())


def test_dates_and_times_without_a_zone_are_of_utc() -> None:
    expected = ordinal("at", "instant", datetime(2024, 1, 31, tzinfo=UTC))
    for value in (date(2024, 1, 31), "2024-01-31", "2024-01-31T00:00:00Z", datetime(2024, 1, 31)):
        assert ordinal("at", "instant", value) == expected
    assert ordinal("at", "instant", "1970-01-01T00:00:00.000001Z") == 1


def test_numbers() -> None:
    assert [ordinal("n", "number", value) for value in (7, "7", Decimal("7.0"))] == [7, 7, 7]
    assert ordinal("n", "number", None) == OLDEST


@pytest.mark.parametrize("value", [True, 1.5, "1.5", "x", Decimal("1.5"), [1], 1 << 63, "9" * 19])
def test_what_is_no_whole_number_is_refused(value: Any) -> None:
    with pytest.raises(Reject) as refused:
        ordinal("n", "number", value)
    assert refused.value.category == "order"


@pytest.mark.parametrize("value", [5, "yesterday", "2024-13-01", True])
def test_what_is_no_instant_is_refused(value: Any) -> None:
    with pytest.raises(Reject, match="not an instant"):
        ordinal("at", "instant", value)


@pytest.mark.parametrize(
    ("type_", "typed", "kind"),
    [
        ("int8", True, "number"),
        ("bigint", False, "number"),
        ("numeric", True, "number"),
        ("", False, "number"),
        ("timestamptz", True, "instant"),
        ("date", True, "instant"),
        ("text", False, "instant"),
        ("text", True, None),
        ("jsonb", True, None),
        ("float8", True, None),
    ],
)
def test_kinds_of_columns(type_: str, typed: bool, kind: str | None) -> None:
    conflict = OnConflict("newest", "n")
    target = Target(
        *(TableName("t"), "t", (Column("n", type_),), frozenset(), ("id",), False, False),
        *(conflict, "reject"),
    )
    if kind is None:
        with pytest.raises(ConfigError, match="newest:n compares whole numbers or instants"):
            kind_of(target, typed=typed)
    else:
        assert kind_of(target, typed=typed) == kind
