"""Jobs that no pipeline will ever take are told."""

from __future__ import annotations

from sinks.doctor import owners
from sinks.doctor.scope import Question, Queue
from tests.io.sinks.doctor.examined import NOW, said, wrong
from tests.io.sinks.jobs.stored_jobs import prepared, store
from tests.io.sinks.runs.test_runs import begun
from tests.io.sinks.tested_database import Database

OWNER = "00000000000000000000000000000001"


def test_jobs_of_nobody_are_told() -> None:
    item = owners.nobodys(Queue(None, "t", 7, 12, NOW))
    assert item is not None
    assert "adopt --table t" in item.todo
    assert owners.nobodys(Queue("p", "t", 7, 12, NOW)) is None


def test_jobs_of_a_pipeline_that_never_ran_are_told() -> None:
    item = owners.strangers(Queue("typo", "t", 7, 12, NOW), {"p"})
    assert item is not None
    assert "--from_pipeline typo" in item.todo
    assert owners.strangers(Queue("p", "t", 7, 12, NOW), {"p"}) is None
    assert owners.strangers(Queue(None, "t", 7, 12, NOW), {"p"}) is None


def test_waiting_and_dead_jobs_of_a_database_are_told(database: Database) -> None:
    config = prepared(database)
    begun(database, "1", "p")
    assert [item.level for item in said(database, owners.check)] == ["ok"]
    waiting = {"state": "retryable", "pipeline": "p"}
    store(config, waiting, {"pipeline": "p"})
    database.run(f"UPDATE ingest_queue SET owner = '{OWNER}'")
    assert wrong(database, owners.check) == []
    database.run("UPDATE ingest_jobs SET pipeline = 'typo'")
    (item,) = wrong(database, owners.check)
    assert "typo" in item.what
    database.run("UPDATE ingest_queue SET owner = NULL", "UPDATE ingest_jobs SET pipeline = NULL")
    waits, dead = wrong(database, owners.check)
    assert (waits.figures["jobs"], dead.figures) == (1, {"jobs": 1, "sample": 2})
    assert wrong(database, owners.check, Question("p")) == []
