"""Turn whole Arrow columns into plain Python values, by Arrow's and NumPy's own conversions.

What has no exact plain form is settled here: nanoseconds are cut to microseconds (the
resolution of Python and of the databases; always towards the earlier), times with a zone become
UTC, a UUID its text, a map a dict unless a key occurs twice, and dates that Python lacks text
(``transforms.parse.far_dates``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from sources.files.parquet.arrow_scalars import UnreadableValue, stored_of, value_of
from sources.files.parquet.arrow_types import (
    DAY_NANOSECONDS,
    NANOSECONDS,
    fields_of,
    has_unwritten,
    is_list,
    kind_of,
    leaves,
)
from transforms.parse.typed_rows import Unreadable, map_of, written

Shape = Callable[[Any], Any]
"""Turns a value as Arrow gives it into the one wanted."""


@dataclass(slots=True)
class ColumnValues:
    """The values of a column.

    Attributes:
        values: One for each row; None for what cannot be read.
        written: Those that JSON takes, often the same list.
        unreadable: What cannot be read, by row.
    """

    values: list[Any]
    written: list[Any]
    unreadable: dict[int, Unreadable] = field(default_factory=dict)


def values_of(column: pa.Array[Any], *, far: bool) -> ColumnValues:
    """The values of ``column``.

    Args:
        column: As Arrow has it.
        far: Whether to believe timestamps beyond the years 1 to 9999. In INT96 nobody writes
            them, and a number of days that is too large wraps around in Arrow.
    """
    types, arrow_type = pa.types, column.type
    convert: Callable[[pa.Array[Any]], list[Any] | None] = _by_arrow
    if types.is_timestamp(arrow_type):
        convert = _timestamps
    elif types.is_date(arrow_type):
        convert = _dates
    values = convert(column)
    unreadable: dict[int, Unreadable] = {}
    if values is None:
        values = []
        for index, scalar in enumerate(column):
            try:
                values.append(value_of(scalar, far))
            except UnreadableValue as error:
                values.append(None)
                unreadable[index] = Unreadable(str(arrow_type), str(error), stored_of(scalar))
    if not has_unwritten(column):
        return ColumnValues(values, values, unreadable)
    kind = kind_of(arrow_type)
    return ColumnValues(values, [written(kind, value) for value in values], unreadable)


def _by_arrow(column: pa.Array[Any]) -> list[Any] | None:
    """The values by Arrow's own conversion; None where that raises or would change a value."""
    if any(map(_is_changed, leaves(column))):
        return None
    plain = _plain_type(column.type)
    if plain != column.type:
        column = column.cast(plain, safe=False)
    try:
        values = column.to_pylist()
    except (ValueError, OverflowError):
        return None
    shape = _shape(column.type)
    return values if shape is None else [shape(value) for value in values]


def _timestamps(column: pa.Array[Any]) -> list[Any] | None:
    """Timestamps by NumPy, in a fifth of the time that Arrow takes; None where one is far."""
    unit = column.type.unit
    array = column.to_numpy(zero_copy_only=False)
    values: list[Any] = array.astype("M8[us]" if unit == "ns" else f"M8[{unit}]").tolist()
    # A far year comes as a number, and the smallest of all numbers as None.
    if not set(map(type, values)) <= {datetime, type(None)}:
        return None
    if column.null_count != values.count(None):
        return None
    if column.type.tz is None:
        return values
    return [value and value.replace(tzinfo=UTC) for value in values]


def _dates(column: pa.Array[Any]) -> list[Any] | None:
    """Dates by NumPy; None where one is far."""
    if column.type != pa.date32():
        return None
    values = column.to_numpy(zero_copy_only=False).astype("M8[D]").tolist()
    return values if set(map(type, values)) <= {date, type(None)} else None


def _is_changed(leaf: Any) -> bool:
    """Whether Arrow's conversion silently turns a value of ``leaf`` into another."""
    types, arrow_type = pa.types, leaf.type
    if types.is_time(arrow_type):
        # What is beyond a day would wrap around.
        numbers = leaf.view(pa.int32() if arrow_type.bit_width == 32 else pa.int64())
        low, high = pc.min(numbers).as_py(), pc.max(numbers).as_py()
        return low is not None and (
            low < 0 or high * NANOSECONDS[arrow_type.unit] >= DAY_NANOSECONDS
        )
    if (types.is_timestamp(arrow_type) or types.is_duration(arrow_type)) and (
        arrow_type.unit == "ns"
    ):
        # Arrow cuts towards 1970.
        low = pc.min(leaf.view(pa.int64())).as_py()
        return low is not None and low < 0
    return False


def _plain_type(arrow_type: Any) -> pa.DataType:
    """The type whose values Arrow converts as they are meant to be, but for nanoseconds."""
    types = pa.types
    if types.is_timestamp(arrow_type):
        unit: Any = "us" if arrow_type.unit == "ns" else arrow_type.unit
        zone: Any = None if arrow_type.tz is None else "+00:00"
        return pa.timestamp(unit, zone)
    if types.is_time64(arrow_type):
        return pa.time64("us")
    if types.is_dictionary(arrow_type):
        return _plain_type(arrow_type.value_type)
    if types.is_duration(arrow_type):
        return pa.duration("us" if arrow_type.unit == "ns" else arrow_type.unit)
    if types.is_struct(arrow_type):
        return pa.struct([_plain_field(each) for each in fields_of(arrow_type)])
    if types.is_map(arrow_type):
        return pa.map_(_plain_type(arrow_type.key_type), _plain_type(arrow_type.item_type))
    if types.is_list(arrow_type):
        return pa.list_(_plain_field(arrow_type.value_field))
    if types.is_large_list(arrow_type):
        return pa.large_list(_plain_field(arrow_type.value_field))
    if types.is_fixed_size_list(arrow_type):
        return pa.list_(_plain_field(arrow_type.value_field), int(arrow_type.list_size))
    plain: pa.DataType = arrow_type
    return plain


def _plain_field(arrow_field: pa.Field[Any]) -> pa.Field[Any]:
    return arrow_field.with_type(_plain_type(arrow_field.type))


def _shape(arrow_type: Any) -> Shape | None:
    """How to reshape the values of a type that holds maps or UUIDs; None for all others."""
    types = pa.types
    if isinstance(arrow_type, pa.UuidType):
        return lambda value: str(value) if isinstance(value, UUID) else value
    if types.is_map(arrow_type):
        key = _shape(arrow_type.key_type) or _unchanged
        item = _shape(arrow_type.item_type) or _unchanged
        return lambda pairs: (
            None if pairs is None else map_of([(key(k), item(v)) for k, v in pairs])
        )
    if is_list(arrow_type):
        element = _shape(arrow_type.value_type)
        if element is not None:
            return lambda values: None if values is None else [element(value) for value in values]
    if types.is_struct(arrow_type):
        shapes = {
            each.name: shape
            for each in fields_of(arrow_type)
            if (shape := _shape(each.type)) is not None
        }
        if shapes:
            return lambda value: (
                None
                if value is None
                else {name: shapes.get(name, _unchanged)(part) for name, part in value.items()}
            )
    return None


def _unchanged(value: Any) -> Any:
    return value
