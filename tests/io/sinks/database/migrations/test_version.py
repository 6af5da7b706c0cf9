"""Which version tables have is written, and told by their columns where it is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sinks.database.engine import transaction
from sinks.database.migrations import version
from sinks.database.tables import VERSION
from tests.io.sinks.database.migrations.old_tables import create_version_0, restore_version_1
from tests.io.sinks.tested_database import Database
from transforms.errors import ConfigError


def version_of(database: Database) -> int | None:
    with transaction(database.database, "test", write=False) as connection:
        return version.version_of(connection)


def create(database: Database) -> None:
    with transaction(database.database, "test") as connection:
        version.create(connection)


def test_new_tables_have_the_latest_version(database: Database) -> None:
    assert version_of(database) is None
    create(database)
    assert version_of(database) == VERSION
    version.require(database.database)


def test_tables_are_complete_when_all_are_there(database: Database) -> None:
    create(database)
    with transaction(database.database, "test", write=False) as connection:
        assert version.complete(connection)
    database.run("DROP TABLE ingest_audit")
    with transaction(database.database, "test", write=False) as connection:
        assert not version.complete(connection)
    create(database)
    assert database.rows("SELECT version FROM ingest_schema") == [(VERSION,)]


@pytest.mark.parametrize(("fill", "number"), [(create_version_0, 0), (restore_version_1, 1)])
def test_tables_that_say_nothing_are_told_by_their_columns(
    database: Database, fill: Callable[[Database], None], number: int
) -> None:
    fill(database)
    assert version_of(database) == number


@pytest.mark.parametrize("lost", ["DROP TABLE ingest_submissions", "DROP INDEX ingest_queue_next"])
def test_tables_of_version_1_that_are_not_complete_are_of_before(
    database: Database, lost: str
) -> None:
    restore_version_1(database)
    database.run(lost)
    assert version_of(database) == 0


@pytest.mark.parametrize(
    "lost", ["DROP TABLE ingest_schema", "DELETE FROM ingest_schema", "DROP TABLE ingest_jobs"]
)
def test_a_creation_that_was_interrupted_is_completed(database: Database, lost: str) -> None:
    create(database)
    database.run(lost, "DELETE FROM ingest_schema" if "jobs" in lost else "SELECT 1")
    assert version_of(database) is None
    create(database)
    assert version_of(database) == VERSION


@pytest.mark.parametrize("lost", ["stage", "replays"])
def test_a_table_that_lacks_another_column_is_refused(database: Database, lost: str) -> None:
    create_version_0(database)
    database.run(f"ALTER TABLE ingest_jobs RENAME COLUMN {lost} TO another")
    with pytest.raises(ConfigError, match=rf"ingest_jobs has no column {lost}: .*rename the ing"):
        version_of(database)


def test_who_reads_earlier_tables_is_told_what_to_do(database: Database) -> None:
    restore_version_1(database)
    with pytest.raises(
        ConfigError, match=rf"have version 1, .* reads version {VERSION}: run `sluice mi"
    ):
        version.require(database.database)


def test_who_reads_later_tables_is_told_what_to_install(database: Database) -> None:
    create(database)
    database.run("UPDATE ingest_schema SET version = 99")
    with pytest.raises(
        ConfigError, match=rf"have version 99, .* up to version {VERSION}: a newer Sluice"
    ):
        version.require(database.database)


def test_a_database_without_tables_is_not_the_one_that_is_meant(database: Database) -> None:
    with pytest.raises(ConfigError, match=r"has no ingest_ tables.*check --sink"):
        version.require(database.database)
    with transaction(database.database, "test") as connection:
        version.check(connection)
