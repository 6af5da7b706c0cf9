"""Each database is written by its own writer; a driver without one by portable SQL."""

from __future__ import annotations

from sinks.database.engine import transaction
from sinks.table.duckdb.writer import DuckdbWriter
from sinks.table.generic import GenericWriter
from sinks.table.mariadb.writer import MariadbWriter
from sinks.table.postgres.writer import PostgresWriter
from sinks.table.sqlite import SqliteWriter
from sinks.writers import writer_of
from tests.io.sinks.tested_database import Database

WRITERS = {
    "sqlite": SqliteWriter,
    "postgres": PostgresWriter,
    "generic": GenericWriter,
    "mariadb": MariadbWriter,
    "duckdb": DuckdbWriter,
}


def test_each_database_has_its_writer(database: Database) -> None:
    with transaction(database.database, "test") as connection:
        assert type(writer_of(connection)) is WRITERS[database.kind]
