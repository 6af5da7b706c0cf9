"""Statements with thousands of rows, and what becomes of a transaction that a deadlock has undone."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from sinks.database.classify import classify
from sinks.database.engine import transaction
from sinks.table.mariadb.session import Session
from tests.io.sinks.tested_database import Database
from transforms.errors import Contention, SluiceError

HEAD, TAIL = "INSERT INTO t (k, v) VALUES ", " ON DUPLICATE KEY UPDATE v = VALUES(v)"


@pytest.fixture
def connection(mariadb: Database) -> Iterator[sa.Connection]:
    mariadb.run("CREATE TABLE t (k int PRIMARY KEY, v int)", "INSERT INTO t VALUES (1, 1), (2, 2)")
    with transaction(mariadb.database, "test") as connection:
        yield connection


def test_the_server_says_how_many_rows_were_there_and_how_many_changed(
    connection: sa.Connection,
) -> None:
    session = Session(connection)
    # One stays as it is, one changes, one is new, and changes in the same statement.
    assert session.insert(HEAD, "(1,1),(2,3),(3,1),(3,4)", TAIL) == (2, 3)


def test_parts_are_statements_that_the_server_takes(connection: sa.Connection) -> None:
    session = Session(connection)
    texts = ["x" * 400_000] * 7
    parts = list(session.parts(texts, 1, 7))
    assert [part[0] for part in parts] == [1, *(part[1] for part in parts[:-1])]
    assert parts[-1][1] == 7
    assert len(parts) > 2
    with pytest.raises(ValueError, match="max_allowed_packet"):
        list(session.parts(["\u65e5" * 6_000_000], 0, 1))


def test_half_of_a_character_is_never_sent(connection: sa.Connection) -> None:
    with pytest.raises(UnicodeEncodeError):
        Session(connection).run("SELECT ", "'\udcff'")


def test_an_error_does_not_show_the_rows(connection: sa.Connection) -> None:
    with pytest.raises(sa.exc.DBAPIError) as caught:
        Session(connection).insert(HEAD, "(3,'secret'),(4,'x')", TAIL)
    assert classify(caught.value).category == "data"
    assert "(4," not in str(caught.value)


def test_after_a_deadlock_the_transaction_is_run_again_whole(mariadb: Database) -> None:
    """MariaDB has undone it with its savepoints; the error is still the deadlock's."""
    mariadb.run("CREATE TABLE t (k int PRIMARY KEY, v int)", "INSERT INTO t VALUES (1, 0), (2, 0)")
    both = threading.Barrier(2)
    errors: list[SluiceError] = []

    def write(first: int, second: int) -> None:
        try:
            with transaction(mariadb.database, "write") as connection:
                session = Session(connection)
                session.run("UPDATE t SET ", f"v = v + 1 WHERE k = {first}")
                both.wait(20)
                with session.savepoint(needed=True):
                    session.run("UPDATE t SET ", f"v = v + 1 WHERE k = {second}")
        except SluiceError as error:
            errors.append(error)

    other = threading.Thread(target=write, args=(2, 1))
    other.start()
    write(1, 2)
    other.join()
    assert [type(error) for error in errors] == [Contention]
    assert "Deadlock" in str(errors[0])
    assert mariadb.rows("SELECT k, v FROM t ORDER BY k") == [(1, 1), (2, 1)]


def test_a_lock_that_is_not_given_is_contention(mariadb: Database) -> None:
    hasty = mariadb.config(statement_timeout=1).database
    mariadb.run("CREATE TABLE t (k int PRIMARY KEY, v int)", "INSERT INTO t VALUES (1, 0)")
    with transaction(mariadb.database, "write") as connection:
        Session(connection).run("UPDATE t SET ", "v = 1 WHERE k = 1")
        with pytest.raises(Contention), transaction(hasty, "write") as other:
            Session(other).run("UPDATE t SET ", "v = 2 WHERE k = 1")
