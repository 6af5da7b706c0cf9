"""PostgreSQL: locks hold others off, and a claim does not wait for rows that others hold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import sqlalchemy as sa

from sinks.database.backends.postgres import LOCKS, Postgres
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from tests.io.sinks.tested_database import Database, await_lock

HELD = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"


def lock(database: Database, *names: tuple[str, ...]) -> None:
    with transaction(database.database, "test") as connection:
        dialect_of(connection).lock(connection, names)


def test_a_lock_holds_off_others_until_the_transaction_ends(postgres: Database) -> None:
    with ThreadPoolExecutor(1) as threads:
        with transaction(postgres.database, "test") as connection:
            dialect_of(connection).lock(connection, [("events", "a", "p")])
            waiting = threads.submit(lock, postgres, ("events", "b", "p"), ("events", "a", "p"))
            await_lock(postgres)
            assert not waiting.done()
        waiting.result(60)
    assert postgres.rows(HELD) == [(0,)]


def test_locks_of_a_target_are_bounded(postgres: Database) -> None:
    names = [("events", "source", str(n)) for n in range(5_000)]
    with transaction(postgres.database, "test") as connection:
        dialect_of(connection).lock(connection, names)
        assert 200 < connection.execute(sa.text(HELD)).scalar_one() <= LOCKS


def test_rows_that_another_transaction_holds_are_not_taken(postgres: Database) -> None:
    postgres.run(
        "CREATE TABLE waiting (id bigint PRIMARY KEY)", "INSERT INTO waiting VALUES (1), (2), (3)"
    )
    waiting = sa.Table("waiting", sa.MetaData(), sa.Column("id", sa.BigInteger, primary_key=True))
    with closing(postgres.connect()) as other:
        other.cursor().execute("SELECT * FROM waiting WHERE id = 2 FOR UPDATE")
        with transaction(postgres.database, "test") as connection:
            taken = dialect_of(connection).take(
                connection,
                waiting.c.id,
                lambda row: sa.select(row).select_from(waiting).with_for_update(skip_locked=True),
            )
    assert sorted(taken) == [1, 3]
    assert postgres.rows("SELECT id FROM waiting") == [(2,)]


@pytest.mark.parametrize(
    ("driver", "there"), [("psycopg2", True), ("psycopg", True), ("pg8000", False)]
)
def test_a_schema_apart_is_found_by_an_option_of_libpq(driver: str, there: bool) -> None:
    place = Postgres().apart(sa.make_url(f"postgresql+{driver}://u@h/d"), "x")
    assert (place is not None) is there
