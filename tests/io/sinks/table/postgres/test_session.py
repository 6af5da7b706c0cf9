"""An error that is a row's undoes its piece, and the transaction goes on."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
import pytest
import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.table.postgres.lines import Lines
from sinks.table.postgres.session import Session
from sinks.table.rows import Poison
from sinks.text.copy_text import copy_data
from tests.io.sinks.table.events_target import EVENTS
from tests.io.sinks.tested_database import Database


@pytest.fixture
def connection(postgres: Database) -> Iterator[sa.Connection]:
    postgres.run("CREATE TABLE events (id integer PRIMARY KEY)")
    with transaction(postgres.database, "test") as connection:
        yield connection


def lines(*texts: str) -> Lines:
    return Lines(("id",), texts, range(len(texts)), copy_data(texts))


def test_copy_sets_the_bad_rows_aside_and_keeps_the_others(connection: sa.Connection) -> None:
    session = Session(connection, EVENTS, isolate=False)
    poison: list[Poison] = []
    refused = session.copy('"events"', lines("1", "x", "3", "4", "y"), poison)
    assert refused == {1, 4}
    assert [(bad.index, bad.sqlstate) for bad in poison] == [(1, "22P02"), (4, "22P02")]
    assert session.query("SELECT id FROM events ORDER BY id") == [(1,), (3,), (4,)]


def test_what_happened_before_a_savepoint_stays(connection: sa.Connection) -> None:
    session = Session(connection, EVENTS, isolate=False)
    session.execute("INSERT INTO events VALUES (1)")
    with pytest.raises(psycopg2.Error), session.savepoint("piece"):
        session.execute("INSERT INTO events VALUES (2); INSERT INTO events VALUES (1)")
    assert session.query("SELECT id FROM events") == [(1,)]


def test_only_when_isolating_is_a_row_to_blame_for_a_lock_that_is_not_to_be_had(
    connection: sa.Connection,
) -> None:
    error = type("Blocked", (psycopg2.errors.LockNotAvailable,), {"pgcode": "55P03"})()
    assert Session(connection, EVENTS, isolate=False).blame(error) == "nobody"
    isolating = Session(connection, EVENTS, isolate=True)
    assert isolating.blame(error) == "row"
    assert isolating.query("SHOW lock_timeout") == [("1s",)]
