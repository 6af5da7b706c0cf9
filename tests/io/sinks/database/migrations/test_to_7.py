"""The step from version 6 to version 7, where DDL takes part in no transaction."""

from __future__ import annotations

import pytest

from sinks.database.engine import transaction
from sinks.database.migrations import to_2, to_3, to_4, to_5, to_6
from sinks.database.migrations.operations import executing
from sinks.database.migrations.present import Present
from sinks.database.migrations.to_7 import MIGRATION
from tests.io.sinks.database.migrations.old_tables import RENAMED, contents, restore_version_1
from tests.io.sinks.tested_database import Database

COUNTED = ("ingest_progress", "ingest_counts", "ingest_forgotten", "ingest_workers")


@pytest.fixture
def old(database: Database) -> Database:
    """A database of version 6."""
    restore_version_1(database)
    with transaction(database.database, "test") as connection:
        for earlier in (to_2, to_3, to_4, to_5, to_6):
            for step in earlier.MIGRATION.steps:
                step.change(executing(connection), Present(connection))
    return database


def carry_out(database: Database, *numbers: int) -> None:
    with transaction(database.database, "test") as connection:
        for number in numbers:
            MIGRATION.steps[number].change(executing(connection), Present(connection))


@pytest.mark.parametrize("done", [[], [0], [3, 2, 1, 0]])
def test_what_is_done_already_is_passed_over(old: Database, done: list[int]) -> None:
    ledger = old.rows("SELECT count(*) FROM ingest_progress")
    carry_out(old, *done)
    carry_out(old, *range(len(MIGRATION.steps)))
    assert old.rows("SELECT count(*) FROM ingest_positions") == [(0,)]
    assert old.rows("SELECT count(*) FROM ingest_expired") == [(0,)]
    with transaction(old.database, "test", write=False) as connection:
        assert Present(connection).indexes("ingest_positions")["ingest_positions_deleted"]
    assert old.rows("SELECT count(*) FROM ingest_progress WHERE deleted = 0") == ledger
    for table in COUNTED:
        assert old.rows(f"SELECT count(*) FROM {table} WHERE deleted <> 0") == [(0,)]


def test_changes_that_wait_to_be_published_are_no_deletes(old: Database) -> None:
    waiting = old.rows("SELECT count(*) FROM ingest_outbox")
    carry_out(old, 1)
    assert old.rows("SELECT count(*) FROM ingest_outbox WHERE NOT deleted") == waiting


def test_nothing_of_before_is_changed(old: Database) -> None:
    rows = contents(old, RENAMED)
    carry_out(old, *range(len(MIGRATION.steps)))
    assert contents(old, RENAMED) == rows
