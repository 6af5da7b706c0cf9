"""Numbers that count seconds, or parts of them, since 1970: they become ISO 8601 text.

A number may be an instant in any unit, and nothing in it tells the unit, so none is read as a date
unless the user names the column and its unit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from transforms.batch.record import RecordBatch
from transforms.errors import ConfigError, Reject
from transforms.parse.allowed import properties_of
from transforms.parse.convert import number_of
from transforms.steps.apply import apply_to_values

UNITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
"""The units, and by how many digits each is smaller than a second."""

_START = datetime(1970, 1, 1)
_LONGEST = 25  # digits before the point, which is more than nanoseconds of the year 9999 have
_FINEST = 18  # digits of a second
_USUAL = 10**18
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class EpochColumn:
    """A column of instants that are numbers.

    Attributes:
        name: Its name.
        unit: One of ``UNITS``.
        day: Whether only the day (in UTC) is wanted.
    """

    name: str
    unit: str
    day: bool = False


def epoch_columns(texts: Sequence[str], schema: str | None = None) -> tuple[EpochColumn, ...]:
    """The columns in ``COLUMN=UNIT`` texts; of those that are dates by ``schema``, only the day.

    Raises:
        ConfigError: A text has no unit, or names a column again.

    >>> epoch_columns(["at=ms"])
    (EpochColumn(name='at', unit='ms', day=False),)
    """
    properties = {} if schema is None else properties_of(schema).allowed
    columns: dict[str, EpochColumn] = {}
    for text in texts:
        name, _, unit = text.rpartition("=")
        if not name or unit not in UNITS:
            raise ConfigError(f"--epoch must be COLUMN=s, ms, us or ns, got {text!r}")
        if name in columns:
            raise ConfigError(f"--epoch names column {name} twice")
        day = name in properties and properties[name].formats == {"date"}
        columns[name] = EpochColumn(name, unit, day)
    return tuple(columns.values())


def with_instants(
    batch: RecordBatch, columns: Sequence[EpochColumn], stage: str, *, quotes: bool = True
) -> RecordBatch:
    """``batch`` with text for the numbers of ``columns``; what is no number stays as it is.

    A record with a number that is no instant of the years 1 to 9999 becomes a failure, whose message
    says the number if it ``quotes``.
    """
    if not columns or not batch.values:
        return batch

    def one(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        changed = {}
        for column in columns:
            cell = value.get(column.name)
            if cell is not None and (number := _number(cell)) is not None:
                changed[column.name] = _instant(column, number, cell if quotes else "a number of")
        return {**value, **changed} if changed else value

    return apply_to_values(batch, batch.values, one, stage, quotes=quotes)


def _number(cell: Any) -> int | Decimal | None:
    """The number that a cell is, or None."""
    if type(cell) is str:
        return number_of(cell.strip())
    if type(cell) is float:
        return Decimal(repr(cell)) if math.isfinite(cell) else None
    return cell if type(cell) in (int, Decimal) else None


def _instant(column: EpochColumn, number: int | Decimal, cell: Any) -> str:
    """ISO 8601 text of the instant, or of the day, in a cell.

    Raises:
        Reject: It is beyond the years 1 to 9999, or has too many digits.
    """
    try:
        text = instant(number, column.unit)
    except ValueError as error:
        raise _refused(column, cell, str(error)) from None
    return text[: len("2000-01-01")] if column.day else text


def instant(number: int | Decimal, unit: str) -> str:
    """ISO 8601 text of an instant in UTC, to the last digit.

    Args:
        number: How many units after 1970 it is.
        unit: One of ``UNITS``.

    Raises:
        ValueError: It is beyond the years 1 to 9999, or has too many digits; the message says which.

    >>> instant(1718000000123, "ms")
    '2024-06-10T06:13:20.123Z'
    """
    if type(number) is int and -_USUAL < number < _USUAL:
        whole, places, length = number, UNITS[unit], _LONGEST
    else:
        sign, digits, exponent = Decimal(number).as_tuple()
        if not isinstance(exponent, int):  # not a number
            raise ValueError("is no number")
        places, length = UNITS[unit] - exponent, len(digits)
        if length - places > _LONGEST:
            raise ValueError("is beyond the years 1 to 9999")
        whole = int("".join(map(str, digits))) * (-1 if sign else 1)
    if places <= 0:
        seconds, fraction = whole * 10**-places, ""
    else:
        if places > length + _LONGEST:
            raise ValueError(f"has more than {_FINEST} digits of a second")
        seconds, rest = divmod(whole, 10**places)
        fraction = f"{rest:0{places}}".rstrip("0")
    if len(fraction) > _FINEST:
        raise ValueError(f"has more than {_FINEST} digits of a second")
    try:
        at = _START + timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError("is beyond the years 1 to 9999") from None
    return f"{at.isoformat()}{'.' if fraction else ''}{fraction}Z"


def _refused(column: EpochColumn, cell: Any, why: str) -> Reject:
    shown = str(cell)
    shown = shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"
    return Reject(f"column {column.name}: {shown} {column.unit} since 1970 {why}", "data")
