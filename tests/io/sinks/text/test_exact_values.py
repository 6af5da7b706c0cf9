"""Values are taken exactly, or refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from sinks.text.exact_values import in_utc, number_of, shown, too_precise


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, "7"),
        (0.1, "0.1"),
        ("1.50", "1.50"),
        (" -1e3 ", "-1E+3"),
        (".5", "0.5"),
        (Decimal("0.1234567890123456789"), "0.1234567890123456789"),
    ],
)
def test_a_number_keeps_its_digits(value: Any, number: str) -> None:
    assert str(number_of(value, "a number")) == number


@pytest.mark.parametrize(
    "value", ["", "x", "1,5", "٣", "1_000", "0x10", float("nan"), Decimal("Infinity"), None, [1]]
)
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        number_of(value, "a number")


def test_an_instant_is_that_of_utc() -> None:
    moment = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert in_utc(moment) == datetime(2026, 3, 1, 10)
    assert in_utc(datetime(2026, 3, 1, 12)) == datetime(2026, 3, 1, 12)
    with pytest.raises(ValueError, match="not a year between 1 and 9999 in UTC"):
        in_utc(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))))
    assert in_utc(datetime(1, 1, 1, tzinfo=UTC)).year == 1


def test_a_message_shows_a_value_shortened() -> None:
    assert shown("a'b") == '"a\'b"'
    assert shown("x" * 61) == repr("x" * 59 + "…")
    assert too_precise("12:00:00.5", 0) == (
        "'12:00:00.5' is more precise than the column, which keeps whole seconds only"
    )
    assert too_precise("12:00:00.5", 3).endswith("keeps 3 digits of a second")
