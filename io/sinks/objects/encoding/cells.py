"""The values of one column as Arrow's array, a whole column at a time.

Arrow itself would cut 1.5 to the integer 1, and read the number 5 as a moment of 1970. So the
types of a column's values are looked at first: what is not certainly a value of the column is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import accumulate, chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sinks.objects.encoding.column_types import ColumnType
from sinks.text.copy_text import as_text
from transforms.parse.json_text import encode_json

Array = Any  # pa.Array of whichever type
Convert = Callable[[Sequence[Any], Any], Array]

_SHOWN = 60  # characters of a value in a message
_CERTAIN = 15  # digits that a double keeps, whichever they are
_NONE = type(None)
_NUMBERS = frozenset({int, Decimal, _NONE})
_INTEGERS = frozenset({int, _NONE})
_TEXTS = frozenset({str, _NONE})

FAILURES = (ValueError, TypeError, ArithmeticError, KeyError, pa.ArrowException)
"""What a value raises that does not fit its column."""


DATA = "data"
"""Category of a record with a value that does not fit its column."""

UNKNOWN_FIELD = "unknown_field"
"""Category of a record with a field that has no column."""


class Unfit(Exception):
    """A value does not fit its column.

    Attributes:
        path: Where in the column's value it is: ``.city``, ``[3].city``; empty for all of it.
        reason: What is wrong with it.
        category: ``data`` or ``unknown_field``.
    """

    def __init__(self, path: str, reason: str, category: str = DATA) -> None:
        super().__init__(path, reason, category)
        self.path = path
        self.reason = reason
        self.category = category


def array_of(column: ColumnType, cells: Sequence[Any]) -> Array:
    """``cells`` as an array of ``column``.

    Raises:
        Unfit: One of them does not fit. The reason is exact if ``cells`` is one value.
    """
    if column.kind == "struct":
        return _struct(column, cells)
    if column.kind == "list":
        return _list(column, cells)
    try:
        return _CONVERTERS[column.kind](cells, column.arrow)
    except FAILURES as error:
        raise Unfit("", _reason(column, cells, error)) from error


def _reason(column: ColumnType, cells: Sequence[Any], error: Exception) -> str:
    """Why the first of a few cells that does not fit does not."""
    if len(cells) > 1 and len(cells) <= _CERTAIN:
        for cell in cells:
            try:
                array_of(column, [cell])
            except Unfit as single:
                return single.reason
    cell = cells[0] if cells else None
    if isinstance(error, _Explained):
        return str(error)
    if isinstance(error, UnicodeEncodeError):
        return "the text has half of a surrogate pair, which UTF-8 cannot carry"
    if column.kind == "json":
        return " ".join(str(error).split())
    return f"{shown(cell)} is not {_WHAT.get(column.kind) or f'a value of type {column.arrow}'}"


_NO_FIELD = "the object has no column for this field; see --unknown_fields"


class _Explained(ValueError):
    """Its text is the whole reason."""


_WHAT = {
    "text": "text",
    "integer": "an integer of 64 bits",
    "decimal": "a number of the column's digits",
    "double": "a number that a double has exactly",
    "boolean": "true or false",
    "timestamp": "a date with a time, such as 2024-01-31T10:15:00Z",
    "date": "a date, such as 2024-01-31",
    "map": "a map",
}


def shown(value: Any) -> str:
    """``value`` as a message shows it: one line, shortened."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value) if isinstance(value, str) else f"{type(value).__name__} {value}"
    if isinstance(value, (int, float, Decimal)):
        text = str(value)
    text = " ".join(text[: 4 * _SHOWN].split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _text(cells: Sequence[Any], arrow: Any) -> Array:
    if not set(map(type, cells)) <= _TEXTS:
        cells = [cell if cell is None else as_text(cell) for cell in cells]
    return pa.array(cells, arrow)


def _integer(cells: Sequence[Any], arrow: Any) -> Array:
    if not set(map(type, cells)) <= _INTEGERS:
        cells = list(map(_whole, cells))
    return pa.array(cells, arrow)


def _whole(cell: Any) -> int | None:
    """1.0 is an integer in JSON Schema."""
    if cell is None or type(cell) is int:
        return cell
    if not isinstance(cell, (float, Decimal)) or cell != cell.__trunc__():
        raise _Explained(f"{shown(cell)} is not an integer")
    return cell.__trunc__()


def _decimal(cells: Sequence[Any], arrow: Any) -> Array:
    if not set(map(type, cells)) <= _NUMBERS:
        cells = [cell if cell is None else _number(cell) for cell in cells]
    try:
        return pa.array(cells, arrow)
    except FAILURES as error:
        raise _Explained(
            f"{shown(cells[0])} has more than {arrow.precision - arrow.scale} digits before the point, "
            f"or more than {arrow.scale} after it"
        ) from error


def _number(cell: Any) -> Decimal:
    if isinstance(cell, float) and math.isfinite(cell):
        return Decimal(repr(cell))
    if type(cell) is int or (isinstance(cell, Decimal) and cell.is_finite()):
        return Decimal(cell)
    raise _Explained(f"{shown(cell)} is not a number")


def _double(cells: Sequence[Any], arrow: Any) -> Array:
    """Numbers as doubles whose shortest text is the number again; anything else is refused."""
    kinds = set(map(type, cells))
    if kinds <= _NUMBERS:
        texts = pa.array(
            [c if c is None else str(c) for c in cells]
            if _NONE in kinds
            else list(map(str, cells)),
            pa.string(),
        )
        doubles = pc.cast(texts, arrow)
        longest = pc.max(pc.binary_length(texts)).as_py() or 0
        if longest > _CERTAIN or pc.any(pc.match_substring(texts, "E")).as_py():
            for cell, double in zip(cells, doubles.to_pylist(), strict=True):
                if double is not None:
                    _check_double(cell, double)
        return doubles
    return pa.array([None if cell is None else _float(cell) for cell in cells], arrow)


def _float(cell: Any) -> float:
    if type(cell) is float:
        if not math.isfinite(cell):
            raise _Explained(f"{shown(cell)} is not a number")
        return cell
    number = _number(cell)
    double = float(number)
    _check_double(number, double)
    return double


def _check_double(number: int | Decimal, double: float) -> None:
    if not math.isfinite(double) or Decimal(repr(double)) != number:
        raise _Explained(
            f"{shown(number)} is not a number that a double has exactly; multipleOf in the schema "
            "makes the column a decimal"
        )


def _boolean(cells: Sequence[Any], arrow: Any) -> Array:
    return pa.array(cells, arrow)


def _timestamp(cells: Sequence[Any], arrow: Any) -> Array:
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
            raise _Explained(f"{shown(cell)} has digits beyond the microsecond")
        moment = datetime.fromisoformat(cell.upper())
    if not isinstance(moment, datetime):
        raise TypeError
    if zoned:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if moment.tzinfo is not None:
        raise _Explained(f"{shown(cell)} has a zone, and the column has none")
    return moment


def _date(cells: Sequence[Any], arrow: Any) -> Array:
    kinds = set(map(type, cells))
    if kinds <= _TEXTS:
        return pc.cast(pa.array(cells, pa.string()), arrow)
    return pa.array([cell if cell is None else _day(cell) for cell in cells], arrow)


def _day(cell: Any) -> date:
    if isinstance(cell, datetime) or not isinstance(cell, (date, str)):
        raise TypeError
    return date.fromisoformat(cell) if isinstance(cell, str) else cell


def _json(cells: Sequence[Any], arrow: Any) -> Array:
    return pa.array(json_texts(cells), arrow)


def json_texts(cells: Sequence[Any]) -> list[bytes | None]:
    """Each cell as the bytes of its JSON text; None stays None.

    Raises:
        ValueError, TypeError: One of them holds something that JSON has no form for.
    """
    texts: list[bytes | None] = list(map(encode_json, cells))
    for index, text in enumerate(texts):
        if b"null" in text:  # type: ignore[operator] # what is None comes below
            if cells[index] is None:
                texts[index] = None
            else:
                _check_finite(cells[index])
    return texts


def _check_finite(value: Any) -> None:
    """NaN and infinities would be written as null."""
    kind = type(value)
    if kind is float:
        if not math.isfinite(value):
            raise _Explained(f"{value} has no form in JSON")
    elif kind is dict:
        for part in value.values():
            _check_finite(part)
    elif kind is list or kind is tuple:
        for part in value:
            _check_finite(part)


def _stored(cells: Sequence[Any], arrow: Any) -> Array:
    if pa.types.is_floating(arrow) and not set(map(type, cells)) <= {float, _NONE}:
        cells = [None if cell is None else _float(cell) for cell in cells]
    if pa.types.is_binary(arrow) and not set(map(type, cells)) <= {bytes, _NONE}:
        raise TypeError
    if pa.types.is_temporal(arrow) and not {int, float, bool}.isdisjoint(map(type, cells)):
        raise TypeError
    return pa.array(cells, arrow)


def _map(cells: Sequence[Any], arrow: Any) -> Array:
    return pa.array(
        [
            None
            if cell is None
            else list(cell.items() if isinstance(cell, dict) else map(tuple, cell))
            for cell in cells
        ],
        arrow,
    )


def _struct(column: ColumnType, cells: Sequence[Any]) -> Array:
    for cell in cells:
        if cell is not None and type(cell) is not dict:
            raise Unfit("", f"{shown(cell)} is not an object")
    names = {name for name, _ in column.fields}
    for cell in () if column.ignoring else cells:
        if cell is not None and not cell.keys() <= names:
            unknown = next(name for name in cell if name not in names)
            raise Unfit(f".{unknown[:_SHOWN]}", _NO_FIELD, UNKNOWN_FIELD)
    arrays = []
    for name, part in column.fields:
        try:
            arrays.append(array_of(part, [c if c is None else c.get(name) for c in cells]))
        except Unfit as error:
            raise Unfit(f".{name}{error.path}", error.reason, error.category) from error
    missing = pa.array([cell is None for cell in cells], pa.bool_())
    return pa.StructArray.from_arrays(arrays, fields=list(column.arrow), mask=missing)


def _list(column: ColumnType, cells: Sequence[Any]) -> Array:
    for cell in cells:
        if cell is not None and type(cell) is not list and type(cell) is not tuple:
            raise Unfit("", f"{shown(cell)} is not an array")
    assert column.item is not None  # noqa: S101 - a list has an item
    filled = [() if cell is None else cell for cell in cells]
    items = list(chain.from_iterable(filled))
    try:
        values = array_of(column.item, items)
    except Unfit as error:
        raise Unfit(f"[]{error.path}", error.reason, error.category) from error
    offsets = pa.array(accumulate(map(len, filled), initial=0), pa.int32())
    missing = pa.array([cell is None for cell in cells], pa.bool_())
    return pa.ListArray.from_arrays(offsets, values, type=column.arrow, mask=missing)


_CONVERTERS: dict[str, Convert] = {
    "text": _text,
    "integer": _integer,
    "decimal": _decimal,
    "double": _double,
    "boolean": _boolean,
    "timestamp": _timestamp,
    "date": _date,
    "json": _json,
    "map": _map,
    "stored": _stored,
}
