"""A row of typed values as readable JSON that gives back exactly the same values.

The form is an array: the row; the types of the columns for which JSON has no type; and, for a
row that cannot be read, the stored content of its unreadable columns::

    [{"id": "a", "b": "/w==", "f": "NaN"}, {"b": "bytes", "f": "float"}]
    [{"id": "a"}, {}, {"s": {"type": "string", "problem": "…", "stored": {"hex": "ff"}}}]

A type is ``bytes`` (base64), ``float``, ``decimal``, ``date``, ``time``, ``timestamp`` or
``duration`` (ISO 8601), ``["list", type]``, ``["struct", {name: type}]``,
``["map", key's type, value's type]``, or null for the types that JSON has itself. A value of type
``any``, which may have one of several types, is written as ``[type, value]``.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from transforms.errors import Reject
from transforms.parse.far_dates import is_far
from transforms.parse.json_text import encode_decimal_text

Kind = Any
"""The type of a column, as a stored row names it."""

TYPED = ("parquet", "avro")
"""Formats whose values come from the reader; their raw bytes are such rows."""

ANY: Kind = "any"
"""The kind of values that each have a type of their own."""

MIDNIGHT_AFTER = "24:00:00"
"""The end of a day, which databases have and the ``time`` of Python lacks."""

_SHOWN = 200
_parts = msgspec.json.Decoder(list[msgspec.Raw]).decode
_DAMAGED = (ValueError, TypeError, ArithmeticError, LookupError, RecursionError)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A value that cannot be read, in the form in which the source stores it.

    Attributes:
        type: The column's type, as the source names it.
        problem: What is wrong with the value.
        stored: The value as numbers, text and ``{"hex": …}``.
    """

    type: str
    problem: str
    stored: Any


class RowEncoder:
    """Encodes the rows of one schema.

    Args:
        kinds: The type of each column.

    Attributes:
        tail: What follows the values in the bytes of each row.
    """

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        named = {name: kind for name, kind in kinds.items() if kind is not None}
        self._types = encode_decimal_text(named)
        self.tail = b"," + self._types + b"]"

    def encode_all(self, rows: Sequence[Mapping[str, Any]]) -> list[bytes]:
        """The bytes of each row; values that JSON cannot carry have been through ``written``.

        Raises:
            TypeError, ValueError: A value cannot be written as JSON.
        """
        tail = self.tail
        return [b"[" + each + tail for each in map(encode_decimal_text, rows)]

    def encode_unreadable(
        self, row: Mapping[str, Any], unreadable: Mapping[str, Unreadable]
    ) -> bytes:
        """The bytes of a row of which some columns cannot be read; ``row`` has the other columns."""
        return encode_decimal_text([row, msgspec.Raw(self._types), unreadable])


def decode(raw: bytes, *, quotes: bool = True) -> dict[str, Any]:
    """The row whose bytes are ``raw``; ``quotes`` says whether a message may quote them.

    Raises:
        Reject: ``malformed``: the row could not be read when it was stored, or ``raw`` is damaged.
    """
    try:
        row, types, *rest = _parts(raw)
        unreadable = msgspec.json.decode(rest[0], type=dict[str, Unreadable]) if rest else {}
        values = msgspec.json.decode(row, type=dict[str, Any])
        for name, read in _readers(bytes(types)):
            value = values.get(name)
            if value is not None:
                values[name] = read(value)
    except _DAMAGED as error:
        reason = f": {error}" if quotes else ""
        raise Reject(f"the kept row cannot be read{reason}", "malformed") from error
    if unreadable:
        raise Reject(problem_of(unreadable, quotes=quotes), "malformed")
    return values


def decode_all(raws: Sequence[bytes]) -> list[dict[str, Any]] | None:
    """The rows whose bytes are ``raws``, or None if ``decode`` would reject any of them."""
    try:
        return list(map(decode, raws))
    except Reject:
        return None


def problem_of(unreadable: Mapping[str, Unreadable], *, quotes: bool = True) -> str:
    """One line that names the columns that cannot be read and, with ``quotes``, what is wrong."""
    return "; ".join(
        f"column {name!r} ({each.type}): "
        + (each.problem[:_SHOWN] if quotes else "a value that cannot be read")
        for name, each in unreadable.items()
    )


def types_in(raw: bytes) -> dict[str, Kind]:
    """The types of the columns of a row of ``RowEncoder``, for those for which JSON has no type.

    Raises:
        Reject: ``malformed``: it is no such row.
    """
    try:
        _, types, *_ = _parts(raw)
        return msgspec.json.decode(types, type=dict[str, Any])
    except _DAMAGED as error:
        raise Reject(f"the kept row cannot be read: {error}", "malformed") from error


def unreadable_in(raw: bytes) -> dict[str, Unreadable]:
    """The values in a row of ``RowEncoder.encode_unreadable`` that cannot be read.

    Raises:
        ValueError: The row has none, or is damaged.
    """
    _, _, third = _parts(raw)
    return msgspec.json.decode(third, type=dict[str, Unreadable])


def written(kind: Kind, value: Any) -> Any:
    """``value`` in a form that JSON can carry: NaN and infinities as text, maps as pairs."""
    if value is None:
        return None
    if kind == "float":
        return value if math.isfinite(value) else _non_finite(value)
    if kind == ANY:
        own = _kind_of(value)
        return [own, written(own, value)]
    if type(kind) is not list:
        return value
    if kind[0] == "list":
        return [written(kind[1], each) for each in value]
    if kind[0] == "struct":
        return {name: written(kind[1].get(name), each) for name, each in value.items()}
    _, key, item = kind
    if isinstance(value, dict):
        if key is None and all(type(each) is str for each in value):
            return {name: written(item, each) for name, each in value.items()}
        value = list(value.items())
    return [[written(key, k), written(item, v)] for k, v in value]


def _kind_of(value: Any) -> Kind:
    """The type of one value."""
    if isinstance(value, Mapping):
        fields = {name: _kind_of(each) for name, each in value.items()}
        named = {name: kind for name, kind in fields.items() if kind is not None}
        return ["struct", named] if named else None
    if isinstance(value, list):
        kinds = [_kind_of(each) for each in value if each is not None]
        return ["list", ANY] if any(kind is not None for kind in kinds) else None
    return _KINDS.get(type(value))


def map_of(pairs: list[tuple[Any, Any]]) -> Any:
    """The pairs of a map as a dict, or as a list of pairs if a key occurs twice."""
    try:
        shaped = dict(pairs)
    except TypeError:  # a key that cannot be hashed, e.g. a struct
        return [list(pair) for pair in pairs]
    return shaped if len(shaped) == len(pairs) else [list(pair) for pair in pairs]


Read = Callable[[Any], Any]


@lru_cache(maxsize=256)
def _readers(types: bytes) -> tuple[tuple[str, Read], ...]:
    kinds = msgspec.json.decode(types, type=dict[str, Any])
    return tuple((name, _reader(kind)) for name, kind in kinds.items())


def _reader(kind: Kind) -> Read:
    """The function that turns a JSON value into a value of this type; never called with None."""
    if kind is None:
        return lambda value: value
    if type(kind) is str:
        return _SCALARS[kind]
    if kind[0] == "list":
        item = _nullable(kind[1])
        return lambda values: [item(value) for value in values]
    if kind[0] == "struct":
        readers = {name: _nullable(field) for name, field in kind[1].items()}
        return lambda value: {
            name: readers[name](field) if name in readers else field
            for name, field in value.items()
        }
    if kind[0] != "map":
        raise ValueError(f"unknown type {kind[0]!r}")
    key, item = _nullable(kind[1]), _nullable(kind[2])
    return lambda value: (
        {name: item(field) for name, field in value.items()}
        if isinstance(value, dict)
        else map_of([(key(k), item(v)) for k, v in value])
    )


def _nullable(kind: Kind) -> Read:
    read = _reader(kind)
    return lambda value: None if value is None else read(value)


def _date(text: str) -> date | str:
    return text if is_far(text) else date.fromisoformat(text)


def _timestamp(text: str) -> datetime | str:
    return text if is_far(text) else datetime.fromisoformat(text)


def _time(text: str) -> time | str:
    return text if text == MIDNIGHT_AFTER else time.fromisoformat(text)


def _duration(text: str) -> timedelta:
    return msgspec.convert(text, timedelta)


def _any(pair: list[Any]) -> Any:
    kind, value = pair
    return _reader(kind)(value)


_KINDS: dict[type, str] = {
    bytes: "bytes",
    float: "float",
    Decimal: "decimal",
    date: "date",
    time: "time",
    datetime: "timestamp",
    timedelta: "duration",
}

_SCALARS: dict[str, Read] = {
    # The names are part of the stored form: never change one, only add.
    "bytes": base64.b64decode,
    "float": float,
    "decimal": Decimal,
    "date": _date,
    "time": _time,
    "timestamp": _timestamp,
    "duration": _duration,
    "any": _any,
}


def _non_finite(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
