"""Casts to ``integer``, ``number`` and ``decimal``: exact, or refused."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from transforms.mapping.field import Field
from transforms.mapping.operations import Numeric
from transforms.parse.convert import number_of
from transforms.parse.numbers import INT_DIGITS, exact

USUAL_DIGITS = 18
"""A text of so many digits is read without a closer look."""

_EXACT_FLOAT = 1 << 53
"""Up to here a float holds every integer."""

_WHAT = {"integer": "an integer", "number": "a number", "decimal": "a decimal number"}


def numeric(to: Numeric, field: Field, *, csv: bool) -> Callable[[Any], Any]:
    """The function that gives the number that a value is; null for an empty cell of CSV.

    It raises ``Reject`` for what is no number (NaN and infinities too), and for ``integer`` also
    where there is a fraction.
    """
    number = _number(to, field, csv=csv)
    if to.to == "number":
        return number
    if to.to == "decimal":
        return _decimal(number, plain=_has_usual_signs(to))
    return _integer(number, field)


def _has_usual_signs(to: Numeric) -> bool:
    return not to.thousands and to.point == "."


def _integer(number: Callable[[Any], Any], field: Field) -> Callable[[Any], Any]:
    def whole(value: Any) -> Any:
        read = number(value)
        if type(read) is Decimal:
            return _whole(read, value, field)
        if type(read) is float:
            if not read.is_integer():
                raise field.refused(value, "is not an integer")
            if abs(read) > _EXACT_FLOAT:
                raise field.refused(value, "is a float too large to be an exact integer")
            return int(read)
        return read

    def cast(value: Any) -> Any:
        if type(value) is int:
            return value
        if (
            type(value) is str
            and value.isdecimal()
            and value.isascii()
            and len(value) <= USUAL_DIGITS
        ):
            return int(value)
        return whole(value)

    return cast


def _whole(read: Decimal, value: Any, field: Field) -> int | Decimal:
    _, digits, exponent = read.as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - it is finite
    if exponent < 0 and any(digits[max(0, len(digits) + exponent) :]):
        raise field.refused(value, "is not an integer")
    if read.adjusted() >= INT_DIGITS:
        return read
    return int(read)


def _decimal(number: Callable[[Any], Any], *, plain: bool) -> Callable[[Any], Any]:
    def cast(value: Any) -> Any:
        if type(value) is str:
            if (
                plain
                and len(value) <= USUAL_DIGITS
                and value.isascii()
                and value.replace(".", "", 1).isdecimal()
            ):
                return exact(value)
        elif type(value) is Decimal and value.is_finite():
            return value
        read = number(value)
        if type(read) is float:
            return exact(repr(read))
        return Decimal(read) if type(read) is int else read

    return cast


def _number(to: Numeric, field: Field, *, csv: bool) -> Callable[[Any], Any]:
    """The function that gives the number that a value is, as it is written."""
    what = _WHAT[to.to]
    pattern = None if _has_usual_signs(to) else _pattern(to)

    def number(value: Any) -> Any:
        kind = type(value)
        if kind is str:
            text = value.strip()
            if pattern is not None:
                if pattern.fullmatch(text) is None:
                    text = "?"
                if to.thousands:
                    text = text.replace(to.thousands, "")
                text = text.replace(to.point, ".")
            read = number_of(text)
            if read is not None:
                return read
            if not value and csv:
                return None
        elif kind is int:
            return value
        elif kind is Decimal:
            if value.is_finite():
                return value
        elif kind is float and math.isfinite(value):
            return value
        raise field.refused(value, f"is not {what}")

    return number


def _pattern(to: Numeric) -> re.Pattern[str]:
    """How a number is written with these signs: groups of three digits, or none."""
    point = re.escape(to.point)
    whole = "[0-9]+"
    if to.thousands:
        whole = rf"(?:[0-9]{{1,3}}(?:{re.escape(to.thousands)}[0-9]{{3}})+|[0-9]+)"
    return re.compile(rf"[+-]?(?:{whole}(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?")
