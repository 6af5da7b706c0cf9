"""What all checks look at: last runs, live processes, tables, and the queue by owner."""

from __future__ import annotations

from datetime import UTC, datetime

from sinks.doctor.scope import Question
from tests.io.sinks.doctor.examined import ago, scope
from tests.io.sinks.figures.test_activity import beaten
from tests.io.sinks.jobs.stored_jobs import prepared, store
from tests.io.sinks.runs.test_runs import begun
from tests.io.sinks.tested_database import Database


def test_only_the_newest_run_of_a_pipeline_counts(database: Database) -> None:
    begun(database, "1", options={"key": "a"})
    database.run(f"UPDATE ingest_runs SET started_at = {ago(days=2)}")
    begun(database, "2", options={"key": "id"}, streaming=True)
    begun(database, "3", "other")
    by_name = {run.pipeline: run for run in scope(database).runs}
    assert {name: run.id for name, run in by_name.items()} == {"events": "2", "other": "3"}
    assert by_name["events"].options == {"key": "id"}
    assert (by_name["events"].streaming, by_name["events"].heard_at) == (True, None)
    assert [run.id for run in scope(database, Question("other")).runs] == ["3"]


def test_a_process_lives_while_it_is_heard(database: Database) -> None:
    begun(database)
    beaten(database, "1", lag={"kafka://t": 5, "kafka://u": 2})
    seen = scope(database)
    assert seen.live == {"events": 1}
    assert seen.runs[0].lag == 7
    database.run(f"UPDATE ingest_workers SET heartbeat_at = {ago(minutes=5)}")
    assert scope(database).live == {}


def test_the_queue_is_told_by_owner(database: Database) -> None:
    config = prepared(database)
    waiting = {"state": "retryable"}
    store(config, waiting, waiting, {**waiting, "pipeline": "p"})
    owner = "00000000000000000000000000000001"
    database.run(f"UPDATE ingest_queue SET owner = '{owner}' WHERE job = 3")
    queues = {of.pipeline: (of.number, of.job) for of in scope(database).queues}
    assert queues == {None: (2, 1), "p": (1, 3)}
    assert [of.pipeline for of in scope(database, Question("p")).queues] == ["p"]


def test_tables_are_those_that_are_written(database: Database) -> None:
    prepared(database)
    prepared(database, "others")
    assert scope(database).tables == ["events", "others"]


def test_the_time_is_that_of_the_database(database: Database) -> None:
    prepared(database)
    before = datetime.now(UTC)
    seen = scope(database)
    assert before <= seen.now + seen.skew + seen.doubt
    assert abs(seen.skew) <= seen.doubt * 2 + (datetime.now(UTC) - before)
