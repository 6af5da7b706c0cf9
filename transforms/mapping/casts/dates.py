"""Casts to ``date`` and ``timestamp``, which give text in ISO 8601, to the last digit.

JSON has dates as text, and so does everything behind a mapping: databases and JSON Schema read it,
and it holds nanoseconds. A date or time that a typed source gives stays what it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from transforms.mapping.casts.formats import ISO, Moment, reader
from transforms.mapping.field import Field
from transforms.mapping.operations import Moment as MomentCast
from transforms.parse.convert import number_of
from transforms.parse.epochs import instant
from transforms.parse.numbers import exact

Read = Callable[[str], Moment | None]

USUAL_TIMESTAMP = "2024-02-03T04:05:06Z"
"""A text of this length and with these signs needs no closer look than Python's."""

_USUAL_SIGNS = USUAL_TIMESTAMP[4::3]
_USUAL_LENGTH = len(USUAL_TIMESTAMP)

_RANGE = "is beyond the years 1 to 9999"


def timestamp(to: MomentCast, field: Field, *, csv: bool) -> Callable[[Any], Any]:
    """The function that gives the timestamp that a value is; null for an empty cell of CSV.

    A time without a zone gets the one of ``to``, and is refused if it occurs twice or never there.
    A date is its first moment.
    """
    read = _texts(to, field, csv=csv)
    zone = ZoneInfo(to.zone) if to.zone else None
    iso = to.formats == (ISO,)
    from_iso = datetime.fromisoformat

    def cast(value: Any) -> Any:
        if (
            iso
            and type(value) is str
            and len(value) == _USUAL_LENGTH
            and value[4::3] == _USUAL_SIGNS
        ):
            try:
                from_iso(value)
            except ValueError:
                raise field.refused(value, "is not a timestamp") from None
            return value
        return other(value)

    def other(value: Any) -> Any:
        if isinstance(value, datetime):
            return _in_zone(value, zone, value, field) if zone and value.tzinfo is None else value
        if isinstance(value, date):
            return other(datetime.combine(value, time()))
        if isinstance(value, str):
            moment = read(value)
            if moment is not None:
                return _written(moment, zone, value, field)
            if not to.epoch:
                return None
        return _epoch(value, to, field, csv=csv)

    return cast


def day(to: MomentCast, field: Field, *, csv: bool) -> Callable[[Any], Any]:
    """The function that gives the date that a value is; null for an empty cell of CSV.

    What has a time other than midnight, or a zone, is refused: its day is not certain.
    """
    read = _texts(to, field, csv=csv)
    zone = ZoneInfo(to.zone or "UTC")
    iso = to.formats == (ISO,)
    from_iso = date.fromisoformat

    def cast(value: Any) -> Any:
        if iso and type(value) is str and len(value) == 10 and value[4] == "-" and value[7] == "-":
            try:
                from_iso(value)
            except ValueError:
                raise field.refused(value, "is not a date") from None
            return value
        return other(value)

    def other(value: Any) -> Any:
        if isinstance(value, datetime):
            if value.tzinfo is not None or value.time() != time():
                raise field.refused(value, "has a time, so it is not a date")
            return value.date()
        if isinstance(value, date):
            return value
        if isinstance(value, str):
            moment = read(value)
            if moment is not None:
                if moment.offset is not None or moment.fraction or moment.local.time() != time():
                    raise field.refused(value, "has a time, so it is not a date")
                return moment.local.date().isoformat()
            if not to.epoch:
                return None
        return _epoch(value, to, field, csv=csv, zone=zone)

    return cast


def _texts(to: MomentCast, field: Field, *, csv: bool) -> Callable[[str], Moment | None]:
    """The function that reads a text by the formats of a cast.

    It gives None for what may be something else: an empty cell of CSV, or a number.
    """
    readers = list(map(reader, to.formats))
    listed = " or ".join("ISO 8601" if each == ISO else each for each in to.formats)
    what = "a date" if to.to == "date" else "a timestamp"

    def read(value: str) -> Moment | None:
        text = value.strip()
        if moments := _moments(readers, text):
            if len(moments) > 1:
                raise field.refused(value, f"is not the same by {listed}")
            return moments[0]
        if to.epoch or (csv and type(value) is str and not value):
            return None
        raise field.refused(value, f"is not {what} ({listed})")

    return read


def _moments(readers: Sequence[Read], text: str) -> list[Moment]:
    """What a text says by different formats, where that differs."""
    moments: list[Moment] = []
    for read in readers:
        moment = read(text)
        if moment is not None and moment not in moments:
            moments.append(moment)
    return moments


def _written(moment: Moment, zone: ZoneInfo | None, value: Any, field: Field) -> str:
    """A moment in ISO 8601."""
    local, suffix = moment.local, ""
    if moment.offset is not None:
        try:
            local - moment.offset
        except OverflowError:
            raise field.refused(value, _RANGE) from None
        suffix = _zone_text(moment.offset)
    elif zone is not None:
        local = _in_zone(local, zone, value, field).replace(tzinfo=None)
        suffix = "Z"
    return f"{local.isoformat()}{'.' if moment.fraction else ''}{moment.fraction}{suffix}"


def _zone_text(offset: timedelta) -> str:
    minutes = round(offset.total_seconds()) // 60
    if not minutes:
        return "Z"
    sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}"


def _in_zone(local: datetime, zone: ZoneInfo, value: Any, field: Field) -> datetime:
    """The instant, in UTC, at which clocks in ``zone`` show ``local``."""
    try:
        first = local.replace(tzinfo=zone, fold=0)
        second = local.replace(tzinfo=zone, fold=1)
        before, after = first.utcoffset(), second.utcoffset()
        if before != after and before is not None and after is not None:
            times = "never" if before < after else "twice"
            raise field.refused(value, f"occurs {times} in {zone.key}")
        return first.astimezone(UTC)
    except (OverflowError, ValueError):
        raise field.refused(value, _RANGE) from None


def _epoch(
    value: Any, to: MomentCast, field: Field, *, csv: bool, zone: ZoneInfo | None = None
) -> Any:
    """The instant that a number is, or its day in ``zone``."""
    if csv and type(value) is str and not value:
        return None
    number = _number(value) if to.epoch else None
    if number is None:
        what = "a date" if to.to == "date" else "a timestamp"
        hint = (
            "" if to.epoch or not _is_number(value) else " (epoch: s, ms, us or ns says its unit)"
        )
        raise field.refused(value, f"is not {what}{hint}")
    try:
        text = instant(number, to.epoch)
        if zone is None:
            return text
        at = datetime.fromisoformat(text[:19]).replace(tzinfo=UTC)
        return at.astimezone(zone).date().isoformat()
    except ValueError as error:
        raise field.refused(value, str(error)) from None
    except OverflowError:
        raise field.refused(value, _RANGE) from None


def _number(value: Any) -> int | Decimal | None:
    if isinstance(value, str):
        return number_of(value.strip())
    if type(value) is float:
        return exact(repr(value)) if math.isfinite(value) else None
    if type(value) is int:
        return value
    return value if type(value) is Decimal and value.is_finite() else None


def _is_number(value: Any) -> bool:
    return not isinstance(value, str) and _number(value) is not None
