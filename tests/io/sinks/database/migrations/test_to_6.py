"""The step from version 5 to version 6, where DDL takes part in no transaction."""

from __future__ import annotations

import pytest

from sinks.database.engine import transaction
from sinks.database.migrations import to_2, to_3, to_4, to_5
from sinks.database.migrations.operations import executing
from sinks.database.migrations.present import Present
from sinks.database.migrations.to_6 import MIGRATION
from tests.io.sinks.database.migrations.old_tables import RENAMED, contents, restore_version_1
from tests.io.sinks.tested_database import Database

ADDED = ("ingest_dead", "ingest_fingerprints", "ingest_orders", "ingest_edits")


@pytest.fixture
def old(database: Database) -> Database:
    """A database of version 5."""
    restore_version_1(database)
    with transaction(database.database, "test") as connection:
        for earlier in (to_2, to_3, to_4, to_5):
            for step in earlier.MIGRATION.steps:
                step.change(executing(connection), Present(connection))
    return database


def carry_out(database: Database, *numbers: int) -> None:
    with transaction(database.database, "test") as connection:
        for number in numbers:
            MIGRATION.steps[number].change(executing(connection), Present(connection))


@pytest.mark.parametrize("done", [[], [0], [3, 1, 0, 2]])
def test_what_is_done_already_is_passed_over(old: Database, done: list[int]) -> None:
    carry_out(old, *done)
    carry_out(old, *range(len(MIGRATION.steps)))
    for table in ADDED:
        assert old.rows(f"SELECT count(*) FROM {table}") == [(0,)]


def test_nothing_of_before_is_changed(old: Database) -> None:
    rows = contents(old, RENAMED)
    carry_out(old, *range(len(MIGRATION.steps)))
    assert contents(old, RENAMED) == rows
