"""The step from version 1 to version 2, where DDL takes part in no transaction."""

from __future__ import annotations

import pytest

from sinks.database.engine import transaction
from sinks.database.migrations.operations import executing
from sinks.database.migrations.present import Present
from sinks.database.migrations.to_2 import MIGRATION
from tests.io.sinks.database.migrations.old_tables import restore_version_1, shape
from tests.io.sinks.tested_database import Database


def carry_out(database: Database, *numbers: int) -> None:
    with transaction(database.database, "test") as connection:
        for number in numbers:
            MIGRATION.steps[number].change(executing(connection), Present(connection))


@pytest.mark.parametrize("done", [[0], [0, 1], [1, 0]])
def test_what_is_done_already_is_passed_over(database: Database, done: list[int]) -> None:
    restore_version_1(database)
    carry_out(database, *done)
    carry_out(database, 0, 1, 2, 3)
    described = shape(database)
    assert "pipeline" in str(described["ingest_progress"]["key"])
    assert database.rows("SELECT count(*) FROM ingest_counts") == [(6,)]
    assert database.rows("SELECT count(*) FROM ingest_pipelines") == [(2,)]


def test_tables_that_were_created_before_an_interruption_are_filled(database: Database) -> None:
    restore_version_1(database)
    carry_out(database, 0, 1, 2, 3)
    database.run("DELETE FROM ingest_counts", "DELETE FROM ingest_pipelines")
    carry_out(database, 0, 1, 2, 3)
    sums = "SELECT sum(read), sum(inserted), sum(dead), sum(retrying) FROM"
    assert database.rows(f"{sums} ingest_counts") == database.rows(f"{sums} ingest_progress")
    assert database.rows("SELECT count(*) FROM ingest_pipelines") == [(2,)]
