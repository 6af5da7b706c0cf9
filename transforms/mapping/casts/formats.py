"""Formats of dates and times, read exactly: ``%d/%m/%Y %H:%M`` and the like.

They are those of ``strptime``, without its guesses: names of days and months are English, digits are
ASCII, a format has a whole date, hours of twelve have ``%p``, and a name of a day must be that of the
date.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_PIVOT = 69
"""Years of two digits from here on are of the twentieth century, as POSIX has it."""

_NUMBERS = {"m": 2, "d": 2, "H": 2, "I": 2, "j": 3}
"""Numbers that may lack leading zeros, and how many digits they have."""

_PATTERNS = {
    "Y": "[0-9]{4}",
    "y": "[0-9]{2}",
    "M": "[0-9]{2}",
    "S": "[0-9]{2}",
    "f": "[0-9]{1,9}",
    "z": r"Z|[+-][0-9]{2}:?[0-9]{2}",
    "p": "[AaPp][Mm]",
    "B": "|".join(_MONTHS),
    "b": "|".join(name[:3] for name in _MONTHS),
    "A": "|".join(_DAYS),
    "a": "|".join(name[:3] for name in _DAYS),
}
_TIME = ("H", "I", "M", "S", "f", "p", "z")
_ISO = re.compile(
    r"(?P<Y>[0-9]{4})-(?P<m>[0-9]{2})-(?P<d>[0-9]{2})"
    r"(?:[T ](?P<H>[0-9]{2}):(?P<M>[0-9]{2})(?::(?P<S>[0-9]{2})(?:[.,](?P<f>[0-9]{1,18}))?)?"
    r"(?P<z>[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?)?",
    re.ASCII,
)
ISO = "iso"


@dataclass(frozen=True, slots=True)
class Moment:
    """What a text says.

    Attributes:
        local: The date and time, without what is finer than a second.
        fraction: The digits of the second, perhaps none.
        offset: From UTC, or None.
        timed: Whether it has a time.
    """

    local: datetime
    fraction: str
    offset: timedelta | None
    timed: bool


@lru_cache(maxsize=256)
def reader(format: str) -> Callable[[str], Moment | None]:  # noqa: A002 - the concept's name
    """The function that reads texts of a format, and gives None for others.

    Raises:
        ValueError: It is no format; the message says why.
    """
    pattern = _ISO if format == ISO else _pattern(format)

    def read(text: str) -> Moment | None:
        match = pattern.fullmatch(text)
        return None if match is None else _moment(match.groupdict())

    return read


def check(format: str, *, time: bool) -> None:  # noqa: A002
    """Refuse what is no format, and one with a time where only a date is wanted.

    Raises:
        ValueError: The message says why.
    """
    reader(format)
    if not time and format != ISO:
        timed = [name for name in re.findall(r"%(.)", format.replace("%%", "")) if name in _TIME]
        if timed:
            raise ValueError(f"{format!r} has a time (%{timed[0]}), which a date has not")


def _pattern(format: str) -> re.Pattern[str]:  # noqa: A002
    parts = re.findall(r"%.?|[^%]+", format, re.DOTALL)
    names = [part[1:] for part in parts if part.startswith("%") and part != "%%"]
    for name in names:
        if name not in _PATTERNS and name not in _NUMBERS:
            allowed = ", ".join(f"%{each}" for each in sorted({*_PATTERNS, *_NUMBERS}))
            raise ValueError(f"%{name} in {format!r} is not known; there are {allowed} and %%")
    _check_names(format, names)
    written = ""
    for at, part in enumerate(parts):
        name = part[1:]
        if not part.startswith("%") or part == "%%":
            literal = "%" if part == "%%" else part
            written += re.sub(r"\\?\s+", r"\\s+", re.escape(literal))
        elif name in _NUMBERS:
            beside = [parts[i] for i in (at - 1, at + 1) if 0 <= i < len(parts)]
            fixed = any(_is_digits(each) for each in beside)
            digits = f"{_NUMBERS[name]}" if fixed else f"1,{_NUMBERS[name]}"
            written += f"(?P<{name}>[0-9]{{{digits}}})"
        else:
            written += f"(?P<{name}>{_PATTERNS[name]})"
    return re.compile(written, re.IGNORECASE | re.ASCII)


def _is_digits(part: str) -> bool:
    """Whether a part of a format begins or ends with digits, so that a number has no end there."""
    if part.startswith("%"):
        return part[1:] in (*_NUMBERS, "Y", "y", "M", "S", "f")
    return part[:1].isdigit() or part[-1:].isdigit()


def _check_names(format: str, names: list[str]) -> None:  # noqa: A002
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{format!r} has %{twice} twice")

    def among(*alternatives: str) -> int:
        return sum(name in names for name in alternatives)

    if among("Y", "y") != 1:
        raise ValueError(f"{format!r} needs one year (%Y or %y)")
    day_of_year = "j" in names
    months, days = among("m", "B", "b"), among("d")
    if (day_of_year and (months or days)) or (not day_of_year and (months != 1 or days != 1)):
        raise ValueError(
            f"{format!r} needs one month and one day (%m %d), or a day of the year (%j)"
        )
    if among("H", "I") > 1 or ("I" in names) != ("p" in names):
        raise ValueError(f"{format!r} needs %H alone, or %I with %p")
    for name, needed in (("M", "HI"), ("S", "M"), ("f", "S"), ("z", "HI"), ("p", "I")):
        if name in names and not among(*needed):
            raise ValueError(f"{format!r} has %{name} without %{needed[0]}")


def _moment(parts: dict[str, str | None]) -> Moment | None:
    """What the parts of a text say; None if there is no such day or time."""
    at = {name: text for name, text in parts.items() if text is not None}
    try:
        day = _day(at)
        hour = int(at.get("H") or 0)
        if "I" in at:
            if not 1 <= int(at["I"]) <= 12:
                return None
            hour = int(at["I"]) % 12 + (12 if at["p"].lower() == "pm" else 0)
        local = datetime(
            day.year, day.month, day.day, hour, int(at.get("M", 0)), int(at.get("S", 0))
        )
        offset = _offset(at["z"]) if "z" in at else None
    except ValueError:
        return None
    for name, length in (("A", None), ("a", 3)):
        if name in at and _DAYS[day.weekday()][:length] != at[name].lower():
            return None
    return Moment(local, at.get("f", "").rstrip("0"), offset, "H" in at or "I" in at)


def _day(at: dict[str, str]) -> date:
    if "Y" in at:
        year = int(at["Y"])
    else:
        year = int(at["y"])
        year += 1900 if year >= _PIVOT else 2000
    if "j" in at:
        day = date(year, 1, 1) + timedelta(days=int(at["j"]) - 1)
        if day.year != year:
            raise ValueError
        return day
    if "m" in at:
        month = int(at["m"])
    else:
        name = (at.get("B") or at["b"]).lower()
        month = next(i for i, full in enumerate(_MONTHS, 1) if full.startswith(name))
    return date(year, month, int(at["d"]))


def _offset(text: str) -> timedelta:
    if text in "Zz":
        return timedelta(0)
    digits = text[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        raise ValueError
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if text[0] == "-" else offset
