"""SQLite: which files can be used, and when a transaction takes the write lock."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from sinks.database.database import Database as Place
from sinks.database.engine import engine_of, transaction
from tests.io.sinks.tested_database import Database
from transforms.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite://", "in-memory"),
        ("sqlite:///:memory:", "in-memory"),
        ("sqlite:////no/such/folder/x.db", "folder /no/such/folder .* does not exist"),
        ("sqlite:////", "/ is a folder; name a file for the SQLite database"),
        ("sqlite:////no/such/folder/x.db?timeout=5", "folder /no/such/folder .* does not exist"),
        ("sqlite:///x.db?mode=ro", "^the URL of a SQLite database takes no option mode; leave"),
        ("sqlite:///x.db?mode=ro&uri=true", "takes no option mode; leave it out"),
    ],
)
def test_a_file_that_cannot_last_or_be_created_is_refused(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        engine_of(Place(url))


@pytest.mark.filterwarnings("error")
def test_options_of_the_driver_and_of_a_uri_are_taken(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/a.db?timeout=5", f"sqlite:///file:{tmp_path}/a.db?uri=true"):
        with transaction(Place(url), "test") as connection:
            connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS t (id integer)")
    assert (tmp_path / "a.db").is_file()


@pytest.mark.parametrize("write", [True, False])
def test_only_a_transaction_that_writes_takes_the_lock(
    sqlite_database: Database, write: bool
) -> None:
    with (
        transaction(sqlite_database.database, "test", write=write),
        closing(sqlite_database.connect()) as other,
    ):
        other.isolation_level = None
        other.execute("PRAGMA busy_timeout = 0")
        if write:
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
        else:
            other.execute("BEGIN IMMEDIATE")


def test_a_commit_survives_a_power_cut_and_references_are_checked(
    sqlite_database: Database,
) -> None:
    with transaction(sqlite_database.database, "test", write=False) as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_the_pages_of_an_index_over_random_keys_stay_in_memory(sqlite_database: Database) -> None:
    with transaction(sqlite_database.database, "test", write=False) as connection:
        kibibytes = -connection.exec_driver_sql("PRAGMA cache_size").scalar_one()
    assert kibibytes >= 32 << 10
    assert kibibytes <= 128 << 10, "every connection may take as much"


def test_a_new_database_may_be_read_by_its_owner_only(tmp_path: Path) -> None:
    database = Place(f"sqlite:///{tmp_path}/new.db")
    with transaction(database, "test") as connection:
        connection.exec_driver_sql("CREATE TABLE t (id integer)")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes["new.db"] == 0o600
    assert set(modes.values()) == {0o600}


def test_the_rights_of_a_database_that_exists_are_kept(tmp_path: Path) -> None:
    (tmp_path / "old.db").touch(0o640)
    (tmp_path / "old.db").chmod(0o640)
    with transaction(Place(f"sqlite:///{tmp_path}/old.db"), "test") as connection:
        connection.exec_driver_sql("CREATE TABLE t (id integer)")
    assert stat.S_IMODE((tmp_path / "old.db").stat().st_mode) == 0o640
