"""The step from version 2 to version 3."""

from __future__ import annotations

import pytest

from sinks.database.engine import transaction
from sinks.database.migrations import migrate
from sinks.database.migrations.operations import executing
from sinks.database.migrations.present import Present
from sinks.database.migrations.to_3 import MIGRATION
from tests.io.sinks.database.migrations.old_tables import fresh_shape, shape
from tests.io.sinks.tested_database import Database


@pytest.fixture
def version_2(database: Database) -> Database:
    """Tables of version 2, with a settled file."""
    migrate.prepare(database.database)
    database.run(
        "ALTER TABLE ingest_progress DROP COLUMN content",
        "UPDATE ingest_schema SET version = 2",
        "INSERT INTO ingest_progress (pipeline, source, partition, start_offset, end_offset, final,"
        " read, inserted, updated, duplicates, filtered, dead, retrying, updated_at)"
        " VALUES ('t', 'file:///a', 'v', 0, 9, (1 = 1), 3, 3, 0, 0, 0, 0, 0, '2026-03-01 12:00:00')",
    )
    return database


def test_what_is_settled_stays_settled_and_its_bytes_are_not_known(version_2: Database) -> None:
    assert migrate.migrate(version_2.database, force=False) == (2, 3)
    rows = version_2.rows("SELECT partition, end_offset, content FROM ingest_progress")
    assert rows == [("v", 9, None)]
    assert shape(version_2) == fresh_shape(version_2)


def test_what_is_done_already_is_passed_over(version_2: Database) -> None:
    for _ in range(2):
        with transaction(version_2.database, "test") as connection:
            MIGRATION.steps[0].change(executing(connection), Present(connection))
    assert version_2.rows("SELECT content FROM ingest_progress") == [(None,)]
