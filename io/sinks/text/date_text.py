"""Texts for columns of dates, times or durations: only those with one meaning pass.

Databases read more than that. PostgreSQL reads the number 1700000101 as the year 170000, 123456
as the time 12:34:56, 5 as five seconds, ``now`` as the moment of the write, and 01/02/2024 as one
of two days. Such a value is refused, and its record becomes a dead letter. The database still
checks what passes here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Literal

Kind = Literal["timestamp", "date", "time", "interval"]

_SHOWN = 60  # characters of a value in a message

_EXAMPLES: dict[Kind, str] = {
    "timestamp": "2024-01-31T10:15:00Z",
    "date": "2024-01-31",
    "time": "10:15:00",
    "interval": "PT5S or 5 seconds",
}

_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+)?"
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DAY = re.compile(
    r"\s*(?:"
    # Year first: ISO 8601, also with slashes, dots or blanks.
    r"\d{4,6}([-/. ])\d{1,2}\1\d{1,2}(?!\d)"
    # ISO 8601 without hyphens if a time follows; 20240131 alone may be a number.
    r"|\d{8}[T ]\d\d:?\d\d"
    # A month's name and a year of four digits, as in mail, in logs and from ``date``.
    rf"|{_WEEKDAY}\d{{1,2}}[-/. ]{_MONTH}[-/. ]\d{{4}}(?!\d)"
    rf"|\d{{4}}[-/. ]{_MONTH}[-/. ]\d{{1,2}}(?!\d)"
    rf"|{_WEEKDAY}{_MONTH}[-/. ]\s*\d{{1,2}},?[-/. ]\s*"
    r"(?:\d\d?:\d\d(?::\d\d(?:\.\d+)?)?\s+)?(?:[a-z]{1,5}\s+)?\d{4}(?!\d)"
    r")",
    re.IGNORECASE,
)
_TIME = re.compile(r"\s*(?:T\d{4}(?!\d\d\d)|.*\d{1,2}:\d\d)", re.IGNORECASE | re.DOTALL)
_INTERVAL = re.compile(r"\s*(?:.*[a-z:]|[+-]?\d+-\d)", re.IGNORECASE | re.DOTALL)

# No database reads a text without a digit as a date, except for these words.
_HARMLESS = re.compile(
    r"(?!.*(?<![a-z])(?:now|today|tomorrow|yesterday|epoch|allballs)(?![a-z-]))[^0-9]*\Z",
    re.IGNORECASE | re.DOTALL,
)

_CERTAIN: dict[Kind, re.Pattern[str]] = {
    "timestamp": _DAY,
    "date": _DAY,
    "time": _TIME,
    "interval": _INTERVAL,
}

# How almost every value begins, and how many characters decide. A column has few different
# beginnings, and only these are checked: that takes a tenth of the time of checking each value.
_USUAL: dict[Kind, tuple[int, re.Pattern[str]]] = {
    "timestamp": (11, re.compile(r"(?:\d{4}-\d\d-\d\d\D?)?\Z")),
    "date": (11, re.compile(r"(?:\d{4}-\d\d-\d\d\D?)?\Z")),
    "time": (5, re.compile(r"(?:\d\d:\d\d)?\Z")),
    "interval": (1, re.compile(r"P?\Z")),
}

# Texts that SQLite's numeric affinity reads as a number (sqlite.org/datatype3.html, 3), and words
# that date functions read as the moment at which they are called.
_NO_DATE = re.compile(
    r"\s*(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|now|today|tomorrow|yesterday)\s*\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Checked:
    """A type whose texts are checked.

    Attributes:
        kind: What its values are.
        several: Whether one text contains several of them: arrays, ranges, and arrays of ranges.
    """

    kind: Kind
    several: bool = False


_KINDS: dict[str, Checked] = {
    "timestamptz": Checked("timestamp"),
    "timestamp": Checked("timestamp"),
    "date": Checked("date"),
    "time": Checked("time"),
    "timetz": Checked("time"),
    "interval": Checked("interval"),
    "tstzrange": Checked("timestamp", several=True),
    "tsrange": Checked("timestamp", several=True),
    "daterange": Checked("date", several=True),
    "tstzmultirange": Checked("timestamp", several=True),
    "tsmultirange": Checked("timestamp", several=True),
    "datemultirange": Checked("date", several=True),
}

_DECLARED = re.compile(
    r"\s*(?:(?P<timestamp>(?:small)?datetime|timestamp)|(?P<date>date)|(?P<time>time))"
    r"(?:\d|tz|offset)?\b",
    re.IGNORECASE,
)


def checked_type(type_name: str) -> Checked | None:
    """How to check texts for a PostgreSQL type, named as in ``pg_type``; None if they need no check.

    >>> checked_type("_daterange")
    Checked(kind='date', several=True)
    """
    checked = _KINDS.get(type_name.removeprefix("_"))
    if checked is None or not type_name.startswith("_"):
        return checked
    return Checked(checked.kind, several=True)


def beginning(checked: Checked) -> int:
    """How many characters at the beginning of a text say whether it is a usual one."""
    return _USUAL[checked.kind][0]


def are_usual(checked: Checked, beginnings: Iterable[str]) -> bool:
    """Whether texts that begin with ``beginnings`` certainly have one meaning."""
    return all(map(_USUAL[checked.kind][1].match, beginnings))


def check_texts(checked: Checked, texts: Sequence[str]) -> None:
    """Refuse texts that a database might read as dates or times that were not meant.

    Raises:
        ValueError: One of them.
    """
    length = beginning(checked)
    if are_usual(checked, set(map(itemgetter(slice(length)), texts))):
        return
    for text in texts:
        for part in _parts(text) if checked.several else (text,):
            check_text(checked.kind, part)


def check_text(kind: Kind, text: str) -> None:
    """Refuse a text that a database might read as a date or time that was not meant.

    Raises:
        ValueError: It is such a text.
    """
    if not _CERTAIN[kind].match(text) and not _HARMLESS.match(text):
        raise refusal(kind, text)


def declared_kind(declared: str) -> Kind | None:
    """What a column of SQLite contains by its declared type; None if neither dates nor times.

    >>> [declared_kind(t) for t in ("DATETIME", "timestamp with time zone", "DATE", "DATED")]
    ['timestamp', 'timestamp', 'date', None]
    """
    match = _DECLARED.match(declared)
    kinds: tuple[Kind, ...] = ("timestamp", "date", "time")
    return next((kind for kind in kinds if match and match[kind]), None)


def check_stored(kind: Kind, text: str) -> None:
    """Refuse a text that SQLite would store as a number, or whose meaning changes from day to day.

    Raises:
        ValueError: It is one of these.
    """
    if _NO_DATE.match(text):
        raise refusal(kind, text)


def refusal(kind: Kind, value: object) -> ValueError:
    """The error that ``value`` is not certainly of the kind; its message says what to send."""
    what = "duration" if kind == "interval" else kind
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return ValueError(
        f"{text[:_SHOWN]!r} is not certainly a {what}; "
        f"send {'' if kind == 'interval' else 'ISO 8601 text, e.g. '}{_EXAMPLES[kind]}"
        f"{', or name its unit by --epoch' if kind in ('timestamp', 'date') else ''}"
    )


_BRACKETS = re.compile(r'[\[\](){}"\\]')


def _parts(text: str) -> Sequence[str]:
    """The values in the text of an array or a range (PostgreSQL manual, 8.15.6 and 8.17.5)."""
    parts = (part.strip() for part in _BRACKETS.sub("", text).split(","))
    return [part for part in parts if part.upper() not in ("NULL", "EMPTY")]
