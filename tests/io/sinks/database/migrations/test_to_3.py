"""The step from version 2 to version 3: a number for records of one message, and their count."""

from __future__ import annotations

import pytest

from sinks.database.engine import transaction
from sinks.database.migrations import migrate
from sinks.database.migrations.operations import executing
from sinks.database.migrations.present import Present
from sinks.database.migrations.to_3 import MIGRATION
from tests.io.sinks.database.migrations.old_tables import fresh_shape, restore_version_1, shape
from tests.io.sinks.tested_database import Database


@pytest.mark.parametrize("done", [(), (0,), (1,), (0, 1), (0, 1, 2)])
def test_what_is_done_already_is_passed_over(database: Database, done: tuple[int, ...]) -> None:
    restore_version_1(database)
    migrate.migrate(database.database, force=False)
    for table, column in (
        ("ingest_jobs", "element"),
        ("ingest_outbox", "element"),
        ("ingest_progress", "expanded"),
        ("ingest_counts", "expanded"),
        ("ingest_progress", "content"),
    ):
        database.run(f"ALTER TABLE {table} DROP COLUMN {column}")
    with transaction(database.database, "test") as connection:
        for number in (*done, *range(len(MIGRATION.steps))):
            MIGRATION.steps[number].change(executing(connection), Present(connection))
    assert shape(database) == fresh_shape(database)


def test_records_of_before_were_whole_messages(database: Database) -> None:
    restore_version_1(database)
    migrate.migrate(database.database, force=False)
    for query in (
        "SELECT count(*) FROM ingest_jobs WHERE element IS NOT NULL",
        "SELECT sum(expanded) FROM ingest_progress",
        "SELECT sum(expanded) FROM ingest_counts",
        "SELECT count(*) FROM ingest_progress WHERE content IS NOT NULL",
    ):
        assert database.rows(query) == [(0,)]
