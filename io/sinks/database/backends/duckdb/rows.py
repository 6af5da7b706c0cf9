"""Many rows of this program's own tables at once, read from Arrow: one by one, each takes milliseconds."""

# ruff: noqa: S608 - identifiers are quoted

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator, TypeEngine

_CELLS = "sluice_cells"
"""The name by which statements read the Arrow table."""

_UTC = pa.timestamp("us", tz="UTC")

_TYPES: tuple[tuple[type[TypeEngine[Any]], pa.DataType, str], ...] = (
    (sa.Boolean, pa.bool_(), ""),
    (sa.Integer, pa.int64(), ""),
    (sa.Double, pa.float64(), ""),
    (sa.DateTime, _UTC, ""),
    (sa.LargeBinary, pa.binary(), ""),
    (sa.Uuid, pa.string(), "UUID"),
    (sa.JSON, pa.string(), "JSON"),
)
"""SQLAlchemy's types, Arrow's, and what DuckDB reads from text."""


def insert(
    connection: sa.Connection, table: sa.Table, columns: Mapping[str, Sequence[Any]], tail: str = ""
) -> int:
    """Insert rows, given column by column.

    Args:
        connection: In a transaction that writes.
        table: Where to insert.
        columns: The values of each column, one for each row.
        tail: What follows in the statement: ON CONFLICT.

    Returns:
        How many rows were inserted or changed.
    """
    arrays, cells = [], []
    quote = connection.dialect.identifier_preparer.quote
    for name, values in columns.items():
        array, cast = _array(connection.dialect, table.c[name], values)
        arrays.append(array)
        cells.append(f"CAST({quote(name)} AS {cast})" if cast else quote(name))
    own: Any = connection.connection.dbapi_connection
    names = ", ".join(map(quote, columns))
    target = connection.dialect.identifier_preparer.format_table(table)
    with own.reading({_CELLS: pa.table(arrays, names=list(columns))}):
        result = connection.exec_driver_sql(
            f"INSERT INTO {target} ({names}) SELECT {', '.join(cells)} FROM {_CELLS}{tail}"
        )
        return result.rowcount


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows with the same columns, column by column."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def _array(
    dialect: sa.Dialect, column: sa.Column[Any], values: Sequence[Any]
) -> tuple[pa.Array[Any], str]:
    """Values as SQLAlchemy would bind them, and the type that DuckDB must read from text."""
    bind = column.type.dialect_impl(dialect).bind_processor(dialect)
    bound = values if bind is None else list(map(bind, values))
    kind = column.type
    while isinstance(kind, TypeDecorator):
        kind = kind.impl_instance
    for own, arrow, cast in _TYPES:
        if isinstance(kind, own):
            if cast == "UUID":
                bound = [str(value) if isinstance(value, UUID) else value for value in bound]
            return pa.array(bound, arrow), cast
    return pa.array(bound, pa.string()), ""
