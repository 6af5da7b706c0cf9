"""Tables of earlier versions become those of the latest, and keep what they hold."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy as sa

from sinks.database import engine
from sinks.database.engine import dispose_engines, transaction
from sinks.database.migrations import migrate, sequence, to_1, to_2, to_3
from sinks.database.migrations.migration import Migration, Step
from sinks.database.migrations.version import version_of
from sinks.database.migrations.version_1 import COUNTS
from sinks.database.tables import VERSION
from tests.io.sinks.database.migrations.old_tables import (
    RENAMED,
    contents,
    create_version_0,
    drop_all,
    fresh_shape,
    plain,
    restore_version_1,
    shape,
)
from tests.io.sinks.tested_database import Database, await_lock
from transforms.errors import ConfigError, Contention

ROOT = Path(__file__).resolve().parents[5]
SUMS = ", ".join(f"CAST(sum({name}) AS bigint)" for name in COUNTS)
LISTED = ", ".join(COUNTS)


@pytest.fixture
def old(database: Database) -> Database:
    """A database of version 1 with data in every state."""
    restore_version_1(database)
    return database


def version(database: Database) -> int | None:
    with transaction(database.database, "test", write=False) as connection:
        return version_of(connection)


def test_there_is_a_migration_to_every_version() -> None:
    assert [migration.version for migration in sequence.MIGRATIONS] == list(range(1, VERSION + 1))


class TestVersion1:
    def test_every_row_of_every_table_is_as_it_was(self, old: Database) -> None:
        before = contents(old, {})
        assert len(before["ingest_jobs"]) > 15
        assert all(before.values()), "there are rows in every table"
        assert migrate.migrate(old.database, force=False) == (1, VERSION)
        assert contents(old, RENAMED) == before

    def test_the_counts_are_kept_for_each_table(self, old: Database) -> None:
        query = f"SELECT target, target, source, partition, {SUMS} FROM ingest_progress"
        before = old.rows(f"{query} GROUP BY target, source, partition")
        assert len(before) == 6
        migrate.migrate(old.database, force=False)
        after = old.rows(f"SELECT pipeline, target, source, partition, {LISTED} FROM ingest_counts")
        assert sorted(after) == sorted(before)

    def test_a_pipeline_is_entered_for_each_table_that_has_a_ledger(self, old: Database) -> None:
        migrate.migrate(old.database, force=False)
        rows = old.rows("SELECT name, target, prepared_at FROM ingest_pipelines")
        assert sorted(rows) == [("orders", "orders", None), ("people", "people", None)]

    def test_the_tables_have_the_shape_of_new_ones(self, old: Database) -> None:
        migrate.migrate(old.database, force=False)
        assert shape(old) == fresh_shape(old)

    def test_the_version_is_written(self, old: Database) -> None:
        assert version(old) == 1
        migrate.migrate(old.database, force=False)
        assert old.rows("SELECT version FROM ingest_schema") == [(VERSION,)]

    def test_migrating_again_changes_nothing(self, old: Database) -> None:
        migrate.migrate(old.database, force=False)
        at = old.rows("SELECT migrated_at FROM ingest_schema")
        assert migrate.migrate(old.database, force=False) == (VERSION, VERSION)
        assert old.rows("SELECT migrated_at FROM ingest_schema") == at


class TestVersion0:
    def test_the_tables_have_the_shape_of_new_ones(self, database: Database) -> None:
        create_version_0(database)
        assert migrate.migrate(database.database, force=False) == (0, VERSION)
        assert shape(database) == fresh_shape(database)

    def test_its_jobs_belong_to_nobody_and_its_counts_are_kept(self, database: Database) -> None:
        create_version_0(database)
        migrate.migrate(database.database, force=False)
        jobs = database.rows("SELECT id, state, pipeline, owner, read_by FROM ingest_jobs")
        assert sorted(jobs) == [
            (1, "retryable", None, None, None),
            (2, "discarded", None, None, None),
        ]
        assert database.rows("SELECT job, owner FROM ingest_queue") == [(1, None)]
        assert database.rows(f"SELECT {LISTED} FROM ingest_counts") == [(3, 1, 0, 0, 0, 1, 1)]


class TestPrepare:
    def test_an_empty_database_gets_the_latest_tables(self, database: Database) -> None:
        migrate.prepare(database.database)
        assert version(database) == VERSION
        assert shape(database) == fresh_shape(database)

    def test_a_table_that_was_dropped_is_created_again(self, database: Database) -> None:
        migrate.prepare(database.database)
        database.run("DROP TABLE ingest_progress")
        migrate.prepare(database.database)
        assert shape(database) == fresh_shape(database)
        migrate.prepare(database.database)

    def test_a_database_without_tables_stays_so_if_that_is_asked(self, database: Database) -> None:
        migrate.prepare(database.database, create=False)
        assert shape(database) == {}

    def test_earlier_tables_are_migrated(self, old: Database) -> None:
        migrate.prepare(old.database, create=False)
        assert version(old) == VERSION

    def test_a_migration_that_takes_long_has_to_be_asked_for(
        self, old: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(migrate, "BY_ITSELF_SECONDS", 0.0)
        with pytest.raises(
            ConfigError, match=r"ingest_progress has about \d+ rows.*run `sluice mi"
        ):
            migrate.prepare(old.database)
        assert version(old) == 1
        migrate.migrate(old.database, force=False)
        assert version(old) == VERSION

    def test_programs_that_create_tables_at_once_do_not_meet(self, database: Database) -> None:
        with ThreadPoolExecutor(6) as threads:
            for done in [threads.submit(migrate.prepare, database.database) for _ in range(6)]:
                done.result(60)
        assert database.rows("SELECT version FROM ingest_schema") == [(VERSION,)]

    @pytest.mark.slow
    def test_alembic_is_not_imported_if_nothing_is_due(self, sqlite_database: Database) -> None:
        migrate.prepare(sqlite_database.database)
        dispose_engines()
        code = (
            "import sys\nfrom sinks.database.database import Database\n"
            "from sinks.database.migrations import migrate\n"
            f"migrate.prepare(Database({sqlite_database.url!r}))\n"
            "sys.exit('alembic' in sys.modules)"
        )
        path = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/io"}
        assert subprocess.run([sys.executable, "-c", code], env=path, check=False).returncode == 0


class TestOthers:
    def test_a_newer_version_is_refused(self, database: Database) -> None:
        migrate.prepare(database.database)
        database.run(f"UPDATE ingest_schema SET version = {VERSION + 1}")
        for refused in (
            lambda: migrate.prepare(database.database),
            lambda: migrate.migrate(database.database, force=True),
            lambda: migrate.due(database.database),
            lambda: migrate.script(database.database),
        ):
            with pytest.raises(
                ConfigError,
                match=rf"have version {VERSION + 1}.*up to version {VERSION}.*newer Sluice",
            ):
                refused()

    def test_a_database_without_tables_has_nothing_to_migrate(self, database: Database) -> None:
        with pytest.raises(ConfigError, match=r"no ingest_ tables; the first ingest creates them"):
            migrate.migrate(database.database, force=False)

    def test_a_ledger_that_was_written_just_now_is_left_alone_unless_forced(
        self, old: Database
    ) -> None:
        written_now(old)
        for refused in (
            lambda: migrate.migrate(old.database, force=False),
            lambda: migrate.prepare(old.database),
        ):
            with pytest.raises(ConfigError, match=r"the ledger was written \d+ s ago"):
                refused()
        assert version(old) == 1
        assert migrate.migrate(old.database, force=True) == (1, VERSION)

    def test_of_programs_that_migrate_at_once_one_does_and_the_others_find_it_done(
        self, old: Database
    ) -> None:
        before = contents(old, {})
        with ThreadPoolExecutor(4) as threads:
            running = [threads.submit(migrate.migrate, old.database, force=False) for _ in range(4)]
            ends = sorted(done.result(60) for done in running)
        assert ends == [(1, VERSION), *[(VERSION, VERSION)] * 3]
        assert contents(old, RENAMED) == before

    def test_from_version_0_too(self, database: Database) -> None:
        create_version_0(database)
        with ThreadPoolExecutor(4) as threads:
            running = [
                threads.submit(migrate.migrate, database.database, force=False) for _ in range(4)
            ]
            ends = sorted(done.result(60) for done in running)
        assert ends == [(0, VERSION), *[(VERSION, VERSION)] * 3]
        assert database.rows(f"SELECT {LISTED} FROM ingest_counts") == [(3, 1, 0, 0, 0, 1, 1)]


def written_now(database: Database) -> None:
    now = "clock_timestamp()" if database.kind == "postgres" else "datetime('now')"
    database.run(f"UPDATE ingest_progress SET updated_at = {now} WHERE source LIKE 'kafka%'")


@pytest.mark.slow  # waits for a lock
class TestATableInUse:
    def test_it_is_named_and_nothing_changes(
        self, postgres: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine, "TRIES", 1)
        restore_version_1(postgres)
        before = shape(postgres)
        with closing(postgres.connect()) as other:
            other.cursor().execute("SELECT * FROM ingest_claims")
            with pytest.raises(Contention, match=r"uses table ingest_claims.*still have version 1"):
                migrate.migrate(postgres.database, force=False)
        assert shape(postgres) == before
        assert version(postgres) == 1

    def test_one_writer_of_sqlite_holds_off_the_migration(
        self, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine, "TRIES", 1)
        restore_version_1(sqlite_database)
        database = replace(sqlite_database.database, statement_timeout=1)
        assert version(sqlite_database) == 1  # the file is in WAL mode from now on
        before = shape(sqlite_database)
        with closing(sqlite_database.connect()) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Contention, match=r"to migrate its tables.*locked"):
                migrate.migrate(database, force=False)
        assert shape(sqlite_database) == before

    def test_a_ring_of_locks_is_broken_and_the_migration_goes_on(self, postgres: Database) -> None:
        create_version_0(postgres)
        with ThreadPoolExecutor() as threads, closing(postgres.connect()) as other:
            cursor = other.cursor()
            cursor.execute("DELETE FROM ingest_queue")
            migrating = threads.submit(migrate.migrate, postgres.database, force=False)
            await_lock(postgres)
            with suppress(psycopg2.errors.DeadlockDetected):
                cursor.execute("SELECT count(*) FROM ingest_jobs")
            other.rollback()
            assert migrating.result(60) == (0, VERSION)


def kill(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_while_migrating(database: Database, *migrations: Migration) -> None:
    """Migrate in a process that is killed on its way."""
    dispose_engines()
    child = os.fork()
    if child == 0:  # pragma: no cover - runs in the child
        sequence.MIGRATIONS = migrations
        with suppress(BaseException):
            migrate.migrate(database.database, force=False)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL


def before_step(migration: Migration, number: int) -> Migration:
    """The migration, killed when its step ``number`` is due."""
    return replace(migration, steps=(*migration.steps[:number], Step(kill)))


class TestKilled:
    @pytest.mark.parametrize(
        ("interrupted", "number"),
        [
            (migration, number)
            for migration in (to_2.MIGRATION, to_3.MIGRATION)
            for number in (1, len(migration.steps) // 2, len(migration.steps))
        ],
    )
    def test_the_latest_version_is_there_as_a_whole_or_not_at_all(
        self, old: Database, interrupted: Migration, number: int
    ) -> None:
        before = contents(old, {})
        killed = before_step(interrupted, number)
        migrations = (
            killed if migration is interrupted else migration for migration in sequence.MIGRATIONS
        )
        killed_while_migrating(old, *migrations)
        assert version(old) == 1
        assert contents(old, {}) == before
        assert migrate.migrate(old.database, force=False) == (1, VERSION)
        assert contents(old, RENAMED) == before
        assert shape(old) == fresh_shape(old)

    @pytest.mark.parametrize("number", [1, 2])
    def test_version_1_goes_on_where_it_was(self, database: Database, number: int) -> None:
        create_version_0(database)
        killed_while_migrating(
            database, before_step(to_1.MIGRATION, number), *sequence.MIGRATIONS[1:]
        )
        assert version(database) == 0
        assert migrate.migrate(database.database, force=False) == (0, VERSION)
        assert shape(database) == fresh_shape(database)


class TestScript:
    @pytest.mark.parametrize("fill", [restore_version_1, create_version_0])
    def test_it_does_what_the_migration_does(
        self, database: Database, fill: Callable[[Database], None]
    ) -> None:
        fill(database)
        before = shape(database)
        script = migrate.script(database.database)
        assert shape(database) == before, "it changes nothing"
        migrate.migrate(database.database, force=False)
        migrated = shape(database), everything(database)
        drop_all(database)
        fill(database)
        execute(database, script)
        assert (shape(database), everything(database)) == migrated

    def test_it_is_empty_if_nothing_is_due(self, database: Database) -> None:
        migrate.prepare(database.database)
        script = migrate.script(database.database)
        assert script.startswith("-- ")
        assert script.count("\n") == 1

    def test_an_index_is_built_outside_of_transactions(self, postgres: Database) -> None:
        create_version_0(postgres)
        script = migrate.script(postgres.database)
        (before, after) = script.split("CREATE INDEX CONCURRENTLY ingest_queue_next")
        assert before.count("BEGIN;") == before.count("COMMIT;") == 1
        assert after.count("BEGIN;") == after.count("COMMIT;") == 1
        assert script.count("SET LOCAL lock_timeout = '1s'") == 2


def execute(database: Database, script: str) -> None:
    """Execute statement by statement, as psql and sqlite3 do."""
    with closing(database.connect()) as connection:
        if database.kind == "postgres":
            connection.autocommit = True
            for statement in script.split(";\n"):
                if statement.strip():
                    connection.cursor().execute(statement)
        else:
            connection.executescript(script)


def everything(database: Database) -> dict[str, list[str]]:
    """All rows of all tables, but for the time of the migration."""
    with transaction(database.database, "test", write=False) as connection:
        tables = [
            name for name in sa.inspect(connection).get_table_names() if name != "ingest_schema"
        ]
    rows = {
        table: sorted(map(repr, map(plain, database.rows(f"SELECT * FROM {table}"))))
        for table in tables
    }
    return {**rows, "version": list(map(str, database.rows("SELECT version FROM ingest_schema")))}
