"""What a column of an object holds, and Arrow's type for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

Kind = Literal[
    "text",
    "integer",
    "decimal",
    "double",
    "boolean",
    "timestamp",
    "date",
    "json",
    "struct",
    "list",
    "map",
    "stored",
]
"""How values become a column: ``stored`` leaves it to Arrow, for types that JSON lacks."""


@dataclass(frozen=True, slots=True)
class ColumnType:
    """The type of a column, or of a part of one.

    Attributes:
        kind: How values become such a column.
        arrow: Arrow's type (``pa.DataType``).
        fields: The fields of a struct.
        item: What a list holds.
        ignoring: Whether a struct leaves out the fields that it has no place for; otherwise such a
            record is refused.
    """

    kind: Kind
    arrow: Any
    fields: tuple[tuple[str, ColumnType], ...] = ()
    item: ColumnType | None = None
    ignoring: bool = False


TEXT = ColumnType("text", pa.string())
INTEGER = ColumnType("integer", pa.int64())
LONG_INTEGER = ColumnType("decimal", pa.decimal128(38, 0))
"""Integers beyond 64 bits: up to 38 digits."""
DOUBLE = ColumnType("double", pa.float64())
BOOLEAN = ColumnType("boolean", pa.bool_())
TIMESTAMP = ColumnType("timestamp", pa.timestamp("us", "UTC"))
DATE = ColumnType("date", pa.date32())
JSON_TEXT = ColumnType("json", pa.string())


def decimal_of(scale: int) -> ColumnType:
    """Numbers with up to ``scale`` digits after the point, and 38 in all."""
    return ColumnType("decimal", pa.decimal128(38, scale))


def struct_of(fields: Iterable[tuple[str, ColumnType]], *, ignoring: bool = False) -> ColumnType:
    """Objects with these fields; ``ignoring`` as in ``ColumnType``."""
    parts = tuple(fields)
    arrow = pa.struct([pa.field(name, part.arrow) for name, part in parts])
    return ColumnType("struct", arrow, fields=parts, ignoring=ignoring)


def list_of(item: ColumnType) -> ColumnType:
    """Arrays of ``item``."""
    arrow: Any = pa.list_(pa.field("element", item.arrow))
    return ColumnType("list", arrow, item=item)


def stored(arrow: Any) -> ColumnType:
    """What Arrow itself makes of the values."""
    return ColumnType("stored", arrow)
