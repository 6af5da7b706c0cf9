"""What an Arrow type holds, and how kept rows name it (``transforms.parse.typed_rows``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from transforms.parse.typed_rows import Kind

NANOSECONDS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
"""How long each of Arrow's units of time is."""

DAY_NANOSECONDS = 86_400_000_000_000


def kind_of(arrow_type: Any) -> Kind:
    """The type as kept rows name it; None where JSON tells the values apart by itself.

    >>> kind_of(pa.list_(pa.decimal128(9, 2))), kind_of(pa.string())
    (['list', 'decimal'], None)
    """
    types = pa.types
    if isinstance(arrow_type, pa.UuidType):
        return None
    if isinstance(arrow_type, pa.BaseExtensionType):
        return kind_of(arrow_type.storage_type)
    if types.is_dictionary(arrow_type):
        return kind_of(arrow_type.value_type)
    if types.is_map(arrow_type):
        return ["map", kind_of(arrow_type.key_type), kind_of(arrow_type.item_type)]
    if types.is_struct(arrow_type):
        kinds = {field.name: kind_of(field.type) for field in fields_of(arrow_type)}
        named = {name: kind for name, kind in kinds.items() if kind is not None}
        return ["struct", named] if named else None
    if is_list(arrow_type):
        item = kind_of(arrow_type.value_type)
        return None if item is None else ["list", item]
    return next((name for name, matches in _KINDS if matches(arrow_type)), None)


_KINDS: tuple[tuple[str, Callable[[Any], bool]], ...] = (
    ("float", pa.types.is_floating),
    ("decimal", pa.types.is_decimal),
    ("timestamp", pa.types.is_timestamp),
    ("date", pa.types.is_date),
    ("time", pa.types.is_time),
    ("duration", pa.types.is_duration),
    ("bytes", pa.types.is_binary),
    ("bytes", pa.types.is_large_binary),
    ("bytes", pa.types.is_binary_view),
    ("bytes", pa.types.is_fixed_size_binary),
)


def fields_of(struct: Any) -> list[pa.Field[Any]]:
    """The fields of a struct type, in order."""
    return [struct.field(i) for i in range(struct.num_fields)]


def is_text(arrow_type: Any) -> bool:
    """Whether the values are strings."""
    types = pa.types
    return (
        types.is_string(arrow_type)
        or types.is_large_string(arrow_type)
        or types.is_string_view(arrow_type)
    )


def is_list(arrow_type: Any) -> bool:
    """Whether the values are lists of any of Arrow's layouts."""
    types = pa.types
    return (
        types.is_list(arrow_type)
        or types.is_large_list(arrow_type)
        or types.is_fixed_size_list(arrow_type)
        or types.is_list_view(arrow_type)
        or types.is_large_list_view(arrow_type)
    )


def leaves(array: Any) -> Iterator[Any]:
    """The arrays of values that lists, structs, maps and dictionaries hold."""
    types, arrow_type = pa.types, array.type
    if types.is_struct(arrow_type):
        for child in array.flatten():
            yield from leaves(child)
    elif types.is_map(arrow_type):
        yield from leaves(array.keys)
        yield from leaves(array.items)
    elif is_list(arrow_type):
        yield from leaves(array.flatten())
    elif types.is_dictionary(arrow_type):
        yield from leaves(array.dictionary)
    else:
        yield array


def has_unwritten(column: Any) -> bool:
    """Whether ``column`` holds what JSON lacks: infinities, NaN, or keys other than text."""
    return any(
        pa.types.is_floating(leaf.type) and pc.all(pc.is_finite(leaf)).as_py() is False
        for leaf in leaves(column)
    ) or _has_keys(column.type)


def _has_keys(arrow_type: Any) -> bool:
    """Whether a type holds maps whose keys are not text."""
    types = pa.types
    if types.is_map(arrow_type):
        return (
            kind_of(arrow_type.key_type) is not None
            or not is_text(arrow_type.key_type)
            or _has_keys(arrow_type.item_type)
        )
    return types.is_nested(arrow_type) and any(
        _has_keys(field.type) for field in fields_of(arrow_type)
    )
