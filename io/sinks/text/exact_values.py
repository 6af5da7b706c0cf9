"""Values as databases take them that would change some without a word: exact, or refused with the reason."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal, InvalidOperation
from typing import Any

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_LONGEST = 60


def number_of(value: Any, what: str) -> Decimal:
    """A number, or the text of one, digit by digit.

    Args:
        value: Whatever a record has.
        what: What it should be, for the message: "a whole number".

    Raises:
        ValueError: It is none, or not finite.

    >>> number_of("1.50", "a number")
    Decimal('1.50')
    """
    if isinstance(value, float):
        value = repr(value)
    if isinstance(value, str):
        text = value.strip()
        if not _NUMBER.fullmatch(text) or not text.isascii():
            raise ValueError(f"{shown(value)} is not {what}")
        try:
            value = Decimal(text)
        except InvalidOperation as error:
            raise ValueError(f"{shown(value)} is not {what}") from error
    if isinstance(value, int):
        return Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite():
        raise ValueError(f"{shown(value)} is not {what}")
    return value


def in_utc(moment: datetime.datetime) -> datetime.datetime:
    """An instant in UTC without its zone; one without a zone stays as it is.

    Raises:
        ValueError: It is in no year from 1 to 9999 there.
    """
    if moment.tzinfo is None:
        return moment
    try:
        return moment.astimezone(datetime.UTC).replace(tzinfo=None)
    except OverflowError:
        raise ValueError(f"{moment.isoformat()} is not a year between 1 and 9999 in UTC") from None


def too_precise(value: str, digits: int) -> str:
    """Why an instant is refused by a column that keeps so many digits of a second."""
    kept = f"{digits} digits of a second" if digits else "whole seconds only"
    return f"{shown(value)} is more precise than the column, which keeps {kept}"


def shown(value: object) -> str:
    """A value in a message, shortened."""
    text = str(value)
    return repr(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")
