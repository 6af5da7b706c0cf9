"""Whatever is written many at a time comes to what one record at a time would have come to.

Briefly here; ``make oracle`` tries many more cases.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg2
import pytest
from hypothesis import HealthCheck, example, given, settings

from sinks.database.engine import dispose_engines
from sinks.sql import SqlSink
from tests.io.sinks.side_by_side import written
from tests.io.sinks.table.one_by_one import (
    POSTGRES,
    SQLITE,
    TRIGGERS,
    Case,
    Column,
    Outcome,
    apply_on_postgres,
    apply_on_sqlite,
    cases,
)
from tests.io.sinks.table.one_by_one_mariadb import MARIADB, apply_on_mariadb, ddl
from tests.io.sinks.tested_database import Database, make_batch
from transforms.batch.retry_policy import RetryPolicy

BRIEF = 60
EXAMPLES = int(os.environ.get("ORACLE_EXAMPLES", BRIEF))
BRIEFLY = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
_numbers = itertools.count()

K = Column("k", "integer", (1, 2))
N = Column("n", "integer", (1, 2))
AT = Column("at", "integer", (1, 2))


def case(
    mode: str,
    *records: dict[str, Any],
    columns: Sequence[Column] = (K, N),
    constraints: Sequence[str] = (),
) -> Case:
    return Case(columns, ("k",), constraints, mode, [[list(records)]])


HIDDEN: list[Case] = [
    # Each would have lost a good record, or hidden a refused one, when records of one key are
    # folded together before the database has accepted them.
    case("ignore", {"k": 1, "n": -1}, {"k": 1, "n": 5}, constraints=["CHECK (n > 0)"]),
    case("update", {"k": 1, "n": -1}, {"k": 1, "n": 5}, constraints=["CHECK (n > 0)"]),
    *(
        case(
            "newest:at",
            {"k": 1, "n": -1, "at": refused},
            {"k": 1, "n": 5, "at": 2},
            columns=(K, N, AT),
            constraints=["CHECK (n > 0)"],
        )
        for refused in (1, 9)
    ),
    # What one key leaves, another one may take.
    case(
        "update", {"k": 1, "n": 1}, {"k": 1, "n": 2}, {"k": 2, "n": 1}, constraints=["UNIQUE (n)"]
    ),
    # A field that is missing leaves its column alone.
    case(
        "update", {"k": 1, "n": 1}, {"k": 1}, columns=(K, replace(N, declared="integer NOT NULL"))
    ),
]


def examples(test: Callable[..., None]) -> Callable[..., None]:
    """Try all of ``HIDDEN``, besides the generated cases."""
    for case in HIDDEN:
        test = example(case)(test)
    return test


def check(
    case: Case,
    database: Database,
    table: str,
    expected: Outcome,
    rows: Callable[[str], list[tuple[Any, ...]]],
    side_by_side: int = 1,
) -> None:
    """Write the case by the sink and compare it with the reference, which is there already.

    With several transactions ``side_by_side``, each takes one batch.
    """
    config = database.config(table, key=case.key, on_conflict=case.mode)
    sink = SqlSink(config, RetryPolicy(max_attempts=1), outbox=case.effects)
    refused: set[int] = set()
    counted = offset = 0
    commits = []
    for commit in case.commits:
        batches = []
        for values in commit:
            batches.append(make_batch(values, offset, source=f"file:///{table}", partition="p"))
            offset += len(values)
        commits.append(batches)
    if side_by_side > 1:
        sink.prepare()  # of a table that is not known, there is one at a time
        every = [batch for batches in commits for batch in batches]
        results = written(sink, every, side_by_side, commit_records=1)
    else:
        results = [
            settled for batches in commits for settled in sink.commit(batches, isolate=case.isolate)
        ]
    for settled in results:
        refused |= {failure.origin.offset for failure in (*settled.dead, *settled.retry)}
        counted += settled.counts.inserted
        assert settled.counts.duplicates >= 0
    assert rows(table) == rows(f"{table}_expected")
    assert refused - expected.either == expected.refused - expected.either
    assert counted == len(rows(table))


class TestPostgres:
    pytestmark = pytest.mark.integration

    @pytest.fixture
    def prepared(self, postgres: Database) -> Database:
        postgres.run(
            "CREATE TABLE parents (id integer PRIMARY KEY)", "INSERT INTO parents VALUES (1), (2)"
        )
        postgres.sink("prepared", key=["id"])
        return postgres

    @pytest.mark.parametrize("side_by_side", [1, 3])
    def test_rows_and_refused_records_are_those_of_one_at_a_time(
        self, prepared: Database, side_by_side: int
    ) -> None:
        with closing(psycopg2.connect(prepared.url)) as connection:

            @BRIEFLY
            @examples
            @given(cases(POSTGRES))
            def compare(case: Case) -> None:
                self.compare(prepared, connection, case, side_by_side)

            compare()

    def compare(self, database: Database, connection: Any, case: Case, side_by_side: int) -> None:
        number = next(_numbers)
        if number % 50 == 0:
            dispose_engines()  # staging tables live as long as their session
        table = f"t{number}"
        with connection.cursor() as cursor:
            for name in (table, f"{table}_expected"):
                for statement in case.ddl(name):
                    cursor.execute(statement)
                if case.trigger is not None:
                    cursor.execute(
                        f"CREATE FUNCTION {name}_f() RETURNS trigger LANGUAGE plpgsql AS "
                        f"$$ BEGIN {TRIGGERS[case.trigger]} END $$"
                    )
                    cursor.execute(
                        f"CREATE TRIGGER t BEFORE INSERT OR UPDATE ON {name} "
                        f"FOR EACH ROW EXECUTE FUNCTION {name}_f()"
                    )
        connection.commit()

        def rows(name: str) -> list[tuple[Any, ...]]:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT t::text FROM {name} t ORDER BY 1")
                return list(cursor.fetchall())

        try:
            expected = apply_on_postgres(connection, f"{table}_expected", case)
            check(case, database, table, expected, rows, side_by_side)
        finally:
            connection.rollback()
            with connection.cursor() as cursor:
                cursor.execute(f"DROP TABLE {table}, {table}_expected")
            connection.commit()


class TestSqlite:
    def test_rows_and_refused_records_are_those_of_one_at_a_time(
        self, sqlite_database: Database
    ) -> None:
        sqlite_database.run(
            "CREATE TABLE parents (id integer PRIMARY KEY)", "INSERT INTO parents VALUES (1), (2)"
        )
        sqlite_database.sink("prepared", key=["id"])
        path = sqlite_database.url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = OFF")

            @BRIEFLY
            @examples
            @given(cases(SQLITE))
            def compare(case: Case) -> None:
                self.compare(sqlite_database, connection, case)

            compare()

    def compare(self, database: Database, connection: sqlite3.Connection, case: Case) -> None:
        table = f"t{next(_numbers)}"
        for name in (table, f"{table}_expected"):
            for statement in case.ddl(name):
                connection.execute(statement)

        def rows(name: str) -> list[tuple[Any, ...]]:
            return sorted(connection.execute(f"SELECT * FROM {name}").fetchall(), key=repr)

        try:
            expected = apply_on_sqlite(connection, f"{table}_expected", case)
            check(case, database, table, expected, rows)
        finally:
            connection.execute("PRAGMA foreign_keys = OFF")
            for name in (table, f"{table}_expected"):
                connection.execute(f"DROP TABLE {name}")
            connection.execute("PRAGMA foreign_keys = ON")


class TestMariadb:
    WATCHED = replace(
        case("update", {"k": 1, "v": 1}, {"k": 1, "v": 2}, columns=(K, replace(N, name="v"))),
        trigger="INSERT change",
    )
    """An update is none of this trigger's business, although it begins as an INSERT."""

    def test_rows_and_refused_records_are_those_of_one_at_a_time(self, mariadb: Database) -> None:
        mariadb.run(
            "CREATE TABLE parents (id integer PRIMARY KEY)", "INSERT INTO parents VALUES (1), (2)"
        )
        mariadb.sink("prepared", key=["id"])
        with closing(mariadb.connect()) as connection:

            @settings(BRIEFLY, max_examples=EXAMPLES if EXAMPLES != BRIEF else 10)
            @examples
            @example(self.WATCHED)
            @given(cases(MARIADB))
            def compare(case: Case) -> None:
                self.compare(mariadb, connection, case)

            compare()

    def compare(self, database: Database, connection: Any, case: Case) -> None:
        table = f"t{next(_numbers)}"
        cursor = connection.cursor()
        for name in (table, f"{table}_expected"):
            for statement in ddl(case, name):
                cursor.execute(statement)

        def rows(name: str) -> list[tuple[Any, ...]]:
            cursor.execute(f"SELECT * FROM {name}")
            connection.commit()
            return sorted(cursor.fetchall(), key=repr)

        try:
            expected = apply_on_mariadb(connection, f"{table}_expected", case)
            check(case, database, table, expected, rows)
        finally:
            connection.rollback()
            cursor.execute(f"DROP TABLE {table}, {table}_expected")
