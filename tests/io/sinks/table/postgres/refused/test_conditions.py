"""What one query finds is what PostgreSQL says of each row that is tried by itself."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.table.postgres import staging_table
from sinks.table.postgres.refused import conditions, trial
from sinks.table.postgres.refused.refusal import Refusal
from sinks.table.postgres.session import Session
from sinks.table.postgres.statements import trial_statement
from sinks.table.postgres.writer import PostgresWriter
from sinks.table.target import Target, target_of
from sinks.text.quoting import literal
from tests.io.sinks.tested_database import Database
from transforms.route.table_name import TableName

LONG = "äb" * 31  # longer than what is shown, whose end lies within a character
VALUES: tuple[tuple[str, tuple[str | None, ...]], ...] = (
    ("integer", ("1", "-5", None)),
    (
        "text",
        ("a", LONG, f"a{LONG}", "x" * 64, "x" * 65, "€" * 30, "", "null", "a, b", "(1)", None),
    ),
    ("char(5)", ("a", "ab", None)),
    ("boolean", ("t", "f", None)),
    ("timestamptz", ("2026-01-01", None)),
    ("numeric(9,2)", ("1.5", None)),
    ("jsonb", ('{"a": "' + "b" * 99 + '"}', "1", None)),
    ("bytea", ("\\x00ff", None)),
    ("inet", ("10.0.0.1", None)),
    ("text[]", ('{a,"b c",NULL}', None)),
    ("real", ("0.1", None)),
    ('"char"', ("a", None)),
)
"""Types, and values whose text is told apart from what a cast would make of it."""


@pytest.fixture
def connection(postgres: Database) -> Iterator[sa.Connection]:
    with transaction(postgres.database, "test") as connection:
        yield connection


class Staged:
    """A table, and rows that are staged for it."""

    def __init__(self, connection: sa.Connection, database: Database, mode: str = "ignore") -> None:
        description = PostgresWriter().describe(connection, TableName("events"))
        config = database.config(key=["id"], on_conflict=mode)
        self.target: Target = target_of(config, "events", description, whole_payload=False)
        self.session = Session(connection, self.target, isolate=False)
        self.table = staging_table.table_of(self.target)
        for statement in self.table.create:
            self.session.execute(statement)
        self.count = 0

    def add(self, row: dict[str, str | None]) -> None:
        names = ", ".join(row)
        cells = ", ".join("NULL" if cell is None else literal(cell) for cell in row.values())
        self.session.execute(
            f"INSERT INTO {self.table.quoted} ({names}, {self.table.ordinal}) "
            f"VALUES ({cells}, {self.count})"
        )
        self.count += 1

    def asked(self, *names: str) -> tuple[dict[int, Refusal], int]:
        """What the query finds, and how many rows were tried for it."""
        tried = 0

        def trying(numbers: Any) -> Any:
            nonlocal tried
            tried += len(numbers)
            return self.tried(names, numbers)

        if not conditions.can_ask(self.target, names):
            return {}, 0
        arguments = (self.session, self.target, self.table, names, (0, self.count), trying)
        return conditions.refusals(*arguments), tried

    def tried(self, names: Any, numbers: Any = None) -> dict[int, Refusal]:
        statement = trial_statement(self.target, self.table, names, trial.SPAN, trial.RESULT)
        numbers = range(self.count) if numbers is None else numbers
        refused = trial.refusals(self.session, statement, numbers, deferrable=False)
        assert refused is not None
        return refused


@pytest.mark.parametrize("mode", ["ignore", "update"])
def test_rows_that_break_conditions_are_worded_as_postgres_words_them(
    connection: sa.Connection, postgres: Database, mode: str
) -> None:
    columns = ", ".join(f"c{n} {kind}" for n, (kind, _) in enumerate(VALUES))
    postgres.run(
        "CREATE TABLE parents (id integer PRIMARY KEY)",
        "CREATE TABLE pairs (a integer, b text, PRIMARY KEY (a, b))",
        "INSERT INTO parents VALUES (1)",
        "INSERT INTO pairs VALUES (1, 'a')",
        f"CREATE TABLE events (id integer PRIMARY KEY, {columns}, gone integer, n integer NOT NULL, "
        "m integer NOT NULL, p bigint REFERENCES parents, a integer, b text, "
        "CONSTRAINT z CHECK (n > 0), CONSTRAINT y CHECK (n > 0 OR m > 0), "
        "FOREIGN KEY (a, b) REFERENCES pairs)",
        "ALTER TABLE events DROP COLUMN gone",
        "INSERT INTO events (id, n, m) VALUES (7, 1, 1)",
    )
    random = Random(25)
    staged = Staged(connection, postgres, mode)
    for number in range(300):
        row = {f"c{n}": random.choice(cells) for n, (_, cells) in enumerate(VALUES)}
        row |= {"id": str(number), "n": random.choice(("1", "1", "0", None))}
        row["m"] = random.choice(("1", "1", "1", "0", None))
        row["p"] = random.choice(("1", "1", "1", None, "404", "505"))
        row["a"] = random.choice(("1", "1", "2", None))
        row["b"] = random.choice(("a", "a", "b, c", None))
        staged.add(row)
    names = tuple(row)
    asked, tried = staged.asked(*names)
    every = staged.tried(names)
    assert {number: every.get(number) for number in asked} == asked
    left_out = {refusal.sqlstate for number, refusal in every.items() if number not in asked}
    assert left_out <= {"23503"}  # two keys at once, or a key of the table that is there
    assert len(asked) > 0.9 * len(every) > 100
    assert tried <= 32


def test_a_key_that_is_there_or_comes_again_is_left_to_those_who_try(
    connection: sa.Connection, postgres: Database
) -> None:
    postgres.run(
        "CREATE TABLE parents (id integer PRIMARY KEY)",
        "CREATE TABLE events (id integer PRIMARY KEY, v integer REFERENCES parents)",
        "INSERT INTO events VALUES (1, NULL)",
    )
    staged = Staged(connection, postgres)
    for number in (1, 2, 3, 3, 4, 5):
        staged.add({"id": str(number), "v": "404"})
    asked, _ = staged.asked("id", "v")
    assert set(asked) == {1, 4, 5}


def test_a_parent_that_has_come_is_there(connection: sa.Connection, postgres: Database) -> None:
    postgres.run(
        "CREATE TABLE parents (id integer PRIMARY KEY)",
        "CREATE TABLE events (id integer PRIMARY KEY, v integer REFERENCES parents)",
    )
    staged = Staged(connection, postgres)
    for number in range(5):
        staged.add({"id": str(number), "v": str(number)})
    postgres.run("INSERT INTO parents VALUES (0), (1), (2)")
    asked, _ = staged.asked("id", "v")
    assert set(asked) == {3, 4}


@pytest.mark.parametrize(
    "declared",
    [
        "v integer CHECK (10 / v > 0)",  # raises an error of its own
        "v integer CHECK (v > 0), w serial",  # a default is shown as well
        "v integer CHECK (v > 0), w integer GENERATED ALWAYS AS (v) STORED",
        "v integer CHECK (v > 0), w integer GENERATED ALWAYS AS IDENTITY",
        "v integer",
    ],
)
def test_what_cannot_be_told_for_certain_is_left_to_those_who_try(
    connection: sa.Connection, postgres: Database, declared: str
) -> None:
    postgres.run(f"CREATE TABLE events (id integer PRIMARY KEY, {declared})")
    staged = Staged(connection, postgres)
    for number in range(5):
        staged.add({"id": str(number), "v": "0"})
    assert staged.asked("id", "v") == ({}, 0)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE events ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE events ADD CHECK (events.* IS NULL) NOT VALID",
        "CREATE TRIGGER t BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION f()",
    ],
)
def test_what_else_decides_is_left_to_those_who_try(
    connection: sa.Connection, postgres: Database, statement: str
) -> None:
    postgres.run(
        "CREATE TABLE events (id integer PRIMARY KEY, v integer, CONSTRAINT c CHECK (v > 0))",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
        statement,
    )
    staged = Staged(connection, postgres)
    for number in range(5):
        staged.add({"id": str(number), "v": "0"})
    assert staged.asked("id", "v") == ({}, 0)


@pytest.mark.parametrize(
    "reference",
    [
        "REFERENCES parents DEFERRABLE",
        "REFERENCES secured",
        "REFERENCES events",
    ],
)
def test_keys_that_a_query_cannot_follow_are_not_asked_about(
    connection: sa.Connection, postgres: Database, reference: str
) -> None:
    postgres.run(
        "CREATE TABLE parents (id integer PRIMARY KEY)",
        "CREATE TABLE secured (id integer PRIMARY KEY)",
        "ALTER TABLE secured ENABLE ROW LEVEL SECURITY",
        f"CREATE TABLE events (id integer PRIMARY KEY, v integer {reference} CHECK (v > 0))",
    )
    staged = Staged(connection, postgres)
    for number, v in enumerate(("404", "0", "404", "0", "0")):
        staged.add({"id": str(number), "v": v})
    asked, _ = staged.asked("id", "v")
    assert set(asked) == {1, 3, 4}


def test_a_value_that_also_stands_elsewhere_is_put_in_its_place_only(
    connection: sa.Connection, postgres: Database
) -> None:
    postgres.run(
        'CREATE TABLE "=(1)" (id integer PRIMARY KEY)',
        'CREATE TABLE events (id integer PRIMARY KEY, v integer REFERENCES "=(1)")',
    )
    staged = Staged(connection, postgres)
    for number in range(6):
        staged.add({"id": str(number), "v": str(1 + number // 3)})
    asked, _ = staged.asked("id", "v")
    every = staged.tried(("id", "v"))
    assert {number: every[number] for number in asked} == asked
