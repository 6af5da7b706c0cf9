"""Which writer serves which database."""

from __future__ import annotations

import sqlalchemy as sa

from sinks.database.config import SqlConfig
from sinks.table.generic import GenericWriter
from sinks.table.postgres.writer import PostgresWriter
from sinks.table.sqlite import SqliteWriter
from sinks.table.writer import TableWriter


def writer_of(config: SqlConfig, connection: sa.Connection) -> TableWriter:
    """The writer for a connection; ``GenericWriter`` for databases without one of their own."""
    name = config.dialect or connection.dialect.name
    if name == "postgresql" and connection.dialect.driver == "psycopg2":
        return PostgresWriter()
    if name == "sqlite":
        return SqliteWriter()
    return GenericWriter()
