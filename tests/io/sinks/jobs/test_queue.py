"""The queue of due jobs of one pipeline: its lease, and what others have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sinks.jobs.queue import SqlJobQueue
from sinks.jobs.retention import Retention
from sinks.sql import SqlSink
from tests.io.sinks.jobs.queued_jobs import Queue
from tests.io.sinks.jobs.stored_jobs import prepared, store, stored, trail
from tests.io.sinks.tested_database import Database, make_batch


class TestLease:
    def test_a_new_lease_ends_the_one_before(self, queue: Queue) -> None:
        queue.claim()
        queue.queue.lease()
        assert set(queue.states().values()) == {"available"}

    def test_a_run_knows_when_the_lease_of_another_ends(self, queue: Queue) -> None:
        queue.claim()
        assert queue.queue.due_in() is None
        ends = queue.queue.lease_ends_in()
        assert ends is not None
        assert 20 < ends <= 30


class TestMaintain:
    def test_finished_jobs_are_deleted_at_most_once_a_minute(self, database: Database) -> None:
        config = prepared(database)
        old = {"state": "completed", "completed_at": datetime.now(UTC) - timedelta(days=2)}
        store(config, old, {"state": "retryable"})
        queue = SqlJobQueue(config, retention=Retention.parse(["completed=1d"]))
        queue.maintain()
        assert stored(config, "state") == ["retryable"]
        store(config, old, partition="later")
        queue.maintain()
        assert stored(config, "state") == ["retryable", "completed"]
        assert trail(config) == [("prune", 1)]

    def test_without_a_retention_nothing_is_deleted(self, database: Database) -> None:
        config = prepared(database)
        store(config, {"state": "completed"})
        SqlJobQueue(config).maintain()
        assert stored(config, "state") == ["completed"]


def test_records_that_make_the_database_roll_back_are_put_off(postgres: Database) -> None:
    postgres.run("CREATE TABLE events (id integer PRIMARY KEY, name text)")
    postgres.run("INSERT INTO events VALUES (3, 'old')")
    sink: SqlSink = postgres.sink(key=["id"], on_conflict="update")
    batch = make_batch([{"id": n, "name": "new"} for n in range(6)])
    with_lock = postgres.connect()
    with_lock.cursor().execute("SELECT * FROM events WHERE id = 3 FOR UPDATE")
    (settled,) = sink.commit([batch], isolate=True)
    with_lock.rollback()
    with_lock.close()
    assert (settled.counts.inserted, len(settled.retry), settled.dead) == (5, 1, ())
    (failure,) = settled.retry
    assert (failure.origin.offset, failure.category, failure.sqlstate) == (3, "contention", "55P03")
    assert sorted(postgres.rows("SELECT id, name FROM events"))[3] == (3, "old")
