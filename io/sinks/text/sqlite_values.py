"""Values as SQLite stores them: exact, or refused.

SQLite has no decimal type. A decimal that a float represents exactly is bound as a float. Any
other decimal, and an integer beyond 64 bits, is bound as text where the column keeps text as it
is. A column with a numeric affinity would silently turn such text into a rounded float
(sqlite.org/datatype3.html, 3), so there it is refused. The numeric columns that this project
creates have no affinity.
"""

from __future__ import annotations

import datetime
import math
import re
import sys
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Literal

from sinks.text.date_text import Kind, check_stored, declared_kind, refusal
from transforms.parse.json_text import encode_json, encode_json_lines

Affinity = Literal["integer", "text", "none", "real", "numeric"]
Binder = Callable[[Any], Any]

_INT64 = range(-(2**63), 2**63)
_WITH_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:")
_YEAR = re.compile("[0-9]{4}-")

_TEXTS: frozenset[type] = frozenset({str, type(None)})
_NUMBERS: frozenset[type] = frozenset({int, float, Decimal, type(None)})
_INTEGERS: frozenset[type] = frozenset({int, type(None)})
_FLOAT_DIGITS = sys.float_info.dig
_PLAIN = b"0123456789.-"
"""What numbers without an exponent are written with."""


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
    """The values of one column, ready to be bound.

    Raises:
        ValueError: A value cannot be stored as it is.
    """
    kinds = set(map(type, values))
    binder = binder_of(declared)
    usual = _bound_at_once(declared, binder, kinds, values) if len(values) > 1 else None
    return list(map(binder, values)) if usual is None else usual


def _bound_at_once(
    declared: str, binder: Binder, kinds: set[type], values: Sequence[Any]
) -> Sequence[Any] | None:
    """The values of a column as ``binder`` prepares them, all at once; None if they are not usual ones."""
    if binder is _json:
        return _json_texts(values)
    if kinds <= _TEXTS:
        kind = declared_kind(declared)
        if kind is None:
            return None if binder is _integer else values
        return values if kind == "timestamp" and _begin_with_a_year(values) else None
    if binder in (_exact, _number, _integer) and kinds <= _NUMBERS:
        if binder is _integer and not kinds <= _INTEGERS:
            return None
        return _numbers(values, kinds)
    return None


def _json_texts(values: Sequence[Any]) -> Sequence[Any] | None:
    try:
        lines = encode_json_lines(values).decode().split("\n")
    except (ValueError, TypeError, RecursionError):
        return None  # one of them is refused, and its own error says why
    if lines.pop() or len(lines) != len(values):
        return None
    if None not in values:
        return lines
    return [None if value is None else line for value, line in zip(values, lines, strict=True)]


def _begin_with_a_year(texts: Sequence[str | None]) -> bool:
    """Whether all of ``texts`` begin as in ISO 8601: none is a number, or a word for the moment."""
    beginnings = {text[:5] for text in texts if text is not None}
    return all(map(_YEAR.match, beginnings))


def _numbers(values: Sequence[Any], kinds: set[type]) -> Sequence[Any] | None:
    """Integers of 64 bits, floats, and decimals so short that each is a float of its own."""
    if int in kinds:
        integers = [value for value in values if type(value) is int]
        if min(integers) not in _INT64 or max(integers) not in _INT64:
            return None
    if Decimal not in kinds:
        return values
    whole = len(kinds) == 1
    decimals = values if whole else [value for value in values if type(value) is Decimal]
    texts = list(map(str, decimals))
    # A float tells all decimals of 15 digits apart, so that it is written with the same digits again.
    if max(map(len, texts)) > _FLOAT_DIGITS or "".join(texts).encode().translate(None, _PLAIN):
        return None
    floats = list(map(float, texts))
    if whole:
        return floats
    rest = iter(floats)
    return [next(rest) if type(value) is Decimal else value for value in values]


def binder_of(declared: str) -> Binder:
    """The function that prepares a value for a column of the declared type."""
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


def is_older(declared: str, current: Any, new: Any) -> bool:
    """Whether ``current``, as stored in a column of the declared type, comes before ``new``.

    SQLite itself compares texts by their characters. Here points in time are compared as points in
    time, whatever their offset, and exact numbers that are stored as text as numbers.

    >>> is_older("TEXT", "2026-01-01T10:00:00+05:00", "2026-01-01T09:00:00Z")
    True
    """
    if isinstance(new, float) and math.isnan(new):
        return False  # SQLite stores NULL
    numbers = _as_number(declared, current), _as_number(declared, new)
    if None not in numbers:
        return bool(numbers[0] < numbers[1])  # type: ignore[operator]
    times = _as_instant(current), _as_instant(new)
    if times[0] is not None and times[1] is not None:
        return times[0] < times[1]
    return order_of(current) < order_of(new)


_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)? ?(Z|[+-]\d\d(:?\d\d)?)?)?", re.IGNORECASE
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


def _as_instant(value: Any) -> tuple[datetime.datetime, str] | None:
    """A point in time, and its digits beyond microseconds; UTC unless an offset is given."""
    if not isinstance(value, str) or _INSTANT.fullmatch(value) is None:
        return None
    fraction = re.search(r"\.\d{6}(\d+)", value)
    try:
        instant = datetime.datetime.fromisoformat(value.upper().replace(" Z", "Z"))
    except ValueError:
        return None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=datetime.UTC)
    return instant, fraction[1].ljust(3, "0") if fraction else "000"


def _as_number(declared: str, value: Any) -> Decimal | None:
    """A number; text may be one unless the column is declared to contain text."""
    if isinstance(value, (int, float)) and not math.isnan(value):
        return Decimal(value)
    if isinstance(value, str) and affinity_of(declared) != "text" and _NUMBER.fullmatch(value):
        return Decimal(value)
    return None


def _json(value: Any) -> Any:
    return None if value is None else encode_json(value).decode()


def _text(value: Any) -> Any:
    """In a text column, numbers keep their digits: the text 1.10 is not 1.1."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, Decimal)):
        return str(value)
    return _plain(value)


def _date(kind: Kind, value: Any) -> Any:
    """A number is refused: SQLite would store it as a number, even in a column of dates.

    A date drops the time behind it, as in Postgres.
    """
    if isinstance(value, (bool, int, float, Decimal)):
        raise refusal(kind, value)
    if isinstance(value, str):
        check_stored(kind, value)
    plain = _plain(value)
    if kind == "date" and type(plain) is str and _WITH_TIME.match(plain):
        return plain[:10]
    return plain


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
    """Integers stay integers, even if they are written 1.0 or, as in CSV, as text."""
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
