"""All figures are read in one transaction, from tables of this version."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from sinks.database.engine import engine_of
from sinks.figures.audited import audited
from sinks.figures.figures import figures
from tests.io.sinks.figures.samples import by_labels
from tests.io.sinks.runs.test_runs import begun
from tests.io.sinks.tested_database import Database, make_batch, make_failure
from transforms.errors import ConfigError


def test_they_are_those_of_every_kind(database: Database) -> None:
    begun(database)
    sink = database.sink(key=["id"])
    sink.commit([make_batch([], failures=[make_failure(0)])])
    names = by_labels(figures(database.database, "kafka://*")).keys()
    assert {"sluice_records_read_total", "sluice_runs", "sluice_dead_letters_total"} <= names


def test_tables_of_another_version_are_refused(database: Database) -> None:
    database.sink(key=["id"])
    database.run("UPDATE ingest_schema SET version = 99")
    with pytest.raises(ConfigError, match="version 99"):
        figures(database.database, "kafka://*")


@pytest.mark.without_tables
def test_a_database_in_which_nothing_was_ingested_is_told_from_one_without_figures(
    database: Database,
) -> None:
    for read in (figures, audited):
        with pytest.raises(ConfigError, match="no ingest_ tables: nothing was ingested"):
            read(database.database, "kafka://*")


def test_nothing_is_counted_twice_while_a_ledger_is_forgotten(postgres: Database) -> None:
    sink = postgres.sink(key=["id"])
    batch = make_batch([{"id": "1"}, {"id": "2"}])
    sink.commit([batch])
    engine = engine_of(postgres.database)
    forgotten: list[str] = []

    def forget(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "ingest_counts" in statement and not forgotten:
            forgotten.append(statement)
            postgres.run("DELETE FROM ingest_progress")
            sink.commit([batch])  # moves what was counted before

    sa.event.listen(engine, "after_cursor_execute", forget)
    values = by_labels(figures(postgres.database, "kafka://*"))
    sa.event.remove(engine, "after_cursor_execute", forget)
    assert sum(values["sluice_records_read_total"].values()) == 2, "as of one moment"
    values = by_labels(figures(postgres.database, "kafka://*"))
    assert sum(values["sluice_records_read_total"].values()) == 4
