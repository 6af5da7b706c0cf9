"""Jobs: failed records are taken once, come back when their process is gone, and are counted right."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import sqlalchemy as sa

from pipelines.conformance.check import Check, Failed, Trial
from pipelines.conformance.ground import Ground, committed, repeated
from pipelines.conformance.records import batch_of, failure_of, outcomes
from sinks.database import leases
from sinks.database.tables import leases as leases_table
from sinks.jobs.actions import carry_out
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import Order
from sinks.jobs.queue import SqlJobQueue
from sinks.jobs.store import list_jobs
from sinks.ledger.accounts import accounts
from sinks.sql import SqlSink
from transforms.batch.backoff import Backoff
from transforms.batch.job_states import CANCEL, PURGE, REPLAY, Action
from transforms.batch.record import RecordBatch
from transforms.batch.retry_policy import RetryPolicy
from transforms.batch.splits import BatchLimits
from transforms.steps.pipeline_identity import PipelineIdentity

SCHEMA = {"properties": {"id": {"type": "integer"}}, "required": ["id"]}
WHO = {"actor": "conformance", "reason": "a check"}
NUMBER = 40
_WAIT_SECONDS = 20.0


SOON = RetryPolicy(Backoff(0.001, 0.001), max_attempts=3)
"""Records that fail are due again at once."""


def claimed(queue: SqlJobQueue, lease: str) -> Sequence[RecordBatch]:
    """Due jobs, awaited.

    Raises:
        Failed: None became due.
    """
    until = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < until:
        batches = repeated(lambda: queue.claim(lease, BatchLimits()))
        if batches:
            return batches
        time.sleep(0.005)
    raise Failed(f"no job became due within {_WAIT_SECONDS:g} s")


class Failing:
    """A table with failed records that are due at once, and its queue."""

    def __init__(self, ground: Ground, table: str, number: int, *, transient: bool = True) -> None:
        self.ground, self.table = ground, table
        self.pipeline = PipelineIdentity(table)
        prepared = ground.sink(table, key=["id"], schema=SCHEMA)
        self.sink: SqlSink = replace(prepared, retry=SOON, pipeline=self.pipeline, run="run-1")
        self.queue = SqlJobQueue(self.sink.config, lease_seconds=60, pipeline=self.pipeline)
        failures = [
            failure_of(self.sink, offset, raw=b'{"id": %d}' % offset, transient=transient)
            for offset in range(number)
        ]
        committed(self.sink, [batch_of(self.sink, [], failures=failures)])

    def claim(self, lease: str) -> Sequence[RecordBatch]:
        """Due jobs, awaited."""
        return claimed(self.queue, lease)

    def states(self) -> dict[int, str]:
        """The state of each job, by the offset of its record."""
        listed = list_jobs(self.ground.database, JobFilter(target=self.table), limit=1000)
        return {job.failure.origin.offset: job.state for job in listed}

    def totals(self, trial: Trial) -> dict[str, int]:
        """What the ledger has of the table, which must add up."""
        mine = [one for one in accounts(self.ground.database) if self.table in one.tables]
        trial.true(f"the ledger of {self.table} is there", mine)
        for account in mine:
            trial.true("the ledger agrees with the jobs", account.balanced and account.added_up)
            trial.equal("tables whose counts do not add up", account.faulty_tables, [])
        return {
            name: number for account in mine for name, number in account.progress.counts if number
        }

    def act(self, action: Action) -> int:
        """Carry out an action by hand on all jobs of the table that it is for."""
        order = Order.of(action, JobFilter(target=self.table))
        return carry_out(self.ground.database, order, **WHO).count


def good(batches: Sequence[RecordBatch]) -> list[RecordBatch]:
    """The records of claimed jobs, whose steps succeed now."""
    return [
        replace(batch, values=[{"id": offset} for offset in batch.offsets]) for batch in batches
    ]


def _retries(ground: Ground, trial: Trial) -> None:
    """Even records succeed at their second attempt, the others fail at their third, which is the last."""
    failing = Failing(ground, "jobs_retries", 6)
    lease = failing.queue.lease()
    for left in (6, 3):
        while left:
            for batch in failing.claim(lease):
                left -= batch.read
                even = [place for place, offset in enumerate(batch.offsets) if offset % 2 == 0]
                odd = [offset for offset in batch.offsets if offset % 2]
                failures = [failure_of(failing.sink, offset, transient=True) for offset in odd]
                values = [{"id": batch.offsets[place]} for place in even]
                committed(failing.sink, [batch.keep(even, values, failures)])
    expected = {offset: "discarded" if offset % 2 else "completed" for offset in range(6)}
    trial.equal("states", failing.states(), expected)
    trial.equal("the ledger", failing.totals(trial), {"read": 6, "inserted": 3, "dead": 3})
    trial.equal("rows", [number for (number,) in ground.rows("jobs_retries", "id")], [0, 2, 4])


def _claims(ground: Ground, trial: Trial) -> None:
    """Several processes take jobs at once: each job goes to one of them."""
    failing = Failing(ground, "jobs_claims", NUMBER)
    taken: list[int] = []
    lock = threading.Lock()
    until = time.monotonic() + _WAIT_SECONDS
    lease = failing.queue.lease()

    def take() -> None:
        while time.monotonic() < until:
            with lock:
                if len(taken) >= NUMBER:
                    return
            batches = repeated(lambda: failing.queue.claim(lease, BatchLimits(records=7)))
            with lock:
                taken.extend(offset for batch in batches for offset in batch.offsets)

    with ThreadPoolExecutor(3) as pool:
        for future in [pool.submit(take) for _ in range(3)]:
            future.result()
    trial.equal("jobs taken", sorted(taken), list(range(NUMBER)))
    trial.equal("states", set(failing.states().values()), {"executing"})


def _give_back(ground: Ground, trial: Trial) -> None:
    failing = Failing(ground, "jobs_give_back", 4)
    batches = failing.claim(failing.queue.lease())
    failing.queue.give_back(batches)
    waiting = set(failing.states().values())
    trial.true(f"jobs that are given back wait again, not {waiting}", "executing" not in waiting)
    again = failing.claim(failing.queue.lease())
    attempts = {
        each.number for batch in again if batch.claim for each in batch.claim.attempts.values()
    }
    trial.equal("the number of their attempt, which was not used", attempts, {2})


def _leases(ground: Ground, trial: Trial) -> None:
    """The jobs of a process that is gone wait again, and only they."""
    failing = Failing(ground, "jobs_leases", 5)
    lost = failing.queue.lease()
    failing.claim(lost)
    trial.equal("jobs rescued while their process lives", failing.queue.rescue(), 0)
    leases.held_leases.clear()  # as if the process had died
    past = {"expires_at": datetime(2001, 1, 1, tzinfo=UTC)}
    ground.execute(sa.update(leases_table).where(leases_table.c.name == lost).values(past))
    trial.equal("jobs rescued after that", failing.queue.rescue(), 5)
    again = failing.claim(failing.queue.lease())
    trial.equal("jobs taken again", sum(batch.read for batch in again), 5)
    settled = committed(failing.sink, good(again))
    trial.equal("rows", ground.number("jobs_leases"), 5)
    trial.equal("inserted", outcomes(settled)["inserted"], 5)
    trial.equal("the ledger", failing.totals(trial), {"read": 5, "inserted": 5})


def _zombie(ground: Ground, trial: Trial) -> None:
    """A process that was taken for gone writes nothing when it comes back."""
    failing = Failing(ground, "jobs_zombie", 3)
    lost = failing.queue.lease()
    late = failing.claim(lost)
    leases.held_leases.clear()
    past = {"expires_at": datetime(2001, 1, 1, tzinfo=UTC)}
    ground.execute(sa.update(leases_table).where(leases_table.c.name == lost).values(past))
    failing.queue.rescue()
    committed(failing.sink, good(failing.claim(failing.queue.lease())))
    settled = committed(failing.sink, good(late))
    trial.equal("what the one that is late settles", outcomes(settled), {})
    trial.equal("the ledger", failing.totals(trial), {"read": 3, "inserted": 3})


def _replay(ground: Ground, trial: Trial) -> None:
    failing = Failing(ground, "jobs_replay", NUMBER, transient=False)
    trial.equal("states", set(failing.states().values()), {"discarded"})
    trial.equal("dead letters replayed", failing.act(REPLAY), NUMBER)
    trial.equal("the ledger", failing.totals(trial), {"read": NUMBER, "retrying": NUMBER})
    lease, left = failing.queue.lease(), NUMBER
    while left:
        batches = failing.claim(lease)
        left -= sum(batch.read for batch in batches)
        committed(failing.sink, good(batches))
    trial.equal("states", set(failing.states().values()), {"completed"})
    trial.equal("rows", ground.number("jobs_replay"), NUMBER)
    trial.equal("the ledger", failing.totals(trial), {"read": NUMBER, "inserted": NUMBER})


def _purge(ground: Ground, trial: Trial) -> None:
    failing = Failing(ground, "jobs_purge", NUMBER, transient=False)
    trial.equal("dead letters purged", failing.act(PURGE), NUMBER)
    trial.equal("jobs left", failing.states(), {})
    trial.equal("the ledger", failing.totals(trial), {"read": NUMBER, "dead": NUMBER})


def _cancel(ground: Ground, trial: Trial) -> None:
    failing = Failing(ground, "jobs_cancel", 5)
    trial.equal("waiting jobs cancelled", failing.act(CANCEL), 5)
    batches = repeated(lambda: failing.queue.claim(failing.queue.lease(), BatchLimits()))
    trial.equal("jobs taken after that", list(batches), [])
    trial.equal("the ledger", failing.totals(trial), {"read": 5, "dead": 5})


CHECKS = (
    Check(
        "jobs.retries", "a failed record is tried until it succeeds or has no attempts", _retries
    ),
    Check("jobs.claims", "of several that take jobs at once, one takes each", _claims),
    Check(
        "jobs.give_back", "a job that is given back waits again, and no attempt is used", _give_back
    ),
    Check("jobs.leases", "the jobs of a process that is gone wait again", _leases),
    Check("jobs.zombie", "a process that comes back too late settles nothing twice", _zombie),
    Check("jobs.replay", "replayed dead letters are tried, and the ledger follows", _replay),
    Check("jobs.purge", "purged dead letters are gone, and stay counted as dead", _purge),
    Check("jobs.cancel", "cancelled jobs are not tried any more", _cancel),
)
