"""What a second session sees of the locks of a first one."""

from __future__ import annotations

import threading
from contextlib import closing

import psycopg2
import pytest
import sqlalchemy as sa

from sinks.database.backends.rehearsing_postgres import RehearsingPostgres
from sinks.database.engine import engine_of, transaction
from tests.io.sinks.tested_database import Database, await_lock
from transforms.route.table_name import TableName

ASKED = RehearsingPostgres()


def test_who_waits_for_whom_is_seen_from_outside(postgres: Database) -> None:
    postgres.run('CREATE TABLE "of others" (id int PRIMARY KEY)')
    cancelled = threading.Event()
    with (
        engine_of(postgres.database).connect() as watcher,
        engine_of(postgres.database).connect() as waiter,
        closing(postgres.connect()) as holder,
    ):
        watcher.execution_options(isolation_level="AUTOCOMMIT")
        holder.cursor().execute('LOCK TABLE "of others" IN ACCESS EXCLUSIVE MODE')
        session = ASKED.session(waiter)
        assert (ASKED.obstacle(watcher, session), ASKED.is_awaited(watcher, session)) == ("", False)

        def wait() -> None:
            try:
                waiter.exec_driver_sql('SELECT * FROM "of others"')
            except sa.exc.OperationalError:
                cancelled.set()

        thread = threading.Thread(target=wait)
        thread.start()
        await_lock(postgres)
        number = holder.info.backend_pid
        assert ASKED.obstacle(watcher, session) == (
            f'table "of others", which session {number} holds,'
        )
        assert ASKED.is_awaited(watcher, number)
        ASKED.cancel(watcher, session)
        thread.join()
    assert cancelled.is_set()


def test_an_error_names_what_was_waited_for(postgres: Database) -> None:
    postgres.run("CREATE TABLE a (id int PRIMARY KEY)")
    with closing(postgres.connect()) as other, closing(postgres.connect()) as waiter:
        other.cursor().execute("INSERT INTO a VALUES (1)")
        cursor = waiter.cursor()
        cursor.execute("SET lock_timeout = '10ms'")
        with pytest.raises(psycopg2.errors.LockNotAvailable) as row:
            cursor.execute("INSERT INTO a VALUES (1)")
        waiter.rollback()
        other.cursor().execute("LOCK TABLE a IN ACCESS EXCLUSIVE MODE")
        cursor.execute("SET lock_timeout = '10ms'")
        with pytest.raises(psycopg2.errors.LockNotAvailable) as table:
            cursor.execute("SELECT * FROM a")
    assert ASKED.obstacle_of(row.value) == "a row of a_pkey"
    assert ASKED.obstacle_of(table.value) == "what another session holds"
    assert ASKED.obstacle_of(ValueError()) == ""


def test_sequences_and_triggers_are_listed(postgres: Database) -> None:
    postgres.run(
        'CREATE SCHEMA "S"',
        'CREATE SEQUENCE "S".numbers',
        "CREATE TABLE a (id serial)",
        "INSERT INTO a DEFAULT VALUES",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        'CREATE TRIGGER "a trigger" AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION f()',
    )
    with transaction(postgres.database, "test") as connection:
        assert ASKED.sequences(connection) == {'"S".numbers': None, "public.a_id_seq": 1}
        assert ASKED.triggers(connection, TableName("a")) == ["a trigger"]
        assert ASKED.triggers(connection, TableName("b")) == []


def test_waits_for_locks_are_bounded(postgres: Database) -> None:
    with transaction(postgres.database, "test") as connection:
        ASKED.begin(connection)
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar_one() == "1s"
