"""Due jobs: each is taken once, in batches of one partition, and may be given back."""

from __future__ import annotations

import threading

import sqlalchemy as sa

from sinks.database import leases
from sinks.database.engine import transaction
from sinks.database.tables import jobs
from sinks.jobs.queue import SqlJobQueue
from tests.io.sinks.jobs.queued_jobs import (
    LIMITS,
    PIPELINE,
    Queue,
    expire,
    retryable,
)
from tests.io.sinks.tested_database import Database
from transforms import instruments
from transforms.batch.backoff import Backoff
from transforms.batch.retry_policy import RetryPolicy
from transforms.batch.splits import BatchLimits
from transforms.errors import Contention


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

    def test_how_long_the_first_of_a_claim_was_due_is_measured(self, database: Database) -> None:
        queue = Queue(database, retryable(0), retryable(1))
        earlier = "'2020-01-01 00:00:00'"
        database.run(f"UPDATE ingest_queue SET due_at = {earlier} WHERE job = 1")
        instruments.reset()
        queue.claim()
        (waits,) = instruments.measured().histograms["job_wait"].values()
        assert (sum(waits.counts), waits.counts[-1]) == (1, 1), "one claim, of more than a day"
        assert list(queue.queue.claim(queue.lease, LIMITS)) == []
        (waits,) = instruments.measured().histograms["job_wait"].values()
        assert sum(waits.counts) == 1, "nothing was taken"

    def test_a_batch_is_of_one_partition(self, database: Database) -> None:
        queue = Queue(database, retryable(0, "p"), retryable(0, "q"))
        batches = queue.claim()
        assert {batch.span.partition for batch in batches} == {"p", "q"}

    def test_records_are_in_the_order_of_their_partition(self, database: Database) -> None:
        queue = Queue(database, *map(retryable, range(60)))
        # As if they had failed in another order: what was job 1 is the last record.
        with transaction(database.database, "test") as connection:
            connection.execute(sa.update(jobs).values(offset=60 - jobs.c.id))
        (batch,) = queue.claim()
        assert list(batch.offsets) == list(range(60))
        assert (batch.span.start, batch.span.end) == (0, 60)
        assert [int(raw[6:-1]) for raw in batch.raws] == list(range(59, -1, -1))
        assert batch.claim is not None
        numbers = {offset: attempt.job for (offset, *_), attempt in batch.claim.attempts.items()}
        assert numbers == {offset: 60 - offset for offset in range(60)}

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

        def take(own_jobs: list[int]) -> None:
            lease = leases.new_name("test")
            leases.hold(queue.config.database, lease, 30)
            try:
                for _ in range(1_000):
                    try:
                        batches = queue.queue.claim(lease, BatchLimits(records=7))
                    except Contention:  # a deadlock of MariaDB: calling again is right
                        continue
                    own_jobs += [offset for batch in batches for offset in batch.offsets]
                    if len(taken[0]) + len(taken[1]) >= 300:
                        break
            except Exception as error:  # noqa: BLE001 - the test looks at it
                errors.append(error)

        threads = [threading.Thread(target=take, args=(own_jobs,)) for own_jobs in taken]
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
