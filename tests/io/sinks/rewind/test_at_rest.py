"""A ledger may change only while its pipeline is paused, or none of its processes lives."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from sinks.database import leases
from sinks.database.engine import transaction
from sinks.database.tables import claims, runs, workers
from sinks.rewind.at_rest import obstacle
from sinks.runs.heartbeat import Heartbeat
from sinks.runs.runs import Run
from tests.io.sinks.rewind.settled import SOURCE, batch, pause, sink_of
from tests.io.sinks.tested_database import Database


def why(database: Database, *sources: str) -> str:
    with transaction(database.database, "look", write=False) as connection:
        return obstacle(connection, "events", sources or (SOURCE,))


def ended(database: Database) -> Run:
    """A pipeline that has settled something, and whose only run has ended an hour ago."""
    sink = sink_of(database)
    sink.commit([batch(0, 10)])
    run = Run(str(uuid.uuid4()), sink.config, "", "DirectRunner", "1")
    run.begin()
    run.end("completed")
    database.run("UPDATE ingest_runs SET started_at = '2026-01-01 00:00:00'")
    database.run("UPDATE ingest_pipelines SET prepared_at = '2026-01-01 00:00:00'")
    return run


def heard(database: Database, run: str, seconds_ago: float, **changes: Any) -> None:
    at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    row = {"name": "worker:host:7:a", "run": run, "started_at": at, "heartbeat_at": at}
    counts = dict.fromkeys(
        ("read", "inserted", "updated", "duplicates", "filtered", "dead", "retrying", "expanded"), 0
    )
    with transaction(database.database, "beat") as connection:
        connection.execute(sa.insert(workers), {**row, **counts, "figures": {}, **changes})


def test_a_pipeline_whose_run_has_ended_is_at_rest_however_lately_it_wrote(
    database: Database,
) -> None:
    ended(database)
    assert why(database) == ""


def test_a_process_that_is_heard_is_alive_until_it_ends_or_is_silent(database: Database) -> None:
    run = ended(database)
    heard(database, run.id, 5)
    assert "process worker:host:7:a of pipeline events was heard" in why(database)
    database.run("UPDATE ingest_workers SET heartbeat_at = '2026-01-01 00:00:00'")
    assert why(database) == ""


def test_a_process_that_has_ended_and_one_of_another_pipeline_do_not_count(
    database: Database,
) -> None:
    run = ended(database)
    heard(database, run.id, 5, ended_at=datetime.now(UTC))
    other = replace(run, id=str(uuid.uuid4()), pipeline="other")
    other.begin()
    heard(database, other.id, 5, name="worker:host:8:b")
    assert why(database) == ""


def test_a_program_that_has_begun_and_is_not_heard_yet_counts(database: Database) -> None:
    run = ended(database)
    replace(run, id=str(uuid.uuid4())).begin()
    assert "a program of pipeline events began" in why(database)


def test_a_program_that_has_prepared_its_table_and_not_begun_counts(database: Database) -> None:
    ended(database)
    database.sink(key=["id"])
    assert "a program of pipeline events began" in why(database)


def test_a_program_that_enters_no_runs_is_known_by_its_commits(database: Database) -> None:
    sink = sink_of(database)
    sink.commit([batch(0, 10)])
    database.run("UPDATE ingest_pipelines SET prepared_at = '2026-01-01 00:00:00'")
    assert "began, or wrote" in why(database)
    database.run("UPDATE ingest_progress SET updated_at = '2026-01-01 00:00:00'")
    assert why(database) == ""


def test_a_lease_and_a_claim_say_that_a_process_lives(database: Database) -> None:
    ended(database)
    name = leases.new_name("jobs:events")
    leases.hold(database.database, name, 30)
    assert f"holds the lease {name}" in why(database)
    leases.release(database.database, name)
    leases.hold(database.database, leases.new_name("jobs:events_2"), 30)
    assert why(database) == ""
    row = {"id": uuid.uuid4().hex, "pipeline": "events", "lease": "x", "jobs": [1], "count": 1}
    with transaction(database.database, "claim") as connection:
        connection.execute(sa.insert(claims), {**row, "attempted_at": datetime.now(UTC)})
    assert "is trying 1 failed records" in why(database)


@pytest.mark.parametrize("state", ["paused", "draining"])
def test_a_pipeline_that_is_held_may_have_processes(database: Database, state: str) -> None:
    run = ended(database)
    heard(database, run.id, 5)
    pause(database, state=state)
    assert why(database) == ""


def test_a_source_that_is_held_is_enough_for_its_own_offsets(database: Database) -> None:
    run = ended(database)
    heard(database, run.id, 5)
    pause(database, state="running")
    pause(database, source=SOURCE)
    pause(database, "other")
    assert why(database) == ""
    assert "was heard" in why(database, SOURCE, "kafka://payments")


def test_the_heartbeat_of_a_process_is_what_is_heard(database: Database) -> None:
    run = ended(database)
    with transaction(database.database, "begin again") as connection:
        connection.execute(sa.update(runs).values(outcome=None))
    heartbeat = Heartbeat(database.database, run.id)
    heartbeat.settled([])
    heartbeat.stop()
    assert why(database) == "", "it has said that it ended"


def test_a_source_may_be_held_under_another_name(database: Database) -> None:
    run = ended(database)
    heard(database, run.id, 5)
    pause(database, source="kafka://broker:9092/orders?group=g")
    assert "was heard" in why(database)
    with transaction(database.database, "look", write=False) as connection:
        assert (
            obstacle(connection, "events", [SOURCE], lambda text, source: "/orders" in text) == ""
        )
