"""Values are converted exactly to the types of SQLAlchemy, or refused."""

from __future__ import annotations

import datetime
import uuid
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from sinks.text.sqlalchemy_values import convert

AWARE = datetime.datetime.fromisoformat("2026-01-02T03:04:05+02:00")


@pytest.mark.parametrize(
    ("sql_type", "value", "expected"),
    [
        (sa.DateTime(), "2026-01-02T03:04:05", datetime.datetime(2026, 1, 2, 3, 4, 5)),
        (sa.DateTime(), "2026-01-02T03:04:05+02:00", datetime.datetime(2026, 1, 2, 1, 4, 5)),
        (sa.DateTime(), AWARE, datetime.datetime(2026, 1, 2, 1, 4, 5)),
        (sa.DateTime(timezone=True), AWARE, AWARE),
        (sa.Date(), "2026-01-02", datetime.date(2026, 1, 2)),
        (sa.Time(), "03:04", datetime.time(3, 4)),
        (sa.Uuid(), str(uuid.UUID(int=5)), uuid.UUID(int=5)),
        (sa.Integer(), "17", 17),
        (sa.Integer(), Decimal("4.0"), 4),
        (sa.Numeric(), "1.10", Decimal("1.10")),
        (sa.Numeric(), Decimal("1E-30"), Decimal("1E-30")),
        (sa.Numeric(38, 10), "0.10000000000000", Decimal("0.10000000000000")),
        (sa.Numeric(4, 0), Decimal("1E+2"), Decimal("1E+2")),
        (sa.Float(), "1e-30", "1e-30"),
        (sa.Text(), True, "true"),
        (sa.Text(), {"a": Decimal("1.0")}, '{"a":1.0}'),
        (sa.JSON(), "text", "text"),
        (sa.Integer(), None, None),
    ],
)
def test_a_value_is_one_of_its_columns_type(
    sql_type: sa.types.TypeEngine[Any], value: Any, expected: Any
) -> None:
    result = convert(sql_type, value)
    assert (result, type(result)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("sql_type", "value"),
    [
        (sa.Integer(), Decimal("1.5")),
        (sa.Integer(), "x"),
        (sa.DateTime(), 1_700_000_101),
        (sa.Date(), "01/02/2024"),
        (sa.Interval(), 5),
        (sa.Uuid(), "x"),
        (sa.Numeric(38, 10), Decimal("1E-11")),
        (sa.Numeric(38, 10), "0.12345678901"),
        (sa.Numeric(4, 0), 0.5),
    ],
)
def test_a_value_with_no_certain_meaning_is_refused(
    sql_type: sa.types.TypeEngine[Any], value: Any
) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the messages are the libraries'
        convert(sql_type, value)


@pytest.mark.parametrize(
    "value", [Decimal("12345678901234567.89"), "0.1234567890123456789", 10**17 + 1]
)
def test_what_a_driver_without_decimals_would_round_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="more digits than the driver keeps"):
        convert(sa.Numeric(), value, decimals=False)
    convert(sa.Numeric(), value)
    convert(sa.Numeric(), "0.1", decimals=False)
