"""A stream with too many dead letters is paused: the commit stands, and a resume begins to count anew."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sinks.control import dead_pause, polling, requests
from sinks.control.polling import SqlControls
from sinks.control.requests import WHOLE
from sinks.jobs import audit_trail
from sinks.sql import SqlSink
from tests.io.sinks.tested_database import Database, make_batch, make_failure
from transforms.errors import SinkUnavailable
from transforms.settle.dead_budget import DeadBudget


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    polling.stop_all()


def streaming(database: Database, text: str = "2") -> SqlSink:
    sink = database.sink(key=["id"])
    return replace(
        sink,
        budget=DeadBudget.parse(text, pauses=True),
        controls=SqlControls(sink.config, "", ()),
    )


def commit(sink: SqlSink, start: int, dead: int) -> None:
    failures = [make_failure(offset) for offset in range(start, start + dead)]
    sink.commit([make_batch([], start, failures=failures)])


def test_the_commit_stands_and_the_pipeline_is_paused_with_the_numbers(database: Database) -> None:
    sink = streaming(database)
    commit(sink, 0, dead=2)
    assert requests.requested(database.database) == []
    commit(sink, 2, dead=1)
    assert database.rows("SELECT count(*) FROM ingest_jobs") == [(3,)]
    (row,) = requests.requested(database.database)
    assert (row.pipeline, row.source, row.state, row.actor) == ("events", "", "paused", "sluice")
    assert row.reason.startswith("3 records are dead letters, more than --max_dead 2 allows")
    assert "parse/malformed" in row.reason
    (entry,) = audit_trail.entries(database.database)
    assert (entry.action, entry.actor, entry.reason) == ("pause", "sluice", row.reason)


def test_what_is_settled_afterwards_does_not_pause_it_again(database: Database) -> None:
    sink = streaming(database)
    for start in range(0, 12, 3):
        commit(sink, start, dead=3)
    assert len(audit_trail.entries(database.database)) == 1


def test_what_failed_before_a_resume_does_not_count(database: Database) -> None:
    sink = streaming(database)
    assert sink.controls is not None
    commit(sink, 0, dead=3)
    requests.ask(database.database, "events", [WHOLE], "running", actor="ann", reason="repaired")
    sink.controls.look()
    commit(sink, 3, dead=2)
    assert not requests.requested(database.database)[0].holds
    commit(sink, 5, dead=1)
    (row,) = requests.requested(database.database)
    assert row.holds
    assert row.reason.startswith("3 records are dead letters")


def test_a_pause_that_cannot_be_written_is_asked_for_again(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sink = streaming(sqlite_database)

    def away(*args: object, **options: object) -> None:
        raise SinkUnavailable("away")

    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(requests, "pause_unless_held", away)
        commit(sink, 0, dead=3)
    assert "should be paused" in caplog.text
    commit(sink, 3, dead=1)
    assert requests.requested(sqlite_database.database)[0].holds


def test_a_run_that_ends_is_not_paused(sqlite_database: Database) -> None:
    sink = replace(streaming(sqlite_database), budget=DeadBudget.parse("5"))
    commit(sink, 0, dead=3)
    assert requests.requested(sqlite_database.database) == []
    assert dead_pause.ACTOR == "sluice"
