"""Create the tables beside the target, or bring those of an earlier version up to date."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.tables import claims, jobs, metadata, queue
from transforms.errors import ConfigError

_ADDED = {
    jobs.name: ("pipeline", "steps", "version", "owner"),
    queue.name: ("owner",),
    claims.name: ("owner",),
}
"""Columns that tables of earlier versions lack. All are nullable: old rows belong to nobody."""

_OLD_INDEX = "ingest_queue_due"


def prepare(database: Database) -> None:
    """Bring existing tables up to date, before something other than a run changes jobs.

    Raises:
        ConfigError: The database refuses.
        SinkUnavailable: The database cannot be reached.
        Contention: The database asks for another try.
    """
    with transaction(database, "bring its tables up to date", refused=ConfigError) as connection:
        if sa.inspect(connection).has_table(jobs.name):
            dialect_of(connection).lock(connection, [("", "prepare")])
            create_tables(connection)


def create_tables(connection: sa.Connection) -> None:
    """Create the tables that are missing; add the columns that tables of earlier versions lack.

    Args:
        connection: In a transaction that keeps others from doing the same.

    Raises:
        ConfigError: A table lacks a column that no version has added.
    """
    metadata.create_all(connection)
    for name, lacking in _lacking(connection).items():
        if not set(lacking) <= set(_ADDED.get(name, ())):
            raise ConfigError(
                f"table {name} has no column {', '.join(lacking)}: another version of "
                "this program created it; rename the ingest_ tables, or use another database"
            )
        table = metadata.tables[name]
        if table is queue:
            _drop_index(connection, table, _OLD_INDEX)
        dialect_of(connection).add_columns(connection, table, lacking)
        if table is queue:
            for index in table.indexes:
                index.create(connection, checkfirst=True)


def check(connection: sa.Connection) -> None:
    """Refuse to read jobs from a table that has not been brought up to date yet.

    Raises:
        ConfigError: An earlier version created it.
    """
    present = {column["name"] for column in sa.inspect(connection).get_columns(jobs.name)}
    if not set(_ADDED[jobs.name]) <= present:
        raise ConfigError(
            f"table {jobs.name} was created by an earlier version of this program; run an ingest or "
            "`dead_letters adopt`: they add the columns that it lacks"
        )


def _lacking(connection: sa.Connection) -> dict[str, list[str]]:
    """The columns that each table lacks, by its name."""
    inspector = sa.inspect(connection)
    lacking = {}
    for table in metadata.sorted_tables:
        present = {column["name"] for column in inspector.get_columns(table.name)}
        names = [column.name for column in table.columns if column.name not in present]
        if names:
            lacking[table.name] = names
    return lacking


def _drop_index(connection: sa.Connection, table: sa.Table, name: str) -> None:
    present = {index["name"] for index in sa.inspect(connection).get_indexes(table.name)}
    if name in present:
        column: sa.Column[Any] = sa.Column("due_at")
        sa.Table(table.name, sa.MetaData(), column)
        sa.Index(name, column).drop(connection)
