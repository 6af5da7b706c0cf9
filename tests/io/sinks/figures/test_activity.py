"""Which runs go on, and what their workers last said."""

from __future__ import annotations

import json
from typing import Any

from sinks.figures.activity import activity
from sinks.runs.heartbeat import Heartbeat
from tests.io.sinks.figures.samples import read
from tests.io.sinks.runs.test_runs import begun
from tests.io.sinks.tested_database import Database, make_batch
from transforms.batch.counts import Counts
from transforms.settle.sink import Settled

EVENTS = ("events", "events")
LONG_AGO = "'2020-01-01 00:00:00'"


def beaten(database: Database, run: str, **figures: Any) -> None:
    """A worker of ``run`` that has committed, and that seems to live on."""
    beat = Heartbeat(database.database, run)
    beat.settled([Settled(make_batch([]).span, Counts())])
    beat.stop()
    database.run(
        f"UPDATE ingest_workers SET figures = '{json.dumps(figures)}' WHERE ended_at IS NOT NULL",
        "UPDATE ingest_workers SET ended_at = NULL",
    )


def test_runs_are_running_until_they_end_or_are_lost(database: Database) -> None:
    first, _ = begun(database, "1"), begun(database, "2")
    states = {"running": 2, "lost": 0}
    assert read(database, activity)["sluice_runs"] == {(*EVENTS, k): n for k, n in states.items()}
    first.end("completed")
    database.run(f"UPDATE ingest_runs SET started_at = {LONG_AGO}")
    states = {"running": 0, "lost": 1}
    assert read(database, activity)["sluice_runs"] == {(*EVENTS, k): n for k, n in states.items()}


def test_a_lost_run_is_forgotten_once_a_later_one_has_begun(database: Database) -> None:
    begun(database, "1")
    database.run(f"UPDATE ingest_runs SET started_at = {LONG_AGO}")
    assert read(database, activity)["sluice_runs"][*EVENTS, "lost"] == 1
    later = begun(database, "2")
    states = {"running": 1, "lost": 0}
    assert read(database, activity)["sluice_runs"] == {(*EVENTS, k): n for k, n in states.items()}
    later.end("completed")
    states = {"running": 0, "lost": 0}
    assert read(database, activity)["sluice_runs"] == {(*EVENTS, k): n for k, n in states.items()}


def test_workers_count_while_they_are_heard(database: Database) -> None:
    begun(database)
    for _ in range(2):
        beaten(database, "1")
    assert read(database, activity)["sluice_workers"] == {EVENTS: 2}
    database.run(f"UPDATE ingest_workers SET heartbeat_at = {LONG_AGO}")
    assert read(database, activity)["sluice_workers"] == {EVENTS: 0}


def test_lags_of_all_workers_add_up_and_the_longest_outage_counts(database: Database) -> None:
    begun(database, options={"outage_budget": 300.0})
    beaten(database, "1", lag={"kafka://t": 3, "kafka://u": 1}, outage_seconds={"kafka": 2.5})
    beaten(database, "1", lag={"kafka://t": 4}, outage_seconds={"kafka": 1.0})
    values = read(database, activity)
    lags = {(*EVENTS, "kafka://t"): 7, (*EVENTS, "kafka://u"): 1}
    assert values["sluice_source_lag_records"] == lags
    assert values["sluice_outage_seconds"] == {(*EVENTS, "kafka"): 2.5}
    assert values["sluice_outage_budget_seconds"] == {EVENTS: 300.0}


def test_the_last_commit_is_known_after_the_run(database: Database) -> None:
    run = begun(database)
    assert "sluice_last_commit_timestamp_seconds" not in read(database, activity)
    beaten(database, "1")
    run.end("completed")
    committed = "UPDATE ingest_workers SET committed_at = '2026-03-01 00:00:00'"
    database.run("SET TIME ZONE 'UTC'" if database.kind == "postgres" else "SELECT 1", committed)
    values = read(database, activity)
    assert values == {"sluice_last_commit_timestamp_seconds": {EVENTS: 1_772_323_200.0}}
