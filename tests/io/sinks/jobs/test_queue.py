"""Due jobs: taken once, settled under a lease, rescued when their process is gone."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from sinks.database import leases
from sinks.database.engine import transaction
from sinks.jobs.queue import SqlJobQueue
from sinks.jobs.store import list_jobs
from sinks.ledger import ledger
from sinks.sql import SqlSink
from sinks.table.config import SqlConfig
from tests.io.sinks.tested_database import Database, counts, make_batch
from transforms.batch.backoff import Backoff
from transforms.batch.record import JSON, Failure, Origin, RecordBatch
from transforms.batch.retry_policy import RetryPolicy
from transforms.batch.splits import BatchLimits
from transforms.errors import RetryLater
from transforms.steps.pipeline_identity import PipelineIdentity

TABLE = "CREATE TABLE events (id integer PRIMARY KEY, name text)"
LIMITS = BatchLimits()
PIPELINE = PipelineIdentity("people", ("Hide",))
SOON = RetryPolicy(Backoff(0.001, 0.001), max_attempts=3)


def retryable(offset: int, partition: str = "p", **changes: Any) -> Failure:
    error = RetryLater("the service is away")
    one = Failure(
        origin=Origin("file:///a", partition, offset),
        raw=b'{"id":%d}' % offset,
        format=JSON,
        stage="enrich",
        category="retry_later",
        exception=type(error).__name__,
        message=str(error),
        stack="",
        transient=True,
    )
    return replace(one, **changes)


class Queue:
    """A table with failed records, its queue, and how to settle what is taken from it."""

    def __init__(self, database: Database, *failures: Failure, retry: RetryPolicy = SOON) -> None:
        database.run(TABLE)
        self.database = database
        self.sink = replace(database.sink(key=["id"]), retry=retry, run="run-1", pipeline=PIPELINE)
        self.queue = SqlJobQueue(self.config, lease_seconds=30, pipeline=PIPELINE)
        if failures:
            size = max(each.origin.offset for each in failures) + 1
            for partition in sorted({each.origin.partition for each in failures}):
                mine = [each for each in failures if each.origin.partition == partition]
                self.sink.commit([make_batch([], partition=partition, failures=mine, end=size)])
        self.lease = self.queue.lease()

    @property
    def config(self) -> SqlConfig:
        return self.sink.config

    def claim(self, limits: BatchLimits = LIMITS) -> list[RecordBatch]:
        deadline = threading.Event()
        for _ in range(200):
            found = list(self.queue.claim(self.lease, limits))
            if found:
                return found
            deadline.wait(0.01)
        raise AssertionError("nothing became due")

    def states(self) -> dict[int, str]:
        return {
            job.failure.origin.offset: job.state
            for job in list_jobs(self.config.database, limit=1000)
        }

    def ledger(self) -> dict[str, int]:
        totals: dict[str, int] = {}
        for each in ledger.audit(self.config.database):
            assert each.counts.conserved
            for name in ("read", "inserted", "dead", "retrying", "duplicates", "filtered"):
                totals[name] = totals.get(name, 0) + getattr(each.counts, name)
        return {name: count for name, count in totals.items() if count}


def parsed(batch: RecordBatch) -> RecordBatch:
    return replace(batch, values=[{"id": offset} for offset in batch.offsets])


def failed(batch: RecordBatch, **changes: Any) -> RecordBatch:
    """The batch with every record failed again."""
    failures = [retryable(offset, batch.span.partition, **changes) for offset in batch.offsets]
    return batch.keep([], [], failures)


@pytest.fixture
def queue(database: Database) -> Queue:
    return Queue(database, *map(retryable, range(5)))


class TestClaim:
    def test_a_job_comes_back_as_it_was_read(self, database: Database) -> None:
        one = retryable(
            7, key=b"\x00k", headers=(("h", b"\xff"),), event_time=2.5, raw=b'{"id": 7}'
        )
        (batch,) = Queue(database, one).claim()
        record = batch.record(0)
        assert (record.raw, record.origin, record.format) == (one.raw, one.origin, one.format)
        assert (record.key, record.headers, record.event_time) == (
            one.key,
            one.headers,
            one.event_time,
        )

    def test_what_is_taken_is_executing_and_not_taken_again(self, queue: Queue) -> None:
        (batch,) = queue.claim()
        assert list(batch.offsets) == [0, 1, 2, 3, 4]
        assert set(queue.states().values()) == {"executing"}
        assert list(queue.queue.claim(queue.lease, LIMITS)) == []

    def test_nothing_is_taken_before_it_is_due(self, database: Database) -> None:
        late = RetryPolicy(Backoff(100, 100))
        queue = Queue(database, retryable(0), retry=late)
        assert list(queue.queue.claim(queue.lease, LIMITS)) == []
        due = queue.queue.due_in()
        assert due is not None
        assert 40 < due <= 100

    def test_a_batch_is_of_one_partition(self, database: Database) -> None:
        queue = Queue(database, retryable(0, "p"), retryable(0, "q"))
        batches = queue.claim()
        assert {batch.span.partition for batch in batches} == {"p", "q"}

    def test_bounds_hold(self, queue: Queue) -> None:
        assert sum(batch.read for batch in queue.claim(BatchLimits(records=2))) == 2
        assert sum(batch.read for batch in queue.claim(BatchLimits(bytes=1))) == 1

    def test_other_tables_jobs_are_left_alone(self, queue: Queue) -> None:
        queue.database.run("CREATE TABLE others (id integer PRIMARY KEY)")
        other = queue.database.sink("others", key=["id"])
        assert list(SqlJobQueue(other.config, pipeline=PIPELINE).claim(queue.lease, LIMITS)) == []

    def test_two_at_once_share_the_jobs(self, database: Database) -> None:
        queue = Queue(database, *map(retryable, range(300)))
        taken: list[list[int]] = [[], []]
        errors: list[BaseException] = []

        def take(mine: list[int]) -> None:
            lease = leases.new_name("test")
            leases.hold(queue.config.database, lease, 30)
            try:
                for _ in range(1_000):
                    found = queue.queue.claim(lease, BatchLimits(records=7))
                    mine += [offset for batch in found for offset in batch.offsets]
                    if len(taken[0]) + len(taken[1]) >= 300:
                        break
            except Exception as error:  # noqa: BLE001 - the test looks at it
                errors.append(error)

        threads = [threading.Thread(target=take, args=(mine,)) for mine in taken]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert sorted(taken[0] + taken[1]) == list(range(300)), "each job once"


class TestGiveBack:
    def test_the_jobs_wait_again_and_no_attempt_is_used(self, queue: Queue) -> None:
        queue.queue.give_back(queue.claim(BatchLimits(records=3)))
        assert set(queue.states().values()) == {"retryable"}
        assert queue.queue.waiting()[0] == 5
        (batch,) = queue.claim()
        assert {each.number for each in batch.claim.attempts.values()} == {2}  # type: ignore[union-attr]
        assert queue.ledger() == {"read": 5, "retrying": 5}

    def test_what_was_rescued_meanwhile_is_left_alone(self, queue: Queue) -> None:
        batches = queue.claim()
        expire(queue)
        assert queue.queue.rescue() == 5
        queue.queue.give_back(batches)
        assert queue.queue.waiting()[0] == 5
        (batch,) = queue.claim()
        assert {each.number for each in batch.claim.attempts.values()} == {3}  # type: ignore[union-attr]


class TestSettle:
    def test_success_completes_the_job_and_moves_the_ledger(self, queue: Queue) -> None:
        assert queue.ledger() == {"read": 5, "retrying": 5}
        (batch,) = queue.claim()
        (settled,) = queue.sink.commit([parsed(batch)])
        assert (settled.counts.read, settled.again, settled.attempts, settled.counts.inserted) == (
            0,
            5,
            5,
            5,
        )
        assert set(queue.states().values()) == {"completed"}
        assert queue.ledger() == {"read": 5, "inserted": 5}
        assert queue.database.rows("SELECT count(*) FROM events") == [(5,)]

    def test_another_run_reads_what_it_takes_over(self, queue: Queue) -> None:
        (batch,) = queue.claim()
        sink = replace(queue.sink, run="run-2")
        (settled,) = sink.commit([parsed(batch)])
        assert (settled.counts.read, settled.again, settled.counts.inserted) == (5, 0, 5)

    def test_failure_is_scheduled_until_the_attempts_are_used_up(self, queue: Queue) -> None:
        for attempt in (2, 3):
            (batch,) = queue.claim()
            assert {each.number for each in batch.claim.attempts.values()} == {attempt}  # type: ignore[union-attr]
            (settled,) = queue.sink.commit([failed(batch)])
            assert len(settled.retry) == (5 if attempt == 2 else 0)
            assert len(settled.dead) == (0 if attempt == 2 else 5)
        assert queue.queue.due_in() is None
        jobs = list_jobs(queue.config.database)
        assert {job.state for job in jobs} == {"discarded"}
        for job in jobs:
            assert [error["attempt"] for error in job.errors] == [1, 2, 3]
            assert job.errors[-1]["due"] is None
            assert (job.attempt, job.max_attempts) == (3, 3)
        assert queue.ledger() == {"read": 5, "dead": 5}

    def test_a_snooze_uses_no_attempt(self, queue: Queue) -> None:
        for _ in range(5):
            (batch,) = queue.claim()
            assert {each.number for each in batch.claim.attempts.values()} == {2}  # type: ignore[union-attr]
            queue.sink.commit([failed(batch, category="snoozed", snooze=0.001)])
        assert set(queue.states().values()) == {"scheduled"}
        assert queue.ledger() == {"read": 5, "retrying": 5}

    def test_a_permanent_failure_is_discarded_at_once(self, queue: Queue) -> None:
        (batch,) = queue.claim()
        queue.sink.commit([failed(batch, transient=False, category="malformed")])
        assert set(queue.states().values()) == {"discarded"}

    def test_a_step_may_drop_a_job(self, queue: Queue) -> None:
        (batch,) = queue.claim()
        dropped = replace(batch.keep([], []), filtered=tuple(batch.offsets))
        (settled,) = queue.sink.commit([dropped])
        assert settled.counts.filtered == 5
        assert set(queue.states().values()) == {"completed"}
        assert queue.ledger() == {"read": 5, "filtered": 5}

    def test_what_was_taken_over_meanwhile_is_not_written(self, queue: Queue) -> None:
        (batch,) = queue.claim()
        leases.release(queue.config.database, queue.lease)
        assert queue.queue.rescue() == 5
        (settled,) = queue.sink.commit([parsed(batch)])
        assert counts(settled) == {"trimmed": 5}
        assert queue.database.rows("SELECT count(*) FROM events") == [(0,)]
        assert set(queue.states().values()) == {"available"}

    def test_a_batch_is_settled_once(self, queue: Queue) -> None:
        (batch,) = queue.claim()
        settled = queue.sink.commit([parsed(batch), parsed(batch)])
        assert [counts(each) for each in settled] == [
            {"inserted": 5},
            {"trimmed": 5},
        ]
        assert queue.ledger() == {"read": 5, "inserted": 5}

    def test_only_the_batches_still_held_are_written(self, database: Database) -> None:
        queue = Queue(database, *(retryable(n, p) for p in "pq" for n in (0, 1)))
        first, second = sorted(queue.claim(), key=lambda batch: batch.span.partition)
        assert first.claim is not None
        queue.database.run(f"DELETE FROM ingest_claims WHERE id = '{first.claim.id}'")
        settled = queue.sink.commit([parsed(first), parsed(second)])
        assert [(each.trimmed, each.counts.inserted) for each in settled] == [(2, 0), (0, 2)]
        assert queue.ledger() == {"read": 4, "inserted": 2, "retrying": 2}

    def test_jobs_at_an_attempt_are_still_waited_for(self, queue: Queue) -> None:
        queue.claim(BatchLimits(records=2))
        count, first = queue.queue.waiting()
        assert count == 5
        assert first is not None
        queue.claim()
        assert queue.queue.waiting() == (5, None)

    def test_jobs_and_new_records_share_a_transaction(self, queue: Queue) -> None:
        (batch,) = queue.claim()
        fresh = make_batch([{"id": 100}], start=5)
        settled = queue.sink.commit([fresh, parsed(batch), make_batch([{"id": 101}], start=6)])
        assert [each.counts.inserted for each in settled] == [1, 5, 1]
        assert queue.ledger() == {"read": 7, "inserted": 7}

    def test_a_row_that_the_database_refuses_again_fails_alone(self, database: Database) -> None:
        queue = Queue(database, *map(retryable, range(3)))
        (batch,) = queue.claim()
        bad = replace(batch, values=[{"id": 0}, {"id": "no number"}, {"id": 2}])
        (settled,) = queue.sink.commit([bad])
        assert settled.counts.inserted + len(settled.dead) == 3
        if database.kind == "postgres":
            assert queue.states() == {0: "completed", 1: "discarded", 2: "completed"}
        assert queue.ledger()["read"] == 3


class TestRescue:
    def test_jobs_of_a_lease_that_ran_out_are_due_again(self, queue: Queue) -> None:
        queue.claim()
        assert queue.queue.rescue() == 0, "its process is alive"
        expire(queue)
        assert queue.queue.rescue() == 5
        assert set(queue.states().values()) == {"available"}
        (batch,) = queue.claim()
        assert {each.number for each in batch.claim.attempts.values()} == {3}  # type: ignore[union-attr]
        (job, *_) = list_jobs(queue.config.database)
        assert "gone" in job.errors[-1]["error"]

    def test_a_job_that_ends_its_process_every_time_ends_itself(self, queue: Queue) -> None:
        for _ in (2, 3):
            queue.claim()
            expire(queue)
            assert queue.queue.rescue() == 5
        assert set(queue.states().values()) == {"discarded"}
        assert queue.ledger() == {"read": 5, "dead": 5}

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


def expire(queue: Queue) -> None:
    """As if the process had died: its lease is not renewed and has run out."""
    leases.held_leases.clear()
    with transaction(queue.config.database, "test") as connection:
        connection.exec_driver_sql("UPDATE ingest_leases SET expires_at = '2001-01-01 00:00:00'")


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
