"""What waits, and for how long."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sinks.figures import backlog
from sinks.sql import SqlSink
from tests.io.sinks.figures.samples import read
from tests.io.sinks.tested_database import Database, make_batch, make_failure
from transforms.steps.pipeline_identity import PipelineIdentity

LONG_AGO = "'2020-01-01 00:00:00'"


def test_a_job_is_due_since_the_time_that_was_set(database: Database) -> None:
    for name in ("one", "two"):
        sink = replace(database.sink(key=["id"]), pipeline=PipelineIdentity(name, (), "1"))
        batch = make_batch([], failures=[make_failure(0, transient=True)])
        sink.commit([batch])
    assert read(database, backlog.backlog)["sluice_job_oldest_due_seconds"].keys() == {("events",)}
    database.run(
        f"UPDATE ingest_queue SET due_at = {LONG_AGO} WHERE job = (SELECT max(job) FROM ingest_queue)"
    )
    values = read(database, backlog.backlog)
    assert values["sluice_job_oldest_due_seconds"]["events",] > 86_400


def test_a_job_of_the_future_is_due_for_no_time(database: Database) -> None:
    sink = replace(database.sink(key=["id"]), pipeline=PipelineIdentity("one", (), "1"))
    sink.commit([make_batch([], failures=[make_failure(0, transient=True)])])
    database.run("UPDATE ingest_queue SET due_at = '2999-01-01 00:00:00'")
    assert read(database, backlog.backlog)["sluice_job_oldest_due_seconds"] == {("events",): 0}


def test_nothing_waits_where_nothing_was_written(database: Database) -> None:
    database.sink(key=["id"])
    assert read(database, backlog.backlog) == {}


def test_changes_are_pending_until_they_are_published(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = SqlSink(database.sink(key=["id"]).config, outbox=True)
    sink.commit([make_batch([{"id": "1"}, {"id": "2"}, {"id": "3"}])])
    assert read(database, backlog.backlog)["sluice_outbox_pending"] == {("events",): 3}
    database.run(f"UPDATE ingest_outbox SET created_at = {LONG_AGO} WHERE id = 2")
    values = read(database, backlog.backlog)
    assert values["sluice_outbox_oldest_seconds"]["events",] > 86_400
    database.run(f"UPDATE ingest_outbox SET published_at = {LONG_AGO} WHERE id = 2")
    values = read(database, backlog.backlog)
    assert values["sluice_outbox_pending"] == {("events",): 2}
    assert values["sluice_outbox_oldest_seconds"]["events",] < 86_400
    monkeypatch.setattr(backlog, "MOST_COUNTED", 1)
    assert read(database, backlog.backlog)["sluice_outbox_pending"] == {("events",): 1}
