"""The overview: states of pipelines, and the numbers of the audit."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from pipelines import audit
from sinks.console.overview import PipelineRow, overview
from sinks.control import requests
from sinks.control.requests import WHOLE
from tests.io.sinks.figures.test_activity import LONG_AGO, beaten
from tests.io.sinks.jobs.stored_jobs import prepared, store
from tests.io.sinks.runs.test_runs import begun
from tests.io.sinks.tested_database import Database

BY = {"actor": "ann", "reason": "disk full"}


def only(database: Database) -> PipelineRow:
    (row,) = overview(database.database).pipelines
    return row


def test_the_numbers_are_those_of_the_audit(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    config = prepared(database)
    store(config, {}, {"state": "retryable"}, {"state": "completed"})
    store(config, {}, {"state": "available"}, {"state": "cancelled"}, partition="q")
    audit.main(["--sink", database.url, "--json"])
    sums: Counter[str] = Counter()
    for partition in json.loads(capsys.readouterr().out):
        for name in ("read", "inserted", "dead", "retrying"):
            sums[name] += partition[name]
    row = only(database)
    (table,) = row.tables
    assert sums == {
        "read": table.counts.read,
        "inserted": table.counts.inserted,
        "dead": row.dead,
        "retrying": row.retrying,
    }
    assert (row.records, row.dead, row.retrying) == (6, 3, 2)


def test_a_pipeline_runs_is_lost_and_ends(database: Database) -> None:
    database.sink(key=["id"])
    assert only(database).state == "never run"
    run = begun(database)
    beaten(database, "1", lag={"kafka://t": 3}, outage_seconds={"kafka": 2.5, "database": 0.0})
    row = only(database)
    assert (row.state, row.running, row.workers, row.lag) == ("running", 1, 1, 3)
    assert row.outages == {"kafka": 2.5}
    assert row.committed_at is not None
    database.run(f"UPDATE ingest_workers SET heartbeat_at = {LONG_AGO}")
    database.run(f"UPDATE ingest_runs SET started_at = {LONG_AGO}")
    assert only(database).state == "lost"
    run.end("failed", "no")
    assert only(database).state == "failed"


def test_what_is_asked_comes_first_with_who_and_why(database: Database) -> None:
    begun(database)
    requests.ask(database.database, "events", [WHOLE], "paused", **BY)
    requests.ask(database.database, "events", ["s"], "draining", **BY)
    row = only(database)
    assert (row.state, row.running, row.held_sources) == ("paused", 1, 1)
    assert row.asked is not None
    assert (row.asked.actor, row.asked.reason) == ("ann", "disk full")
    requests.ask(database.database, "events", [WHOLE, "s"], "running", **BY)
    row = only(database)
    assert (row.state, row.held_sources) == ("running", 0)
