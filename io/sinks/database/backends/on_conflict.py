"""INSERT … ON CONFLICT, for databases that have it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
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
    # After ``executemany``, and once the cursor is closed, not every driver can tell a number.
    values = rows[0] if len(rows) == 1 else rows
    kept = {"preserve_rowcount": True}
    return connection.execute(statement, values, execution_options=kept).rowcount


def add(insert: Insert, connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """As ``Dialect.add``."""
    connection.execute(_adding(insert, table), rows)


def upsert(insert: Insert, connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """As ``Dialect.upsert``."""
    connection.execute(_replacing(insert, table), rows)


# Built once: a commit of a few small files would spend more on them than on its rows.
@lru_cache(maxsize=16)
def _adding(insert: Insert, table: sa.Table) -> Any:
    statement = insert(table)
    sums = {
        column.name: column + statement.excluded[column.name]
        for column in table.columns
        if not column.primary_key
    }
    return statement.on_conflict_do_update(index_elements=_key(table), set_=sums)


@lru_cache(maxsize=16)
def _replacing(insert: Insert, table: sa.Table) -> Any:
    statement = insert(table)
    changed = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if not column.primary_key
    }
    return statement.on_conflict_do_update(index_elements=_key(table), set_=changed)


def _key(table: sa.Table) -> list[str]:
    return [column.name for column in table.primary_key]
