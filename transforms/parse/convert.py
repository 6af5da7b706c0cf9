"""Convert the text of CSV fields to the types that a JSON Schema gives them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from transforms.errors import Reject
from transforms.parse.allowed import Allowed, properties_of
from transforms.parse.json_text import decode_long
from transforms.parse.numbers import TOO_LONG, exact, integer

ColumnTypes = tuple[tuple[str, frozenset[str]], ...]
"""The JSON types that a schema allows in each column, for the columns that it mentions."""

TYPED_TEXT = "typed text"
"""Stands among the types of a column whose strings are dates, times or UUIDs."""

_ABSENT = object()
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_BOOLEANS = {"true": True, "false": False}
_TYPED_FORMATS = frozenset({"date", "date-time", "time", "uuid"})


def convert(value: Any, types: ColumnTypes, quoted: Collection[str] = ()) -> Any:
    """``value`` with its text converted column by column; what is not text stays as it is.

    * integer, number: ``int``, or an exact ``Decimal`` if there is a point or an exponent.
    * boolean: ``true`` and ``false``, in any case.
    * object, array: the value of the JSON text.
    * string: the text itself.
    * An empty field is None if null is allowed. It is empty text if string is allowed, unless the
      string must be a date, a time or a UUID. Otherwise it is left out.
    * An empty field in quotes is empty text.
    * Text that fits no type stays text, for the schema to reject.

    Args:
        value: A row of CSV.
        types: The types that each column may have.
        quoted: The columns whose field is an empty pair of quotes.

    Raises:
        Reject: ``malformed``: a number is longer than ``transforms.parse.numbers.MAX_DIGITS``.
    """
    if not isinstance(value, Mapping):
        return value
    converted = dict(value)
    for column, allowed in types:
        text = converted.get(column)
        if type(text) is str and not (quoted and column in quoted):
            cell = _convert_text(text, allowed)
            if cell is _ABSENT:
                del converted[column]
            elif cell is not text:
                converted[column] = cell
    return converted


def _convert_text(text: str, allowed: frozenset[str]) -> Any:
    if not text:
        if "null" in allowed:
            return None
        return text if "string" in allowed and TYPED_TEXT not in allowed else _ABSENT
    if "string" in allowed:
        return text
    if "integer" in allowed or "number" in allowed:
        number = number_of(text)
        if number is not None:
            return number
        if _NUMBER.fullmatch(text):
            raise Reject(TOO_LONG, "malformed")
    if "boolean" in allowed:
        truth = _BOOLEANS.get(text.lower())
        if truth is not None:
            return truth
    if "object" in allowed or "array" in allowed:
        return _json_of(text)
    return text


def _json_of(text: str) -> Any:
    """The object or array that ``text`` is, or otherwise the text."""
    try:
        value = decode_long(text)
    except (ValueError, ArithmeticError, RecursionError):
        return text
    return value if isinstance(value, (dict, list)) else text


def number_of(text: str) -> int | Decimal | None:
    """The number that ``text`` is, or None; a leading ``+`` and leading zeros are allowed.

    >>> number_of("007"), number_of("-1.50"), number_of("1_000")
    (7, Decimal('-1.50'), None)
    """
    if not _NUMBER.fullmatch(text):
        return None
    try:
        return integer(text) if text.lstrip("+-").isdecimal() else exact(text)
    except ArithmeticError:  # too many digits, too large an exponent
        return None


@lru_cache(maxsize=1_000)  # one entry per header and schema
def column_types(schema: str, columns: tuple[str, ...] | None) -> ColumnTypes:
    """What ``schema`` allows in each of ``columns``; columns without a type are left out.

    None stands for all columns that the schema names.

    ``TYPED_TEXT`` is among the types of a column whose strings are all dates, times or UUIDs.
    """
    properties = properties_of(schema).allowed
    names = properties if columns is None else columns
    restricted = [(name, properties[name]) for name in names if name in properties]
    return tuple((name, _types(each)) for name, each in restricted if not each.anything)


def _types(allowed: Allowed) -> frozenset[str]:
    typed = "string" in allowed.types and allowed.formats <= _TYPED_FORMATS
    return allowed.types | {TYPED_TEXT} if typed else allowed.types
