"""The types of columns for a source that has types itself: a Parquet file."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from sinks.objects.encoding.column_types import (
    BOOLEAN,
    JSON_TEXT,
    TEXT,
    ColumnType,
    list_of,
    stored,
    struct_of,
)


def stored_types(schema: Any) -> dict[str, ColumnType]:
    """The type of each column of an Arrow schema, in its order.

    Layouts that only Arrow tells apart (large, view, dictionary) become the plain one, floats of
    fewer bits become doubles, and times are in microseconds, as Python has them.
    """
    return {field.name: _type(field.type) for field in schema}


def _type(arrow: Any) -> ColumnType:
    types = pa.types
    if isinstance(arrow, pa.UuidType):
        return TEXT
    if isinstance(arrow, pa.BaseExtensionType):
        return _type(arrow.storage_type)
    if types.is_dictionary(arrow):
        return _type(arrow.value_type)
    if types.is_struct(arrow) and arrow.num_fields:
        parts = [arrow.field(i) for i in range(arrow.num_fields)]
        return struct_of((part.name, _type(part.type)) for part in parts)
    if types.is_map(arrow):
        entry = pa.map_(_type(arrow.key_type).arrow, _type(arrow.item_type).arrow)
        return ColumnType("map", entry)
    if _is_list(arrow):
        return list_of(_type(arrow.value_type))
    return _scalar(arrow)


def _is_list(arrow: Any) -> bool:
    types = pa.types
    return (
        types.is_list(arrow)
        or types.is_large_list(arrow)
        or types.is_fixed_size_list(arrow)
        or types.is_list_view(arrow)
        or types.is_large_list_view(arrow)
    )


def _scalar(arrow: Any) -> ColumnType:
    types = pa.types
    if types.is_string(arrow) or types.is_large_string(arrow) or types.is_string_view(arrow):
        return TEXT
    if types.is_boolean(arrow):
        return BOOLEAN
    if types.is_integer(arrow):
        return ColumnType("integer", arrow)
    if types.is_floating(arrow):
        return stored(pa.float64())
    if types.is_decimal(arrow):
        fits = arrow.precision <= 38
        wide: Any = pa.decimal128 if fits else pa.decimal256
        return ColumnType("decimal", wide(arrow.precision, arrow.scale))
    if types.is_timestamp(arrow):
        return ColumnType("timestamp", pa.timestamp("us", "UTC" if arrow.tz else None))
    if types.is_date(arrow):
        return ColumnType("date", pa.date32())
    if types.is_time(arrow):
        return stored(pa.time64("us"))
    if types.is_duration(arrow):
        return stored(pa.duration("us"))
    if types.is_binary(arrow) or types.is_large_binary(arrow) or types.is_binary_view(arrow):
        return stored(pa.binary())
    if types.is_fixed_size_binary(arrow):
        return stored(pa.binary())
    return JSON_TEXT
