"""One query finds the values that COPY would have stopped at, with COPY's own words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import psycopg2
import pytest
import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.table.postgres import staging_table
from sinks.table.postgres.lines import Lines, Texts
from sinks.table.postgres.refused import unreadable
from sinks.table.postgres.session import Session
from sinks.table.postgres.writer import PostgresWriter
from sinks.table.records import Records
from sinks.table.rows import Poison
from sinks.table.target import target_of
from tests.io.sinks.tested_database import Database
from transforms.route.table_name import TableName


@pytest.fixture
def connection(postgres: Database) -> Iterator[sa.Connection]:
    with transaction(postgres.database, "test") as connection:
        yield connection


class Staging:
    """Rows for a table with the columns ``id`` and ``v``, and its staging table."""

    def __init__(self, connection: sa.Connection, database: Database, *values: str) -> None:
        description = PostgresWriter().describe(connection, TableName("events"))
        config = database.config(key=["id"])
        target = target_of(config, "events", description, whole_payload=False)
        self.session = Session(connection, target, isolate=False)
        table = staging_table.table_of(target)
        for statement in table.create:
            self.session.execute(statement)
        self.table = table.quoted
        texts = [f"{number}\t{value}" for number, value in enumerate(values)]
        lines = Lines(("id", "v"), texts, range(5, 5 + len(texts)))
        records = Records([{}] * len(texts), {}, [0])
        self.lines = staging_table.numbered(lines, 0, records, target, table)
        self.poison: list[Poison] = []

    def error(self) -> psycopg2.Error:
        """What COPY says of all rows together."""
        with pytest.raises(psycopg2.Error) as raised, self.session.savepoint("piece"):
            self.session.load(self.table, self.lines.names, self.lines.whole)
        return raised.value

    def one_by_one(self) -> list[tuple[int, str, str, str | None]]:
        """What becomes of the rows if each is refused by itself; none stays."""
        poison: list[Poison] = []
        with self.session.savepoint("all"):
            self.session.copy(self.table, self.lines, poison)
            self.session.undo("all")
        return told(poison)


def told(poison: list[Poison]) -> list[tuple[int, str, str, str | None]]:
    return sorted((bad.index, bad.category, bad.message, bad.sqlstate) for bad in poison)


@pytest.mark.parametrize(
    ("declared", "values"),
    [
        ("integer", ("1", "x", "\\N", "99999999999", "ä" * 51, "a\\nb", '"', "2")),
        ("varchar(3)", ("abc", "abcd", "ab   ", "\\N")),
        ("numeric(4,2)", ("1", "1000", "x")),
        ("timestamptz", ("2026-01-01", "2026-13-01", "x")),
        ("tsquery", ("a", "a & ")),
        ("d", ("1", "-1", "x", "\\N", "5")),
    ],
)
def test_it_says_what_copy_says_of_each_row(
    connection: sa.Connection, postgres: Database, declared: str, values: tuple[str, ...]
) -> None:
    postgres.run(
        "CREATE DOMAIN d AS integer NOT NULL CHECK (VALUE > 0)",
        f"CREATE TABLE events (id integer PRIMARY KEY, v {declared})",
    )
    staging = Staging(connection, postgres, *values)
    expected = staging.one_by_one()
    assert len(expected) > 0
    error = staging.error()
    assert unreadable.refusals(staging.session, staging.table, staging.lines, error) != {}
    gone = unreadable.copy(staging.session, staging.table, staging.lines, staging.poison, error)
    assert told(staging.poison) == expected
    assert {5 + position for position in gone} == {index for index, *_ in expected}
    (count,) = staging.session.query(f"SELECT count(*) FROM {staging.table}")[0]
    assert count == len(values) - len(gone)


def test_an_older_server_is_not_asked(
    connection: sa.Connection, postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.run("CREATE TABLE events (id integer PRIMARY KEY, v integer)")
    staging = Staging(connection, postgres, "1", "x")
    error = staging.error()
    monkeypatch.setattr(Session, "server_version", 150_004)
    assert unreadable.refusals(staging.session, staging.table, staging.lines, error) == {}
    assert unreadable.copy(
        *(staging.session, staging.table, staging.lines, staging.poison, error)
    ) == {1}


def test_a_type_that_cannot_be_asked_leaves_its_rows_to_copy(
    connection: sa.Connection, postgres: Database
) -> None:
    postgres.run(
        "CREATE FUNCTION f(n integer) RETURNS boolean LANGUAGE plpgsql AS "
        "$$ BEGIN RETURN 1 / n > 0; END $$",
        "CREATE DOMAIN d AS integer CHECK (f(VALUE))",  # raises an error of its own
        "CREATE TABLE events (id integer PRIMARY KEY, v d)",
    )
    staging = Staging(connection, postgres, "1", "0", "x")
    expected = staging.one_by_one()
    error = staging.error()
    assert unreadable.refusals(staging.session, staging.table, staging.lines, error) == {}
    unreadable.copy(staging.session, staging.table, staging.lines, staging.poison, error)
    assert told(staging.poison) == expected
    assert len(expected) == 2


def test_texts_that_the_server_cannot_take_leave_all_rows_to_copy(
    connection: sa.Connection, postgres: Database
) -> None:
    postgres.run("CREATE TABLE events (id integer PRIMARY KEY, v integer)")
    staging = Staging(connection, postgres, "1", "x", "2")
    error = staging.error()
    data = staging.lines.whole.replace(b"x", b"\xff")
    broken = replace(staging.lines, texts=Texts(lambda: data, 2))
    assert unreadable.refusals(staging.session, staging.table, broken, error) == {}
    assert staging.session.query("SELECT 1") == [(1,)]
