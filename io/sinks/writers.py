"""Which writer writes the target table of which database."""

from __future__ import annotations

import sqlalchemy as sa

from sinks.database.dialect import Writing
from sinks.database.dialects import dialect_of
from sinks.table.generic import GenericWriter
from sinks.table.postgres.writer import PostgresWriter
from sinks.table.sqlite import SqliteWriter
from sinks.table.writer import TableWriter

_WRITERS: dict[Writing, TableWriter] = {
    "copy": PostgresWriter(),
    "sqlite": SqliteWriter(),
    "portable": GenericWriter(),
}


def writer_of(connection: sa.Connection) -> TableWriter:
    """The writer for a connection; the portable one for databases without their own."""
    return _WRITERS[dialect_of(connection).writing]
