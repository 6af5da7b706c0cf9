"""Values as SQLAlchemy's types take them, which convert no text by themselves."""

from __future__ import annotations

import datetime
import uuid
from decimal import Context, Decimal
from typing import Any

import sqlalchemy as sa

from sinks.text.copy_text import as_text
from sinks.text.date_text import Kind, check_text, refusal

SqlType = sa.types.TypeEngine[Any]

_DATES: tuple[tuple[type[SqlType], Kind], ...] = (
    (sa.DateTime, "timestamp"),
    (sa.Date, "date"),
    (sa.Time, "time"),
    (sa.Interval, "interval"),
)


def convert(sql_type: SqlType, value: Any, *, decimals: bool = True) -> Any:
    """``value`` for a column of ``sql_type``.

    An instant for a column without a time zone is in UTC.

    Args:
        sql_type: The type.
        value: Of a record.
        decimals: Whether the driver takes decimal numbers; otherwise it makes floating-point ones of them.

    Raises:
        ValueError: The value is not one of this type (also ``TypeError``, ``ArithmeticError``).

    >>> convert(sa.Integer(), "17"), convert(sa.Text(), True)
    (17, 'true')
    """
    if value is None or isinstance(sql_type, sa.JSON):
        return value
    for date_type, kind in _DATES:
        if isinstance(sql_type, date_type) and isinstance(value, (int, float, Decimal)):
            raise refusal(kind, value)
        if isinstance(sql_type, date_type) and isinstance(value, str):
            check_text(kind, value)
    if isinstance(sql_type, sa.Numeric) and not isinstance(sql_type, sa.Float):
        _check_digits(sql_type.scale, value, decimals)
    if isinstance(value, str):
        if isinstance(sql_type, sa.DateTime):
            return _in_utc(sql_type, datetime.datetime.fromisoformat(value))
        if isinstance(sql_type, sa.Date):
            return datetime.date.fromisoformat(value)
        if isinstance(sql_type, sa.Time):
            return datetime.time.fromisoformat(value)
        if isinstance(sql_type, sa.Uuid):
            return uuid.UUID(value)
        if isinstance(sql_type, sa.Integer):
            return int(value)
        return Decimal(value) if isinstance(sql_type, sa.Numeric) else value
    if isinstance(sql_type, sa.Integer) and isinstance(value, (Decimal, float)):
        if value != value.__trunc__():
            raise ValueError(f"{value} is not an integer")
        return value.__trunc__()
    if isinstance(sql_type, sa.DateTime) and isinstance(value, datetime.datetime):
        return _in_utc(sql_type, value)
    return as_text(value) if isinstance(sql_type, sa.String) else value


def _in_utc(sql_type: sa.DateTime, value: datetime.datetime) -> datetime.datetime:
    if value.tzinfo is None or sql_type.timezone:
        return value
    return value.astimezone(datetime.UTC).replace(tzinfo=None)


def _check_digits(scale: int | None, value: Any, decimals: bool) -> None:
    """Refuse what a database or its driver would round without a word."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
        return
    number = Decimal(str(value))
    if not number.is_finite():
        return  # the database says whether it takes it
    if not decimals and Decimal(repr(float(number))) != number:
        raise ValueError(f"{value} has more digits than the driver keeps, which would be rounded")
    if scale is None:
        return
    exponent = (
        number.normalize(Context(prec=max(1, len(number.as_tuple().digits)))).as_tuple().exponent
    )
    if isinstance(exponent, int) and -exponent > scale:
        raise ValueError(
            f"{value} has more than {scale} digits behind the point, which would be rounded"
        )
