"""Which writer writes the target table of which database; each is imported for its own only."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import sqlalchemy as sa

from sinks.database.dialect import Writing
from sinks.database.dialects import dialect_of
from sinks.table.writer import TableWriter


def writer_of(connection: sa.Connection) -> TableWriter:
    """The writer for a connection; the portable one for databases without their own."""
    return _writer(dialect_of(connection).writing)


def _postgres() -> TableWriter:
    from sinks.table.postgres.writer import PostgresWriter

    return PostgresWriter()


def _sqlite() -> TableWriter:
    from sinks.table.sqlite import SqliteWriter

    return SqliteWriter()


def _on_duplicate() -> TableWriter:
    from sinks.table.mariadb.writer import MariadbWriter

    return MariadbWriter()


def _arrow() -> TableWriter:
    from sinks.table.duckdb.writer import DuckdbWriter

    return DuckdbWriter()


def _portable() -> TableWriter:
    from sinks.table.generic import GenericWriter

    return GenericWriter()


_WRITERS: dict[Writing, Callable[[], TableWriter]] = {
    "copy": _postgres,
    "sqlite": _sqlite,
    "on duplicate": _on_duplicate,
    "arrow": _arrow,
    "portable": _portable,
}


@cache
def _writer(writing: Writing) -> TableWriter:
    return _WRITERS[writing]()
