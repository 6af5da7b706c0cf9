"""Engines are shared by a process, not by its children; a lost connection is thrown away."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.engine.default import DefaultDialect

from sinks.database.database import Database as DatabaseOf
from sinks.database.engine import engine_of, transaction
from tests.io.sinks.tested_database import Database
from transforms.errors import ConfigError, SinkFailed


def test_one_engine_serves_every_configuration_of_a_database(sqlite_database: Database) -> None:
    one = engine_of(sqlite_database.config("a", key=["x"]).database)
    assert engine_of(sqlite_database.config("b").database) is one


def test_a_child_process_opens_connections_of_its_own(postgres: Database) -> None:
    config = postgres.config(key=["id"])
    with transaction(config.database, "test") as connection:
        own = connection.scalar(sa.text("SELECT pg_backend_pid()"))
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - runs in the child
        try:
            with transaction(config.database, "test") as connection:
                pid = connection.scalar(sa.text("SELECT pg_backend_pid()"))
            os.write(write, str(pid).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as pipe:
        childs = int(pipe.read())
    assert childs != own
    with transaction(config.database, "test") as connection:
        assert connection.scalar(sa.text("SELECT pg_backend_pid()")) == own


def test_a_failed_block_leaves_nothing_behind(database: Database) -> None:
    database.run("CREATE TABLE t (a integer)")
    config = database.config()

    def fail() -> None:
        with transaction(config.database, "test") as connection:
            connection.execute(sa.text("INSERT INTO t VALUES (1)"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert database.rows("SELECT count(*) FROM t") == [(0,)]


def test_a_refused_statement_is_named_with_its_database(database: Database) -> None:
    with (
        pytest.raises(SinkFailed, match=r"database .* refuses to count the stars: "),
        transaction(database.database, "count the stars") as connection,
    ):
        connection.execute(sa.text("SELECT * FROM nosuch"))


def test_a_refused_log_in_is_called_that_whatever_was_to_be_done(postgres: Database) -> None:
    name = postgres.rows("SELECT current_database()")[0][0]
    missing = Database("postgres", postgres.url.replace(f"/{name}?", "/no_such_database?"))
    with (
        pytest.raises(SinkFailed, match=r"^cannot connect to postgresql database no_such_.* exist"),
        transaction(missing.database, "count the stars"),
    ):
        pass


def test_a_file_that_is_no_database_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text("no database " * 100)
    file = Database("sqlite", f"sqlite:///{tmp_path}/a.db")
    with (
        pytest.raises(SinkFailed, match=r"^cannot connect to .*/a\.db: file is not a database"),
        transaction(file.database, "count the stars"),
    ):
        pass


def test_a_connection_that_cannot_be_closed_is_not_logged(
    sqlite_database: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As drivers do whose server is gone. What was to be done says so in a line of its own.
    engine = engine_of(sqlite_database.database)
    closed = []

    def close(connection: Any) -> None:
        connection.close()
        closed.append(connection)
        raise sqlite3.OperationalError("the server is gone")

    monkeypatch.setattr(engine.dialect, "do_close", close)
    with transaction(sqlite_database.database, "read"):
        pass
    engine.dispose()
    assert closed
    assert caplog.records == []


def test_settings_reach_the_session(postgres: Database) -> None:
    with transaction(postgres.config(statement_timeout=7).database, "test") as connection:
        assert connection.scalar(sa.text("SHOW statement_timeout")) == "7s"
        assert connection.scalar(sa.text("SHOW idle_in_transaction_session_timeout")) == "10min"
        assert connection.scalar(sa.text("SHOW transaction_isolation")) == "read committed"
        assert connection.scalar(sa.text("SHOW application_name")) == "sluice"


def test_how_texts_are_read_depends_on_no_setting_of_role_database_or_environment(
    postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"DateStyle": "SQL, DMY", "TimeZone": "Asia/Tokyo", "IntervalStyle": "sql_standard"}
    (name,) = postgres.rows("SELECT current_database()")[0]
    postgres.run(*(f"ALTER DATABASE {name} SET {key} = '{v}'" for key, v in settings.items()))
    monkeypatch.setenv("PGTZ", "America/New_York")
    monkeypatch.setenv("PGDATESTYLE", "German")
    with pytest.raises(ZeroDivisionError), transaction(postgres.database, "test"):
        raise ZeroDivisionError  # what is pinned outlasts a rollback
    with transaction(postgres.database, "test") as connection:
        shown = {name: connection.scalar(sa.text(f"SHOW {name}")) for name in settings}
        assert connection.scalar(sa.text("SHOW client_encoding")) == "UTF8"
    assert shown == {"DateStyle": "ISO, MDY", "TimeZone": "UTC", "IntervalStyle": "postgres"}


@pytest.mark.parametrize("url", ["nonsense", "postgresql://h:port/d", ""])
def test_a_url_that_cannot_be_read_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="sink URL"):
        engine_of(Database("postgres", url).database)


class WithoutJson(DefaultDialect):
    name = driver = "nojson"
    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls) -> Any:
        return sqlite3


def test_a_dialect_without_json_is_refused_in_one_line() -> None:
    registry.register("nojson", __name__, WithoutJson.__name__)
    with pytest.raises(
        ConfigError, match=r"^sink URL for nojson: its SQLAlchemy dialect has no JSON"
    ):
        engine_of(DatabaseOf("nojson://h/d"))
