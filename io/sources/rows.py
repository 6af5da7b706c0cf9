"""Turn Arrow columns into the plain Python values of rows, and rows into JSON bytes.

What has no exact plain form is settled here: nanoseconds are cut to microseconds (the
resolution of Python and of the databases), times with a zone become UTC, a UUID its text,
and a map a dict unless a key is there twice. In the JSON of a row, NaN and infinities are
null and binary values are base64 (msgspec's rules); the values keep them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import msgspec
import pyarrow as pa

_encoder = msgspec.json.Encoder(decimal_format="number")
encode_row = _encoder.encode

Shape = Callable[[Any], Any]


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """``schema`` with the types that convert to Python without loss of anything but nanoseconds."""
    return pa.schema([field.with_type(_plain_type(field.type)) for field in schema])


def values_of(column: pa.Array[Any]) -> tuple[list[Any], dict[int, str]]:
    """The values of ``column``, and what is wrong with those that Python cannot hold.

    Returns:
        One value a row, and a message by the index of each row without one, e.g. a
        timestamp beyond the year 9999.
    """
    faults: dict[int, str] = {}
    try:
        values = column.to_pylist()
    except (ValueError, OverflowError):
        values = []
        for index, scalar in enumerate(column):
            try:
                values.append(scalar.as_py())
            except (ValueError, OverflowError) as error:
                values.append(None)
                faults[index] = str(error)
    shape = _shape(column.type)
    return (values if shape is None else [shape(value) for value in values]), faults


def encode_rows(rows: Sequence[dict[str, Any]]) -> tuple[list[bytes], dict[int, str]]:
    """The JSON of each row, and what is wrong with those that have none."""
    try:
        return list(map(encode_row, rows)), {}
    except (TypeError, ValueError):
        pass
    raws: list[bytes] = []
    faults: dict[int, str] = {}
    for index, row in enumerate(rows):
        try:
            raws.append(encode_row(row))
        except (TypeError, ValueError) as error:
            raws.append(b"")
            faults[index] = str(error)
    return raws, faults


def _plain_type(kind: Any) -> pa.DataType:
    types = pa.types
    if types.is_timestamp(kind):
        unit: Any = "us" if kind.unit == "ns" else kind.unit
        zone: Any = None if kind.tz is None else "+00:00"
        return pa.timestamp(unit, zone)
    if types.is_time64(kind):
        return pa.time64("us")
    if types.is_duration(kind):
        return pa.duration("us" if kind.unit == "ns" else kind.unit)
    if types.is_struct(kind):
        return pa.struct([_plain_field(kind.field(i)) for i in range(kind.num_fields)])
    if types.is_map(kind):
        return pa.map_(_plain_type(kind.key_type), _plain_type(kind.item_type))
    if types.is_list(kind):
        return pa.list_(_plain_field(kind.value_field))
    if types.is_large_list(kind):
        return pa.large_list(_plain_field(kind.value_field))
    if types.is_fixed_size_list(kind):
        return pa.list_(_plain_field(kind.value_field), int(kind.list_size))
    plain: pa.DataType = kind
    return plain


def _plain_field(field: pa.Field[Any]) -> pa.Field[Any]:
    return field.with_type(_plain_type(field.type))


def _shape(kind: pa.DataType) -> Shape | None:
    """How to reshape the values of a type that holds maps or UUIDs; None for all others."""
    types = pa.types
    if isinstance(kind, pa.UuidType):
        return lambda value: str(value) if isinstance(value, UUID) else value
    if types.is_map(kind):
        key, item = _shape(kind.key_type) or _same, _shape(kind.item_type) or _same
        return lambda pairs: None if pairs is None else _dict([(key(k), item(v)) for k, v in pairs])
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        each = _shape(kind.value_type)
        if each is not None:
            return lambda values: None if values is None else [each(value) for value in values]
    if types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        shapes = {field.name: shape for field in fields if (shape := _shape(field.type))}
        if shapes:
            return lambda value: (
                None
                if value is None
                else {name: shapes.get(name, _same)(each) for name, each in value.items()}
            )
    return None


def _same(value: Any) -> Any:
    return value


def _dict(pairs: list[tuple[Any, Any]]) -> Any:
    try:
        shaped = dict(pairs)
    except TypeError:  # a key that cannot be hashed, e.g. a struct
        return [list(pair) for pair in pairs]
    return shaped if len(shaped) == len(pairs) else [list(pair) for pair in pairs]
