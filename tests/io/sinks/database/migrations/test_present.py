"""A step sees what is there at that moment."""

from __future__ import annotations

from sinks.database.engine import transaction
from sinks.database.migrations.present import Present
from tests.io.sinks.tested_database import Database


def test_tables_columns_and_indexes_are_seen_once_they_are_there(database: Database) -> None:
    with transaction(database.database, "test") as connection:
        present = Present(connection)
        assert not present.has("notes")
        assert not present.has("notes", "id")
        assert present.indexes("notes") == {}
        connection.exec_driver_sql("CREATE TABLE notes (id INTEGER)")
        assert present.has("notes")
        assert present.has("notes", "id")
        assert not present.has("notes", "name")
        connection.exec_driver_sql("CREATE INDEX notes_id ON notes (id)")
        assert present.indexes("notes") == {"notes_id": True}
