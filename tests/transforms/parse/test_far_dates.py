from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.parse.far_dates import date_of, is_far, timestamp_of

EPOCH = date(1970, 1, 1)
DAY = 86_400_000_000


@given(st.dates())
def test_dates_that_python_has_are_dates(day: date) -> None:
    assert date_of((day - EPOCH).days) == day
    assert not is_far(day.isoformat())


@given(st.datetimes())
def test_timestamps_that_python_has_are_datetimes(at: datetime) -> None:
    microseconds = (at - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    assert timestamp_of(microseconds, utc=False) == at
    instant = timestamp_of(microseconds, utc=True)
    assert instant == at.replace(tzinfo=UTC)
    assert not is_far(at.isoformat())


@pytest.mark.parametrize(
    ("days", "text"),
    [
        ((date(9999, 12, 31) - EPOCH).days + 1, "10000-01-01"),
        ((date(1, 1, 1) - EPOCH).days - 1, "0001-12-31 BC"),
        # The years -399 to 0 are those of the calendar's cycle before the years 1 to 400.
        ((date(1, 1, 1) - EPOCH).days - 146_097, "0400-01-01 BC"),
        ((date(2000, 2, 29) - EPOCH).days + 20 * 146_097, "10000-02-29"),
        # The last day and the first that PostgreSQL has (manual, 8.5).
        (2_145_042_905, "5874897-12-31"),
        (-2_440_588, "4714-11-24 BC"),
    ],
)
def test_far_dates_are_text(days: int, text: str) -> None:
    assert date_of(days) == text
    assert is_far(text)


def test_far_timestamps_are_text() -> None:
    year_10000 = ((date(9999, 12, 31) - EPOCH).days + 1) * DAY
    assert timestamp_of(year_10000, utc=False) == "10000-01-01T00:00:00"
    assert timestamp_of(year_10000 + 1, utc=True) == "10000-01-01T00:00:00.000001+00:00"
    year_1 = (date(1, 1, 1) - EPOCH).days * DAY
    assert timestamp_of(year_1 - 1, utc=True) == "0001-12-31T23:59:59.999999+00:00 BC"


@given(st.integers(-(2**63), 2**63 - 1), st.booleans())
def test_every_number_has_a_date_or_its_text(microseconds: int, utc: bool) -> None:
    timestamp = timestamp_of(microseconds, utc=utc)
    assert isinstance(timestamp, datetime) or is_far(timestamp)
