"""What DuckDB says during a rehearsal: the numbers of sequences, which a rollback does not set back."""

from __future__ import annotations

from sinks.database.backends.duckdb.rehearsing import RehearsingDuckdb
from sinks.database.engine import transaction
from tests.io.sinks.tested_database import Database
from transforms.route.table_name import TableName

ASKED = RehearsingDuckdb()


def test_sequences_are_listed_with_their_last_number(duckdb_database: Database) -> None:
    duckdb_database.run("CREATE SEQUENCE used", "CREATE SEQUENCE unused", "SELECT nextval('used')")
    with transaction(duckdb_database.database, "test") as connection:
        assert ASKED.sequences(connection) == {"main.used": 1, "main.unused": None}
        assert ASKED.triggers(connection, TableName("a")) == ()
