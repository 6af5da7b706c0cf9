"""Dates and times as Arrow's arrays; where they have no zone they are UTC, as in a database session."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sinks.objects.encoding.cells.unfit import Explained, shown
from sinks.text.date_text import check_text

_TEXTS = frozenset({str, type(None)})


def timestamps(cells: Sequence[Any], arrow: Any) -> Any:
    """Times with a date as an array of Arrow's type ``arrow``, in UTC if that has a zone.

    Raises:
        ValueError, TypeError: A cell is no such time, or is finer than a microsecond.
    """
    if arrow.tz and set(map(type, cells)) <= _TEXTS:
        try:
            return pc.cast(pa.array(cells, pa.string()), arrow)
        except pa.ArrowInvalid:
            pass  # Arrow reads fewer spellings than RFC 3339 has
    moments = [cell if cell is None else _moment(cell, zoned=bool(arrow.tz)) for cell in cells]
    return pa.array(moments, arrow)


def _moment(cell: Any, *, zoned: bool) -> datetime:
    """The moment that a cell names; where it has no zone, it is UTC, as in a database session."""
    moment = cell
    if isinstance(cell, str):
        _, point, rest = cell.partition(".")
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))] if point else ""
        if digits[6:].strip("0"):
            raise Explained(f"{shown(cell)} has digits beyond the microsecond")
        check_text("timestamp", cell)
        moment = datetime.fromisoformat(cell.upper())
    if not isinstance(moment, datetime):
        raise TypeError
    if zoned:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if moment.tzinfo is not None:
        raise Explained(f"{shown(cell)} has a zone, and the column has none")
    return moment


def dates(cells: Sequence[Any], arrow: Any) -> Any:
    """Dates as an array of Arrow's type ``arrow``.

    Raises:
        ValueError, TypeError: A cell is no date, or has a time.
    """
    if set(map(type, cells)) <= _TEXTS:
        return pc.cast(pa.array(cells, pa.string()), arrow)
    return pa.array([cell if cell is None else _day(cell) for cell in cells], arrow)


def _day(cell: Any) -> date:
    if isinstance(cell, datetime) or not isinstance(cell, (date, str)):
        raise TypeError
    if isinstance(cell, date):
        return cell
    if len(cell) != len("2024-01-31"):
        raise ValueError
    check_text("date", cell)
    return date.fromisoformat(cell)
