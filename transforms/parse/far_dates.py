"""Dates and timestamps beyond Python's years 1 to 9999, as text.

The text is the spelling that PostgreSQL reads and writes: ``10000-01-01``, ``0044-03-15 BC``,
``10000-01-01T00:00:00+00:00``. Years are those of the proleptic Gregorian calendar.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

_EPOCH = datetime(1970, 1, 1)
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_CYCLE_YEARS = 400
_CYCLE_DAYS = 146_097
"""The calendar repeats itself after 400 years, which have 146,097 days."""
_DAY = 86_400_000_000
_TIME = r"(?:T\d\d:\d\d:\d\d(?:\.\d{6})?(?:\+00:00)?)?"
_FAR = re.compile(rf"\d{{5,}}-\d\d-\d\d{_TIME}(?: BC)?|\d{{4}}-\d\d-\d\d{_TIME} BC")


def date_of(days: int) -> date | str:
    """The date ``days`` days after 1970-01-01; text if Python has no such date.

    >>> date_of(0), date_of(2_932_897), date_of(-719_163)
    (datetime.date(1970, 1, 1), '10000-01-01', '0001-12-31 BC')
    """
    try:
        return date.fromordinal(_EPOCH_ORDINAL + days)
    except (ValueError, OverflowError):
        text, era = _far_date(days)
        return text + era


def timestamp_of(microseconds: int, *, utc: bool) -> datetime | str:
    """The time ``microseconds`` after 1970-01-01; text if Python has no such time.

    Args:
        microseconds: May be negative.
        utc: Whether the time is an instant in UTC; otherwise it has no zone.

    >>> timestamp_of(253_402_300_800_000_000, utc=True)
    '10000-01-01T00:00:00+00:00'
    """
    try:
        return (_EPOCH_UTC if utc else _EPOCH) + timedelta(0, 0, microseconds)
    except OverflowError:
        days, rest = divmod(microseconds, _DAY)
        text, era = _far_date(days)
        time = (datetime.min + timedelta(microseconds=rest)).time().isoformat()
        return f"{text}T{time}{'+00:00' if utc else ''}{era}"


def is_far(text: str) -> bool:
    """Whether ``text`` spells a date or timestamp that the types of Python cannot hold."""
    return _FAR.fullmatch(text) is not None


def _far_date(days: int) -> tuple[str, str]:
    """Year, month and day as text, and `` BC`` for years before the common era."""
    cycles, rest = divmod(days + _EPOCH_ORDINAL - 1, _CYCLE_DAYS)
    near = date.fromordinal(rest + 1)  # in the years 1 to 400
    year = near.year + cycles * _CYCLE_YEARS
    era = "" if year > 0 else " BC"
    return f"{year if year > 0 else 1 - year:04}-{near:%m-%d}", era
