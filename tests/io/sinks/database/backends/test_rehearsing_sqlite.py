"""What SQLite says of its triggers, and of a file that another process writes to."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from sinks.database.backends.rehearsing_sqlite import RehearsingSqlite
from sinks.database.engine import transaction
from tests.io.sinks.tested_database import Database
from transforms.route.table_name import TableName

ASKED = RehearsingSqlite()


def test_triggers_are_listed_and_sequences_are_rows(sqlite_database: Database) -> None:
    sqlite_database.run(
        "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT)",
        "CREATE TRIGGER first AFTER INSERT ON a BEGIN SELECT 1; END",
    )
    with transaction(sqlite_database.database, "test") as connection:
        assert ASKED.triggers(connection, TableName("A")) == ["first"]
        assert ASKED.triggers(connection, TableName("a", "main")) == ["first"]
        assert ASKED.triggers(connection, TableName("b")) == []
        assert ASKED.sequences(connection) == {}


def test_a_file_that_is_written_to_is_told_from_other_errors(sqlite_database: Database) -> None:
    with closing(sqlite_database.connect()) as one, closing(sqlite_database.connect()) as other:
        one.execute("BEGIN IMMEDIATE")
        other.execute("PRAGMA busy_timeout = 0")
        with pytest.raises(sqlite3.OperationalError) as caught:
            other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError) as another:
            other.execute("SELECT * FROM missing")
    assert "another process writes to" in ASKED.obstacle_of(caught.value)
    assert ASKED.obstacle_of(another.value) == ""


def test_nobody_can_see_who_waits() -> None:
    assert ASKED.seconds == 1
