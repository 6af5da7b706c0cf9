"""One transaction for all that is written: taken back, and ended before it holds anybody up."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from sinks.database.backends.rehearsing_postgres import RehearsingPostgres
from sinks.database.backends.rehearsing_sqlite import RehearsingSqlite
from sinks.database.engine import transaction
from sinks.rehearsal.attempt import attempt
from sinks.rehearsal.rehearsal import rehearsal, rehearsing_of
from sinks.sql import SqlSink
from tests.io.sinks import portable_dialect
from tests.io.sinks.rehearsal.guarded import contents, create
from tests.io.sinks.tested_database import Database, make_batch
from transforms.errors import ConfigError, SinkFailed, SinkUnavailable, SluiceError

_LONG = {
    "postgres": "SELECT pg_sleep(600)",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
}


def test_transactions_within_are_parts_that_fail_by_themselves(database: Database) -> None:
    create(database)
    before = contents(database)
    count = "SELECT count(*) FROM regions"
    with rehearsal(database.database) as trial:
        with transaction(trial.database, "add") as connection:
            connection.exec_driver_sql("INSERT INTO regions VALUES ('west')")
        with (
            pytest.raises(SinkFailed, match="refuses to add again"),
            transaction(trial.database, "add again") as connection,
        ):
            connection.exec_driver_sql("INSERT INTO regions VALUES ('east'), ('west')")
        with transaction(trial.database, "count", write=False) as connection:
            assert connection.exec_driver_sql(count).scalar_one() == 3
        assert database.rows(count) == [(2,)]
    assert contents(database) == before


def test_nothing_is_written_once_it_is_over(database: Database) -> None:
    database.run("CREATE TABLE regions (code TEXT)")
    with rehearsal(database.database) as trial:
        pass
    with (
        pytest.raises(SinkFailed, match="nothing may add there"),
        transaction(trial.database, "add"),
    ):
        pytest.fail("there is no transaction")


def test_what_the_block_raises_is_passed_on_and_all_is_taken_back(database: Database) -> None:
    create(database)
    before = contents(database)

    def fail() -> None:
        with rehearsal(database.database) as trial:
            trial.connection.exec_driver_sql("DELETE FROM orders")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert contents(database) == before


def test_definitions_are_noted_but_not_those_of_temporary_tables(database: Database) -> None:
    with rehearsal(database.database) as trial:
        trial.connection.exec_driver_sql("CREATE TABLE a (b TEXT)")
        trial.connection.exec_driver_sql("CREATE TEMPORARY TABLE c (d TEXT)")
        trial.connection.exec_driver_sql("INSERT INTO a VALUES ('CREATE TABLE')")
    assert trial.statements == ["CREATE TABLE a (b TEXT)"]


def test_it_ends_after_its_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for rehearsing in (RehearsingPostgres, RehearsingSqlite):
        monkeypatch.setattr(rehearsing, "seconds", 1)
    database.run("CREATE TABLE a (b TEXT)")
    with (
        pytest.raises(SluiceError, match=r"was ended after 1 s, .*; nothing was changed; try a"),
        rehearsal(database.database) as trial,
    ):
        trial.connection.exec_driver_sql(_LONG[database.kind])


def test_a_table_that_others_have_locked_is_waited_for_a_second(postgres: Database) -> None:
    create(postgres)
    sink = SqlSink(postgres.config("orders", key=["id"]))
    sink.prepare()
    with closing(postgres.connect()) as other:
        other.cursor().execute("SET application_name = 'the other'")
        other.cursor().execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        line = (
            r"waited 1 s for table orders, which session \d+ \(the other\) holds, and was ended; "
            "nothing was changed; try again when that is free"
        )
        with pytest.raises(SluiceError, match=line):
            attempt(sink, [make_batch([{"id": 7}])])


def test_a_row_that_others_have_not_committed_is_waited_for_a_second(postgres: Database) -> None:
    create(postgres)
    sink = SqlSink(postgres.config("orders", key=["id"]))
    sink.prepare()
    with closing(postgres.connect()) as other:
        other.cursor().execute("INSERT INTO orders VALUES (7)")
        with pytest.raises(SluiceError, match="waited 1 s for a row, which session") as caught:
            attempt(sink, [make_batch([{"id": 7}])])
        assert len(str(caught.value).splitlines()) == 1
        # Rows with other keys are in nobody's way.
        assert attempt(sink, [make_batch([{"id": 8}])]).settled[0].counts.inserted == 1


def test_a_file_that_others_write_to_is_waited_for_a_second(sqlite_database: Database) -> None:
    sink = SqlSink(sqlite_database.config("events", key=["id"]))
    sink.prepare()
    with closing(sqlite_database.connect()) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SluiceError, match="waited 1 s for the file, which another process wr"):
            attempt(sink, [make_batch([{"id": 7}])])


def test_a_database_that_commits_what_it_creates_is_refused(tmp_path: Path) -> None:
    place = Database("generic", f"{portable_dialect.SCHEME}:///{tmp_path}/test.db").database
    assert rehearsing_of(place) is None
    with pytest.raises(ConfigError, match="cannot be taken back"), rehearsal(place):
        pytest.fail("there is no rehearsal")


def test_a_file_that_does_not_exist_is_not_created(sqlite_database: Database) -> None:
    path = Path(sqlite_database.url.partition(":///")[2])
    with rehearsal(sqlite_database.database) as trial:
        trial.connection.exec_driver_sql("CREATE TABLE a (b TEXT)")
    assert list(path.parent.iterdir()) == []


def test_a_file_keeps_its_journal(sqlite_database: Database) -> None:
    with closing(sqlite_database.connect()) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("CREATE TABLE a (b TEXT)")
    with rehearsal(sqlite_database.database) as trial:
        trial.connection.exec_driver_sql("INSERT INTO a VALUES ('c')")
    assert sqlite_database.rows("PRAGMA journal_mode") == [("delete",)]


def test_what_a_commit_would_refuse_is_refused(postgres: Database) -> None:
    postgres.run(
        "CREATE TABLE parents (id int PRIMARY KEY)",
        "CREATE TABLE children (parent int REFERENCES parents DEFERRABLE INITIALLY DEFERRED)",
    )
    with (
        pytest.raises(ConfigError, match="violates foreign key"),
        rehearsal(postgres.database) as trial,
    ):
        trial.connection.exec_driver_sql("INSERT INTO children VALUES (1)")


def test_a_database_that_is_away_is_called_that(postgres: Database) -> None:
    url = re.sub(r"host=[^&]*", "host=/no/such/folder", postgres.url)
    with (
        pytest.raises(SinkUnavailable, match="cannot reach"),
        rehearsal(Database("postgres", url).database),
    ):
        pytest.fail("there is no rehearsal")


def test_a_connection_that_is_lost_is_called_that(postgres: Database) -> None:
    with (
        pytest.raises(SinkUnavailable, match="cannot reach"),
        rehearsal(postgres.database) as trial,
        transaction(trial.database, "end itself") as connection,
    ):
        connection.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))
