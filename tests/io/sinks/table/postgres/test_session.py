"""An error that is a row's undoes its piece, and the transaction goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import psycopg2
import pytest
import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.table.postgres.lines import Lines
from sinks.table.postgres.session import Session
from sinks.table.rows import Poison
from tests.io.sinks.table.events_target import EVENTS
from tests.io.sinks.tested_database import Database


@pytest.fixture
def connection(postgres: Database) -> Iterator[sa.Connection]:
    postgres.run("CREATE TABLE events (id integer PRIMARY KEY)")
    with transaction(postgres.database, "test") as connection:
        yield connection


def lines(*texts: str) -> Lines:
    return Lines(("id",), texts, range(len(texts)))


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


class Asking(psycopg2.extensions.cursor):
    """Keeps what is sent to the server, one text for each round trip."""

    sent: ClassVar[list[str]] = []

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002
        self.sent.append(str(query))
        super().execute(query, vars)

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        self.sent.append(str(sql))
        super().copy_expert(sql, file, size)


def asking(connection: sa.Connection) -> Session:
    driver: Any = connection.connection.dbapi_connection
    driver.cursor_factory = Asking
    Asking.sent.clear()
    return Session(connection, EVENTS, isolate=False)


def test_rows_that_are_all_taken_cost_one_round_trip_and_leave_no_savepoint(
    connection: sa.Connection,
) -> None:
    session = asking(connection)
    with session.savepoint("direct"):
        session.copy('"events"', lines("1", "2"), [], closing="direct")
    assert len(Asking.sent) == 1
    assert session.query("SELECT count(*) FROM events") == [(2,)]
    with pytest.raises(psycopg2.errors.InvalidSavepointSpecification):
        session.execute("ROLLBACK TO SAVEPOINT sluice_direct")


def test_a_savepoint_without_a_statement_costs_nothing(connection: sa.Connection) -> None:
    session = asking(connection)
    with session.savepoint("direct"), session.savepoint("piece"):
        pass
    assert Asking.sent == []


def test_what_a_savepoint_has_before_an_error_is_undone_and_what_follows_stays(
    connection: sa.Connection,
) -> None:
    session = Session(connection, EVENTS, isolate=False)

    def copy_twice() -> None:
        with session.savepoint("direct"):
            session.copy('"events"', lines("1"), [])
            session.copy('"events"', lines("1"), [], lambda error: "nobody", closing="direct")

    with pytest.raises(psycopg2.errors.UniqueViolation):
        copy_twice()
    with session.savepoint("direct"):
        session.copy('"events"', lines("2"), [])
        bad: list[Poison] = []
        session.copy('"events"', lines("3", "x"), bad, closing="direct")
    assert [poison.index for poison in bad] == [1]
    assert session.query("SELECT id FROM events ORDER BY id") == [(2,), (3,)]


def test_only_when_isolating_is_a_row_to_blame_for_a_lock_that_is_not_to_be_had(
    connection: sa.Connection,
) -> None:
    error = type("Blocked", (psycopg2.errors.LockNotAvailable,), {"pgcode": "55P03"})()
    assert Session(connection, EVENTS, isolate=False).blame(error) == "nobody"
    isolating = Session(connection, EVENTS, isolate=True)
    assert isolating.blame(error) == "row"
    assert isolating.query("SHOW lock_timeout") == [("1s",)]
