"""Casts to ``text``, and from the text of JSON to the value that it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from transforms.mapping.field import Field
from transforms.parse.json import depth
from transforms.parse.json_text import decode_long, encode_json

MAX_DEPTH = 100


def text_of(value: Any) -> str:
    """A value as text: numbers as they are written, dates in ISO 8601, what has parts as JSON.

    Raises:
        ValueError: It has no text: bytes, NaN, an infinity; the message says what it is.
    """
    kind = type(value)
    if kind is str:
        return str(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int or (kind is Decimal and value.is_finite()):
        return str(value)
    if kind is float and math.isfinite(value):
        return repr(value)
    if isinstance(value, str):  # a subclass
        return str.__str__(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, dict | list):
        try:
            return encode_json(value).decode()
        except (TypeError, ValueError, RecursionError):
            raise ValueError("cannot be written as JSON") from None
    number = isinstance(value, float | Decimal)
    raise ValueError("is not a finite number" if number else "has no text")


def text(field: Field) -> Callable[[Any], Any]:
    """The function that gives a value as text."""

    def cast(value: Any) -> Any:
        if isinstance(value, str):
            return value
        try:
            return text_of(value)
        except ValueError as error:
            raise field.refused(value, str(error)) from None

    return cast


def json(field: Field, *, csv: bool) -> Callable[[Any], Any]:
    """The function that gives the value that a JSON text is; null for an empty cell of CSV.

    What is no text stays as it is.
    """

    def cast(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if csv and type(value) is str and not value:
            return None
        raw = value.encode("utf-8", "surrogatepass")
        if depth(raw) > MAX_DEPTH:
            raise field.refused(value, f"is nested deeper than {MAX_DEPTH} levels")
        try:
            return decode_long(raw)
        except (ValueError, ArithmeticError, RecursionError):
            raise field.refused(value, "is not JSON") from None

    return cast
