"""Runs are entered when they begin, and closed when they end."""

from __future__ import annotations

from typing import Any

import pytest

from sinks.runs import runs
from sinks.runs.history import list_runs
from sinks.runs.runs import Run
from tests.io.sinks.tested_database import Database


def begun(database: Database, id_: str = "1", pipeline: str = "", **more: Any) -> Run:
    database.sink(key=["id"])
    run = Run(id_, database.config(), pipeline, "DirectRunner", "1.2.3", **more)
    run.begin()
    return run


def test_a_run_says_who_began_what_with_which_options(database: Database) -> None:
    begun(database, options={"key": "id"}, streaming=True)
    (row,) = list_runs(database.database)
    assert (row.id, row.pipeline, row.target) == ("1", "events", "events")
    assert (row.runner, row.version, row.streaming) == ("DirectRunner", "1.2.3", True)
    assert row.options == {"key": "id"}
    assert row.program == runs.program_name()
    assert row.state == "running"


def test_its_end_is_noted_without_secrets(database: Database) -> None:
    run = begun(database)
    run.submitted("f00d")
    run.end("failed", "cannot reach postgresql://user:hunter2hunter2@host/db")
    (row,) = list_runs(database.database)
    assert (row.state, row.job) == ("failed", "f00d")
    assert row.message == "cannot reach postgresql://user:***@host/db"
    assert row.ended_at is not None
    assert row.ended_at >= row.started_at


def test_the_message_is_bounded(database: Database) -> None:
    begun(database).end("failed", "x" * 100_000)
    (row,) = list_runs(database.database)
    assert row.message == "x" * runs.MESSAGE_LENGTH


def test_only_the_last_runs_of_a_pipeline_are_kept_with_their_workers(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "KEPT", 2)
    begun(database, "1")
    row = "'w', '1', '2020-01-01', '2020-01-01', 0, 0, 0, 0, 0, 0, 0, 0, '{}'"
    columns = "read, expanded, inserted, updated, duplicates, filtered, dead, retrying, figures"
    database.run(
        f"INSERT INTO ingest_workers (name, run, started_at, heartbeat_at, {columns}) VALUES ({row})"
    )
    for id_ in ("2", "3"):
        begun(database, id_)
    assert [row.id for row in list_runs(database.database)] == ["3", "2"]
    assert database.rows("SELECT count(*) FROM ingest_workers") == [(0,)]
