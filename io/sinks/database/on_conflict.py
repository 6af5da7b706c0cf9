"""INSERT … ON CONFLICT, for databases that have it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from sinks.database.dialect import Row

Insert = Callable[[sa.Table], Any]
"""SQLAlchemy's INSERT of a database that has ON CONFLICT: each has a construct of its own."""


def insert_absent(
    insert: Insert, connection: sa.Connection, table: sa.Table, rows: Sequence[Row], key: str
) -> int:
    """As ``Dialect.insert_absent``."""
    statement = insert(table).on_conflict_do_nothing(index_elements=[key])
    return connection.execute(statement, rows).rowcount


def add(insert: Insert, connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """As ``Dialect.add``."""
    statement = insert(table)
    sums = {
        column.name: column + statement.excluded[column.name]
        for column in table.columns
        if not column.primary_key
    }
    key = [column.name for column in table.primary_key]
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=sums), rows)


def upsert(insert: Insert, connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """As ``Dialect.upsert``."""
    statement = insert(table)
    changed = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if not column.primary_key
    }
    key = [column.name for column in table.primary_key]
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changed), rows)
