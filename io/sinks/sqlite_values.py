"""Values as SQLite stores them: exact, or refused.

SQLite has no decimal type. A decimal that a float holds exactly is bound as a float, any
other as text, and integers beyond 64 bits likewise, where the column keeps text as it is. A
column with a numeric affinity would turn such text into a rounded float without a word
(sqlite.org/datatype3.html, 3), so there it is refused; the numeric columns that this
project creates have no affinity.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Literal

import msgspec

from sinks.date_text import Kind, check_stored, declared_kind, refusal

Affinity = Literal["integer", "text", "none", "real", "numeric"]
Binder = Callable[[Any], Any]

encode_json = msgspec.json.Encoder(decimal_format="number").encode

_INT64 = range(-(2**63), 2**63)


def affinity_of(declared: str) -> Affinity:
    """The affinity of a declared type, by SQLite's own rules (datatype3.html, 3.1).

    >>> [affinity_of(t) for t in ("BIGINT", "VARCHAR(9)", "", "DOUBLE", "DECIMAL(9,2)")]
    ['integer', 'text', 'none', 'real', 'numeric']
    """
    name = declared.upper()
    if "INT" in name:
        return "integer"
    if any(part in name for part in ("CHAR", "CLOB", "TEXT")):
        return "text"
    if "BLOB" in name or not name:
        return "none"
    if any(part in name for part in ("REAL", "FLOA", "DOUB")):
        return "real"
    return "numeric"


def bind_column(declared: str, values: Sequence[Any]) -> Sequence[Any]:
    """The values of one column as they are bound.

    Raises:
        ValueError: A value cannot be stored as it is.
    """
    kinds = set(map(type, values))
    binder = binder_of(declared)
    whole = binder is not _json and declared_kind(declared) is None
    if whole and kinds <= {str, type(None)} and affinity_of(declared) != "integer":
        return values
    return list(map(binder, values))


def binder_of(declared: str) -> Binder:
    """How a value for a column of the declared type is bound."""
    if declared.upper() in ("JSON", "JSONB"):
        return _json
    kind = declared_kind(declared)
    if kind is not None:
        return lambda value: _date(kind, value)
    affinity = affinity_of(declared)
    if affinity == "text":
        return _text
    if affinity == "none":
        return _exact
    return _integer if affinity == "integer" else _number


def order_of(value: Any) -> tuple[int, Any]:
    """A sort key that orders bound values as SQLite does: NULL, numbers, text, blobs."""
    if value is None:
        return (0, 0)
    if isinstance(value, (int, float)):
        return (1, value)
    return (2, value) if isinstance(value, str) else (3, bytes(value))


def _json(value: Any) -> Any:
    return None if value is None else encode_json(value).decode()


def _text(value: Any) -> Any:
    """In a text column numbers keep their digits: the text 1.10 is not 1.1."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, Decimal)):
        return str(value)
    return _plain(value)


def _date(kind: Kind, value: Any) -> Any:
    """SQLite would keep a number in a column of dates as a number."""
    if isinstance(value, (bool, int, float, Decimal)):
        raise refusal(kind, value)
    if isinstance(value, str):
        check_stored(kind, value)
    return _plain(value)


def _exact(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value if value in _INT64 else str(value)
    if isinstance(value, Decimal):
        return _decimal(value)
    return _plain(value)


def _number(value: Any) -> Any:
    if isinstance(value, int) and value not in _INT64:
        raise ValueError("integer out of range: the column keeps 64 bits")
    return _exact(value)


def _integer(value: Any) -> Any:
    """Integers stay integers also when written 1.0 or, as in CSV, as text."""
    if isinstance(value, (Decimal, float)) and value == value.__trunc__():
        value = value.__trunc__()
    if isinstance(value, str) and value.lstrip("-").isdecimal() and value.isascii():
        value = int(value)
    return _number(value)


def _decimal(value: Decimal) -> Any:
    as_float = float(value)
    return as_float if Decimal(repr(as_float)) == value else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, (dict, list, tuple)):
        return encode_json(value).decode()
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    return str(value) if isinstance(value, uuid.UUID) else value
