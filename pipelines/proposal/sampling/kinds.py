"""What one value of a sample is: a whole number, a date, text that only looks like a number, …"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any

MOST_DIGITS = 15
"""A longer number in a text file is rather the name of something: a card, a parcel, an account."""

_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_LONGEST = 64
"""Text that is longer is no number and no date."""


class Kind(Enum):
    """What a value is; its value is how comments call several of them."""

    __hash__ = object.__hash__  # in C: kinds are counted for every value

    NULL = "null"
    EMPTY = "empty"
    QUOTED_EMPTY = "empty in quotes, which is text"
    INTEGER = "whole numbers"
    LARGE = "whole numbers beyond 64 bits"
    LONG = "whole numbers of more than 15 digits"
    NUMBER = "decimal numbers"
    SCIENTIFIC = "numbers in scientific notation"
    NOT_FINITE = "NaN or infinite"
    LEADING_ZERO = "digits behind a leading zero"
    COMMA = "numbers with a comma"
    GROUPED = "numbers with commas between thousands"
    BOOLEAN = "true or false"
    WORD = "words for yes and no"
    DATE = "dates"
    OTHER_DATE = "dates in another order than ISO 8601"
    INSTANT = "times with a zone"
    LOCAL = "times without a zone, or with a blank before it"
    FINE = "times finer than a microsecond"
    TIME = "times of a day"
    DURATION = "durations"
    UUID = "UUIDs"
    ABSENCE = "words for nothing (NA, NULL, …)"
    BYTES = "bytes"
    OBJECT = "objects"
    ARRAY = "arrays"
    TEXT = "text"


ABSENCES = ("NA", "N/A", "n/a", "#N/A", "NULL", "null", "Null", "None", "NaN", "nan", r"\N", "-")
"""Texts by which programs say that there is nothing; ``csv_null`` takes them."""

_TEXT = re.compile(
    r"(?P<INTEGER>0|-?[1-9][0-9]{0,14})"
    r"|(?P<LONG>-?[1-9][0-9]{15,})"
    r"|(?P<LEADING_ZERO>-?0[0-9]+(?:\.[0-9]+)?)"
    r"|(?P<NUMBER>-?(?:0|[1-9][0-9]*)?\.[0-9]+)"
    r"|(?P<SCIENTIFIC>-?[0-9](?:\.[0-9]+[eE][+-]?|[eE][+-])[0-9]{1,3})"
    r"|(?P<GROUPED>-?[1-9][0-9]{0,2}(?:,[0-9]{3})+\.[0-9]+)"
    r"|(?P<COMMA>-?[0-9][0-9.,]*,[0-9.,]*[0-9])"
    r"|(?P<BOOLEAN>[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])"
    r"|(?P<WORD>(?i:yes|no|y|n|t|f|on|off))"
    r"|(?P<DATE>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"|(?P<INSTANT>[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
    r"(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9]))"
    r"|(?P<FINE>[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{7,}"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?)"
    r"|(?P<LOCAL>[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
    r"(?: ?(?:Z|UTC|[+-][0-9]{2}(?::?[0-9]{2})?))?)"
    r"|(?P<OTHER_DATE>[0-9]{1,2}(?P<mark>[./-])[0-9]{1,2}(?P=mark)[0-9]{2}(?:[0-9]{2})?(?: [0-9:]{4,8})?)"
    r"|(?P<UUID>[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})"
)

_DATES: dict[Kind, Callable[[str], object]] = {
    Kind.DATE: date.fromisoformat,
    Kind.INSTANT: datetime.fromisoformat,
    Kind.LOCAL: lambda text: datetime.fromisoformat(text[:16]),
    Kind.FINE: lambda text: datetime.fromisoformat(text[:19]),
}

_BY_NAME = dict(Kind.__members__)
_ABSENT = frozenset(ABSENCES)
_OF_JSON = frozenset(
    {Kind.EMPTY, Kind.DATE, Kind.INSTANT, Kind.FINE, Kind.LOCAL, Kind.OTHER_DATE, Kind.UUID}
)
"""What a string of JSON may be; one that looks like a number is text."""

_TYPES: dict[type, Kind] = {
    type(None): Kind.NULL,
    bool: Kind.BOOLEAN,
    date: Kind.DATE,
    datetime: Kind.INSTANT,  # one without a zone is taken as UTC
    time: Kind.TIME,
    timedelta: Kind.DURATION,
    bytes: Kind.BYTES,
    dict: Kind.OBJECT,
    list: Kind.ARRAY,
}


@lru_cache(maxsize=1 << 16)
def kind_of_text(text: str) -> Kind:
    """What a cell of CSV is.

    >>> kind_of_text("007"), kind_of_text("7"), kind_of_text("2026-02-30")
    (<Kind.LEADING_ZERO: 'digits behind a leading zero'>, <Kind.INTEGER: 'whole numbers'>, <Kind.TEXT: 'text'>)
    """
    if not text:
        return Kind.EMPTY
    if text in _ABSENT:
        return Kind.ABSENCE
    match = _TEXT.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        return Kind.TEXT
    kind = _BY_NAME[str(match.lastgroup)]
    read = _DATES.get(kind)
    if read is not None:
        try:
            read(text)
        except ValueError:  # no such day
            return Kind.TEXT
    return kind


def kind_of(value: Any) -> Kind:
    """What a value of JSON, Parquet or Avro is."""
    if isinstance(value, str):
        kind = kind_of_text(value)
        return kind if kind in _OF_JSON else Kind.TEXT
    if type(value) is int:
        return Kind.INTEGER if _LOWEST <= value <= _HIGHEST else Kind.LARGE
    if isinstance(value, float | Decimal):
        return Kind.NUMBER if math.isfinite(value) else Kind.NOT_FINITE
    return _TYPES.get(type(value), Kind.TEXT)
