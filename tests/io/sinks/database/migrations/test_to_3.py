"""The step from version 2 to version 3, where DDL takes part in no transaction."""

from __future__ import annotations

import pytest

from sinks.database.engine import transaction
from sinks.database.migrations import to_2
from sinks.database.migrations.operations import executing
from sinks.database.migrations.present import Present
from sinks.database.migrations.to_3 import MIGRATION
from tests.io.sinks.database.migrations.old_tables import restore_version_1
from tests.io.sinks.tested_database import Database

DEAD = "SELECT sum(dead), sum(dead_letters) FROM ingest_counts"


def carry_out(database: Database, *numbers: int) -> None:
    with transaction(database.database, "test") as connection:
        for number in numbers:
            MIGRATION.steps[number].change(executing(connection), Present(connection))


@pytest.fixture
def old(database: Database) -> Database:
    """A database of version 2."""
    restore_version_1(database)
    with transaction(database.database, "test") as connection:
        for step in to_2.MIGRATION.steps:
            step.change(executing(connection), Present(connection))
    return database


ALL = range(len(MIGRATION.steps))


@pytest.mark.parametrize("done", [[], [0], [1], [0, 1, 2, 3], [6, 4]])
def test_what_is_done_already_is_passed_over(old: Database, done: list[int]) -> None:
    carry_out(old, *done)
    carry_out(old, *ALL)
    for table in ("ingest_forgotten", "ingest_runs", "ingest_workers"):
        assert old.rows(f"SELECT count(*) FROM {table}") == [(0,)]
    assert {row[0] for row in old.rows("SELECT run FROM ingest_progress")} == {None}


def test_the_total_of_dead_letters_begins_with_those_that_there_are(old: Database) -> None:
    carry_out(old, *ALL)
    ((dead, total),) = old.rows(DEAD)
    assert dead == total > 0


def test_the_total_stays_if_the_step_is_repeated(old: Database) -> None:
    carry_out(old, *ALL)
    old.run("UPDATE ingest_counts SET dead_letters = dead_letters + 10")
    before = old.rows(DEAD)
    carry_out(old, *ALL)
    assert old.rows(DEAD) == before


def test_records_of_before_were_whole_messages(old: Database) -> None:
    carry_out(old, *ALL)
    for query in (
        "SELECT count(*) FROM ingest_jobs WHERE element IS NOT NULL OR expansion IS NOT NULL",
        "SELECT count(*) FROM ingest_outbox WHERE expansion IS NOT NULL",
        "SELECT sum(expanded) FROM ingest_progress",
        "SELECT sum(expanded) FROM ingest_counts",
        "SELECT count(*) FROM ingest_progress WHERE content IS NOT NULL",
    ):
        assert old.rows(query) == [(0,)]
