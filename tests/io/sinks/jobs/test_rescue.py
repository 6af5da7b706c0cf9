"""The jobs of a process that is gone wait again, or are discarded after their last attempt."""

from __future__ import annotations

import threading

import pytest

from sinks.database import leases
from sinks.database.engine import transaction
from sinks.jobs.queue import SqlJobQueue
from sinks.jobs.store import list_jobs
from tests.io.sinks.jobs.queued_jobs import (
    PIPELINE,
    Queue,
    expire,
    retryable,
)
from tests.io.sinks.tested_database import Database


def test_jobs_of_a_lease_that_ran_out_are_due_again(
    queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    queue.claim()
    assert queue.queue.rescue() == 0, "its process is alive"
    expire(queue)
    assert queue.queue.rescue() == 5
    assert set(queue.states().values()) == {"available"}
    (line,) = (vars(each) for each in caplog.records if "ran out" in each.message)
    assert (line["lease"], set(line["jobs"])) == (
        queue.lease,
        {job.id for job in list_jobs(queue.config.database)},
    )
    (batch,) = queue.claim()
    assert {each.number for each in batch.claim.attempts.values()} == {3}  # type: ignore[union-attr]
    (job, *_) = list_jobs(queue.config.database)
    assert "gone" in job.errors[-1]["error"]


def test_a_job_that_ends_its_process_every_time_ends_itself(queue: Queue) -> None:
    for _ in (2, 3):
        queue.claim()
        expire(queue)
        assert queue.queue.rescue() == 5
    assert set(queue.states().values()) == {"discarded"}
    assert queue.ledger() == {"read": 5, "dead": 5}


def test_jobs_are_rescued_while_a_long_bundle_keeps_the_reader_from_it(
    database: Database,
) -> None:
    queue = Queue(database, *map(retryable, range(5)))
    queue.claim()
    leases.held_leases.clear()  # as if the process had died
    other = SqlJobQueue(queue.config, lease_seconds=1, pipeline=PIPELINE)
    other.lease()
    with transaction(queue.config.database, "test") as connection:
        connection.exec_driver_sql(
            "UPDATE ingest_leases SET expires_at = '2001-01-01 00:00:00' "
            f"WHERE name = '{queue.lease}'"
        )
    wait = threading.Event()
    for _ in range(200):
        if set(queue.states().values()) == {"available"}:
            return
        wait.wait(0.05)
    raise AssertionError("nothing was rescued in the background")
