"""The server tries staged rows one by one, says why it refuses some, and keeps none."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
import pytest
import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.table.postgres import staging_table
from sinks.table.postgres.refused import trial
from sinks.table.postgres.refused.refusal import Refusal
from sinks.table.postgres.session import Session
from sinks.table.postgres.statements import trial_statement
from sinks.table.postgres.writer import PostgresWriter
from sinks.table.target import Target, target_of
from tests.io.sinks.tested_database import Database
from transforms.route.table_name import TableName


@pytest.fixture
def connection(postgres: Database) -> Iterator[sa.Connection]:
    with transaction(postgres.database, "test") as connection:
        yield connection


def target(connection: sa.Connection, database: Database, mode: str = "ignore") -> Target:
    description = PostgresWriter().describe(connection, TableName("events"))
    config = database.config(key=["id"], on_conflict=mode)
    return target_of(config, "events", description, whole_payload=False)


def staged(connection: sa.Connection, target: Target, *rows: str) -> Session:
    """The session that has staged ``rows``, numbered from 10 on."""
    session = Session(connection, target, isolate=False)
    table = staging_table.table_of(target)
    for statement in table.create:
        session.execute(statement)
    for number, row in enumerate(rows, 10):
        session.execute(f"INSERT INTO {table.quoted} VALUES ({row}, {number}, 0)")
    return session


def refusals(
    session: Session, target: Target, *numbers: int, names: tuple[str, ...] = ("id", "v")
) -> dict[int, Refusal] | None:
    table = staging_table.table_of(target)
    statement = trial_statement(target, table, names, trial.SPAN, trial.RESULT)
    return trial.refusals(session, statement, numbers, deferrable=target.deferrable)


@pytest.mark.parametrize("mode", ["ignore", "update"])
def test_refused_rows_are_named_with_the_reason_and_nothing_stays(
    connection: sa.Connection, postgres: Database, mode: str
) -> None:
    postgres.run("CREATE TABLE events (id integer PRIMARY KEY, v integer UNIQUE CHECK (v > 0))")
    events = target(connection, postgres, mode)
    session = staged(connection, events, *("1, 1", "2, 0", "3, 1", "4, 2", "5, 3", "6, -1"))
    found = refusals(session, events, 10, 11, 12, 13, 14, 15)
    assert found is not None
    check = 'new row for relation "events" violates check constraint "events_v_check"'
    assert found == {
        11: Refusal("23514", check, "Failing row contains (2, 0)."),
        12: Refusal(
            "23505",
            'duplicate key value violates unique constraint "events_v_key"',
            "Key (v)=(1) already exists.",
        ),
        15: Refusal("23514", check, "Failing row contains (6, -1)."),
    }
    assert session.query("SELECT count(*) FROM events") == [(0,)]
    # Each row is judged by those before it that are tried.
    assert refusals(session, events, 12, 13) == {}


def test_what_waits_for_the_commit_is_checked_row_by_row(
    connection: sa.Connection, postgres: Database
) -> None:
    postgres.run(
        "CREATE TABLE parents (id integer PRIMARY KEY)",
        "CREATE TABLE events (id integer PRIMARY KEY,"
        " v integer REFERENCES parents DEFERRABLE INITIALLY DEFERRED)",
    )
    events = target(connection, postgres)
    found = refusals(staged(connection, events, "1, NULL", "2, 404"), events, 10, 11)
    assert found is not None
    assert {number: refusal.sqlstate for number, refusal in found.items()} == {11: "23503"}


def test_names_of_the_block_may_be_columns(connection: sa.Connection, postgres: Database) -> None:
    columns = ("size", "place", "first", "refused", "sluice_trial", "numbers")
    declared = ", ".join(f'"{name}" integer CHECK ("{name}" > 0)' for name in columns)
    postgres.run(f"CREATE TABLE events (id integer PRIMARY KEY, {declared})")
    events = target(connection, postgres)
    good = ", ".join("1" for _ in columns)
    session = staged(connection, events, f"1, {good}", f"2, {good[:-1]}0")
    found = refusals(session, events, 10, 11, names=("id", *columns))
    assert found is not None
    assert list(found) == [11]


def test_rows_that_cannot_be_tried_are_not_judged(
    connection: sa.Connection, postgres: Database
) -> None:
    postgres.run("CREATE TABLE events (id integer PRIMARY KEY, v integer)")
    events = target(connection, postgres)
    session = staged(connection, events, "1, 1")
    session.execute("DROP TABLE events")
    found = refusals(session, events, 10)
    # Whether the table is gone or a row refers to one that is: the code alone does not tell.
    assert found is not None
    assert [refusal.poison(0) for refusal in found.values()] == [None]
    with session.savepoint("after"):
        assert session.query("SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        ("USING ERRCODE = '40P01'", psycopg2.errors.DeadlockDetected),
        ("USING ERRCODE = '57014'", psycopg2.errors.QueryCanceled),
        ("USING ERRCODE = '53100'", psycopg2.errors.DiskFull),
        ("USING ERRCODE = '55P03'", psycopg2.errors.LockNotAvailable),
    ],
)
def test_an_error_that_is_no_rows_ends_the_trial(
    connection: sa.Connection, postgres: Database, error: str, raised: type[Exception]
) -> None:
    postgres.run(
        "CREATE TABLE events (id integer PRIMARY KEY, v integer)",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE 'no' {error}; END $$",
        "CREATE TRIGGER t BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION f()",
    )
    events = target(connection, postgres)
    with pytest.raises(raised):
        refusals(staged(connection, events, "1, 1"), events, 10)


def test_a_statement_that_takes_too_long_ends_the_trial(
    connection: sa.Connection, postgres: Database
) -> None:
    postgres.run(
        "CREATE TABLE events (id integer PRIMARY KEY, v integer CHECK (pg_sleep(v) IS NULL))"
    )
    events = target(connection, postgres)
    session = staged(connection, events, "1, 30")
    session.execute("SET LOCAL statement_timeout = '50ms'")
    with pytest.raises(psycopg2.errors.QueryCanceled):
        refusals(session, events, 10)


def test_the_role_may_have_no_right_to_the_language(
    connection: sa.Connection, postgres: Database
) -> None:
    postgres.run("CREATE TABLE events (id integer PRIMARY KEY, v integer CHECK (v > 0))")
    events = target(connection, postgres)
    session = staged(connection, events, "1, 0")
    session.execute("ALTER LANGUAGE plpgsql RENAME TO other")
    assert refusals(session, events, 10) is None
    assert session.query("SELECT 1") == [(1,)]
