"""The names of a target table and of its pipeline in the tables beside it."""

from __future__ import annotations

from typing import Protocol

import sqlalchemy as sa

from sinks.database.database import Database
from transforms.errors import ConfigError
from transforms.route.table_name import UNROUTED, TableName


def is_table(table: str) -> bool:
    """Whether ``table`` names a table: neither ``UNROUTED`` nor the URL of a dataset of objects."""
    return table != UNROUTED and "://" not in table


def no_table(table: str) -> ConfigError:
    """What is wrong where ``table`` names none, and nothing else is written."""
    why = (
        "" if table == UNROUTED else f"{table} is taken for a place of objects, since it has ://; "
    )
    return ConfigError(f"{why}there is no table to write; give --table, or routes")


class TargetTable(Protocol):
    """A target table and the database it is in; ``SqlConfig`` is one, with much more."""

    @property
    def database(self) -> Database:
        """Where the table is, and with it the ledger, the jobs and the outbox."""
        ...

    @property
    def table_name(self) -> TableName:
        """The table, as the user named it."""
        ...


def label_of(connection: sa.Connection, table: TableName) -> str:
    """The table's one name in the ledger, however the user spelled the default schema."""
    return label_in(connection.dialect.default_schema_name, table)


def label_in(default_schema: str | None, table: TableName) -> str:
    """The same where the default schema is known."""
    return table.label(default_schema)


def pipeline_named(connection: sa.Connection, table: TableName, name: str) -> str:
    """The pipeline called ``name``; empty for the label of ``table``, which it writes."""
    return name or label_of(connection, table)
