"""The values of one column as Arrow's array, a whole column at a time.

Arrow itself would cut 1.5 to the integer 1, and read the number 5 as a moment of 1970. So the
types of a column's values are looked at first: what is not certainly a value of the column is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, chain
from typing import Any

import pyarrow as pa

from sinks.objects.encoding.cells.json_cells import texts_of_json
from sinks.objects.encoding.cells.number_cells import decimals, double_of, doubles, integers
from sinks.objects.encoding.cells.time_cells import dates, timestamps
from sinks.objects.encoding.cells.unfit import (
    FAILURES,
    SHOWN,
    UNKNOWN_FIELD,
    Explained,
    Unfit,
    shown,
)
from sinks.objects.encoding.column_types import ColumnType
from sinks.text.copy_text import as_text

Array = Any  # pa.Array of whichever type
Convert = Callable[[Sequence[Any], Any], Array]

_NONE = type(None)
_TEXTS = frozenset({str, _NONE})


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
    """Why a cell does not fit, if ``cells`` is that one."""
    if isinstance(error, Explained):
        return str(error)
    if isinstance(error, UnicodeEncodeError):
        return "the text has half of a surrogate pair, which UTF-8 cannot carry"
    if column.kind == "json":
        return " ".join(str(error).split())
    if column.kind == "integer":
        sign = "unsigned " if pa.types.is_unsigned_integer(column.arrow) else ""
        what = f"an {sign}integer of {column.arrow.bit_width} bits"
    else:
        what = _WHAT.get(column.kind, f"a value of type {column.arrow}")
    return f"{shown(cells[0])} is not {what}"


_NO_FIELD = "the object has no column for this field; see --unknown_fields"

_WHAT = {
    "text": "text",
    "boolean": "true or false",
    "timestamp": "a date with a time, such as 2024-01-31T10:15:00Z",
    "date": "a date, such as 2024-01-31",
    "map": "a map",
}


def _text(cells: Sequence[Any], arrow: Any) -> Array:
    if not set(map(type, cells)) <= _TEXTS:
        cells = [cell if cell is None else as_text(cell) for cell in cells]
    return pa.array(cells, arrow)


def _boolean(cells: Sequence[Any], arrow: Any) -> Array:
    return pa.array(cells, arrow)


def _stored(cells: Sequence[Any], arrow: Any) -> Array:
    """Values of a typed source, which Arrow itself has made; NaN may be one of its doubles."""
    if pa.types.is_floating(arrow) and not set(map(type, cells)) <= {float, _NONE}:
        cells = [c if c is None or type(c) is float else double_of(c) for c in cells]
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
            raise Unfit(f".{unknown[:SHOWN]}", _NO_FIELD, UNKNOWN_FIELD)
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
        if len(cells) > 1:
            raise
        index, reason = _first_unfit(column.item, items, error)
        raise Unfit(f"[{index}]{reason.path}", reason.reason, reason.category) from error
    offsets = pa.array(accumulate(map(len, filled), initial=0), pa.int32())
    missing = pa.array([cell is None for cell in cells], pa.bool_())
    return pa.ListArray.from_arrays(offsets, values, type=column.arrow, mask=missing)


def _first_unfit(item: ColumnType, items: Sequence[Any], error: Unfit) -> tuple[int, Unfit]:
    """The first of ``items`` that does not fit, and why; all of them have raised ``error``."""
    low, high = 0, len(items)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            array_of(item, items[low:middle])
            low = middle
        except Unfit:
            high = middle
    try:
        array_of(item, [items[low]])
    except Unfit as single:
        return low, single
    return low, error


_CONVERTERS: dict[str, Convert] = {
    "text": _text,
    "integer": integers,
    "decimal": decimals,
    "double": doubles,
    "boolean": _boolean,
    "timestamp": timestamps,
    "date": dates,
    "json": texts_of_json,
    "map": _map,
    "stored": _stored,
}
