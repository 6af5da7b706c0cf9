"""The step from version 3 to version 4, where DDL takes part in no transaction."""

from __future__ import annotations

import pytest

from sinks.database.engine import transaction
from sinks.database.migrations import to_2, to_3
from sinks.database.migrations.operations import executing
from sinks.database.migrations.present import Present
from sinks.database.migrations.to_4 import MIGRATION
from tests.io.sinks.database.migrations.old_tables import (
    RENAMED,
    contents,
    restore_version_1,
    shape,
)
from tests.io.sinks.tested_database import Database

NEW = ("ingest_intents", "ingest_objects", "ingest_manifests")


@pytest.fixture
def old(database: Database) -> Database:
    """A database of version 3."""
    restore_version_1(database)
    with transaction(database.database, "test") as connection:
        for step in (*to_2.MIGRATION.steps, *to_3.MIGRATION.steps):
            step.change(executing(connection), Present(connection))
    return database


def carry_out(database: Database, *numbers: int) -> None:
    with transaction(database.database, "test") as connection:
        for number in numbers:
            MIGRATION.steps[number].change(executing(connection), Present(connection))


@pytest.mark.parametrize("done", [[], [0], [1], [2, 1]])
def test_what_is_done_already_is_passed_over(old: Database, done: list[int]) -> None:
    carry_out(old, *done)
    carry_out(old, *range(len(MIGRATION.steps)))
    for table in NEW:
        assert old.rows(f"SELECT count(*) FROM {table}") == [(0,)]


def test_an_interrupted_step_builds_the_indexes_that_are_lacking(old: Database) -> None:
    carry_out(old, 1)
    whole = shape(old)["ingest_objects"]
    old.run("DROP INDEX ingest_objects_pending")
    assert shape(old)["ingest_objects"] != whole
    carry_out(old, 1)
    assert shape(old)["ingest_objects"] == whole


def test_nothing_of_before_is_changed(old: Database) -> None:
    rows, tables = contents(old, RENAMED), shape(old)
    carry_out(old, *range(len(MIGRATION.steps)))
    assert contents(old, RENAMED) == rows
    assert {name: table for name, table in shape(old).items() if name not in NEW} == tables
