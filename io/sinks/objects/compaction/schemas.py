"""One Arrow schema for objects whose schemas differ, where no value changes by it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

import pyarrow as pa
from pyarrow import types

Thing = TypeVar("Thing", bound=Hashable)

_SIGNED = (pa.int8(), pa.int16(), pa.int32(), pa.int64())
_UNSIGNED = (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())
_FLOATS = (pa.float16(), pa.float32(), pa.float64())
_TEXTS = (pa.string(), pa.large_string())
_BYTES = (pa.binary(), pa.large_binary())
_LADDERS: tuple[tuple[pa.DataType, ...], ...] = (_SIGNED, _UNSIGNED, _FLOATS, _TEXTS, _BYTES)
"""Types that take every value of the types before them."""


def unified(one: pa.Schema, other: pa.Schema) -> pa.Schema | None:
    """A schema that takes every row of both as it is; None if there is none.

    A column that one of them lacks is null in its rows, as it is for a reader of both objects. Columns
    stand in the order of ``one``, new ones behind them. What metadata they do not share is left out.
    """
    if len(set(one.names)) < len(one.names) or len(set(other.names)) < len(other.names):
        return one if one.equals(other) else None
    fields = _fields(list(one), list(other))
    if fields is None:
        return None
    mine, theirs = one.metadata or {}, other.metadata or {}
    shared: dict[bytes | str, bytes | str] = {
        name: text for name, text in mine.items() if theirs.get(name) == text
    }
    return pa.schema(fields, metadata=shared or None)


def alike(schemas: Iterable[tuple[Thing, pa.Schema]]) -> list[tuple[list[Thing], pa.Schema]]:
    """What can be merged with each other, each with the schema that takes all of it.

    Each thing joins the first set whose schema takes its rows too, otherwise it begins a new one.
    """
    sets: list[tuple[list[Thing], pa.Schema]] = []
    for thing, schema in schemas:
        for number, (members, common) in enumerate(sets):
            same = schema.equals(common, check_metadata=True)
            wider = common if same else unified(common, schema)
            if wider is not None:
                members.append(thing)
                sets[number] = members, wider
                break
        else:
            sets.append(([thing], schema))
    return sets


def fitted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The same rows under a schema that ``unified`` has returned for theirs."""
    if batch.schema.equals(schema):
        return batch
    if len(set(batch.schema.names)) < batch.num_columns:
        return pa.RecordBatch.from_arrays(batch.columns, schema=schema)
    arrays = [
        batch.column(field.name).cast(field.type)
        if field.name in batch.schema.names
        else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _fields(one: list[pa.Field[Any]], other: list[pa.Field[Any]]) -> list[pa.Field[Any]] | None:
    of_other = {field.name: field for field in other}
    fields = []
    for field in one:
        twin = of_other.pop(field.name, None)
        if twin is None:
            fields.append(field.with_nullable(True))
            continue
        wider = _type(field.type, twin.type)
        if wider is None:
            return None
        fields.append(field.with_type(wider).with_nullable(field.nullable or twin.nullable))
    fields += [field.with_nullable(True) for field in of_other.values()]
    return fields


def _type(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """A type that takes every value of both as it is."""
    if one.equals(other):
        return one
    if types.is_null(one):
        return other
    if types.is_null(other):
        return one
    for ladder in _LADDERS:
        if one in ladder and other in ladder:
            return max(one, other, key=ladder.index)
    for matches, widen in _NESTED:
        if matches(one) and matches(other):
            return widen(one, other)
    return None


def _decimal(one: Any, other: Any) -> pa.DataType | None:
    scale = max(one.scale, other.scale)
    digits = max(one.precision - one.scale, other.precision - other.scale) + scale
    if digits > 76:  # the most that Arrow has
        return None
    return pa.decimal128(digits, scale) if digits <= 38 else pa.decimal256(digits, scale)


def _struct(one: Any, other: Any) -> pa.DataType | None:
    children = [[kind.field(n) for n in range(kind.num_fields)] for kind in (one, other)]
    if any(len({child.name for child in of_one}) < len(of_one) for of_one in children):
        return None
    fields = _fields(*children)
    return None if fields is None else pa.struct(fields)


def _list(one: Any, other: Any) -> pa.DataType | None:
    value = _type(one.value_type, other.value_type)
    if value is None:
        return None
    nullable = one.value_field.nullable or other.value_field.nullable
    return pa.list_(one.value_field.with_type(value).with_nullable(nullable))


def _map(one: Any, other: Any) -> pa.DataType | None:
    value = _type(one.item_type, other.item_type)
    if value is None or not one.key_type.equals(other.key_type):
        return None
    return pa.map_(one.key_type, value)


Widen = Callable[[Any, Any], pa.DataType | None]
_NESTED: tuple[tuple[Callable[[pa.DataType], bool], Widen], ...] = (
    (types.is_decimal, _decimal),
    (types.is_struct, _struct),
    (types.is_list, _list),
    (types.is_map, _map),
)
