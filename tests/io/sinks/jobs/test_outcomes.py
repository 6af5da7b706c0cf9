"""What an attempt leads to, in the transaction that writes its row."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from sinks.database import leases
from sinks.database.engine import transaction
from sinks.database.tables import claims
from sinks.jobs.store import list_jobs
from tests.io.sinks.jobs.queued_jobs import (
    Queue,
    failed,
    parsed,
    retryable,
)
from tests.io.sinks.tested_database import Database, counts, make_batch
from transforms.batch.splits import BatchLimits


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
        with transaction(queue.config.database, "test") as connection:
            connection.execute(sa.delete(claims).where(claims.c.id == first.claim.id))
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
