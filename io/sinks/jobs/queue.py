"""The queue of due jobs: claimed under a lease, rescued when the process that claimed them is gone."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sinks.database import leases
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.label import TargetTable, label_of
from sinks.database.tables import claims, queue
from sinks.database.tables import leases as leases_table
from sinks.jobs import claims as job_claims
from sinks.jobs import owner as job_owner
from sinks.jobs.rescue import rescue
from sinks.jobs.retention import Kept, Retention, prune
from sinks.jobs.state import has_jobs_executing
from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits
from transforms.per_process import PerProcess
from transforms.read.job_queue import Waiting
from transforms.steps.pipeline_identity import PipelineIdentity
from transforms.throttle import Throttle

PRUNE_SECONDS = 60.0


@dataclass(slots=True)
class _State:
    """What this process remembers about a queue.

    Attributes:
        lease: The lease under which it claims jobs.
        lock: Held while the lease changes.
    """

    lease: str | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True)
class SqlJobQueue:
    """The due jobs of one pipeline, whatever tables they are meant for.

    Implements ``transforms.read.job_queue.JobQueue``.

    Attributes:
        config: The database and the pipeline's own table.
        lease_seconds: How long a process may be silent before its jobs are rescued.
        retention: How long to keep jobs in a final state; None keeps them forever.
        pipeline: The pipeline that owns the jobs; None claims no jobs.
    """

    config: TargetTable
    lease_seconds: float = 20.0
    retention: Retention | None = None
    pipeline: PipelineIdentity | None = None

    @property
    def name(self) -> str:
        """The target table."""
        return str(self.config.table_name)

    def lease(self) -> str:
        """A new lease that this process keeps alive; the previous one is released.

        A reader that starts again has lost the bundle in which it claimed jobs before. While the
        lease is held, jobs of processes that are gone are rescued, even while a long bundle keeps
        the reader busy.
        """
        pipeline = "" if self.pipeline is None else self.pipeline.name
        name = leases.new_name(f"jobs:{pipeline or self.name}")
        leases.hold(self.config.database, name, self.lease_seconds, self.maintain)
        state = _states.get(self)
        with state.lock:
            before, state.lease = state.lease, name
        if before is not None:
            leases.release(self.config.database, before)
        self.maintain()
        return name

    def claim(self, lease: str, limits: BatchLimits) -> Sequence[RecordBatch]:
        """Claim due jobs: at most ``limits.records``, of about ``limits.bytes`` in all."""
        if self.pipeline is None:
            return ()
        if not leases.touch(self.config.database, lease):
            leases.hold(self.config.database, lease, self.lease_seconds, self.maintain)
        with transaction(self.config.database, "claim failed records") as connection:
            label = label_of(connection, self.config.table_name)
            owners = job_owner.owners_of(label, self.pipeline)
            name = self.pipeline.named(label).name
            return job_claims.take(connection, name, owners, lease, limits, label)

    def give_back(self, batches: Sequence[RecordBatch]) -> None:
        """Undo claims whose jobs were not tried: they wait again, and no attempt is used."""
        with transaction(self.config.database, "give failed records back") as connection:
            job_claims.give_back(connection, [batch.claim for batch in batches if batch.claim])

    def due_in(self) -> float | None:
        """Seconds until the next waiting job is due; None if no job waits."""
        with transaction(self.config.database, "read failed records", write=False) as connection:
            firsts = job_claims.first_due(connection, self._owners(connection))
            return _seconds_until(connection, firsts[0][0] if firsts else None)

    def lease_ends_in(self) -> float | None:
        """Seconds until the next lease with executing jobs runs out; None if no job is executing."""
        with transaction(self.config.database, "read failed records", write=False) as connection:
            owned = has_jobs_executing(self._mine(connection, claims.c.owner))
            query = sa.select(sa.func.min(leases_table.c.expires_at)).where(owned)
            return _seconds_until(connection, connection.execute(query).scalar_one())

    def waiting(self) -> tuple[int, datetime | None]:
        """How many jobs are unfinished, and when the first of them is due."""
        with transaction(self.config.database, "read failed records", write=False) as connection:
            taken = sa.select(sa.func.coalesce(sa.func.sum(claims.c.count), 0))
            executing = taken.where(self._mine(connection, claims.c.owner)).scalar_subquery()
            # One statement: a job must not slip from one table to the other in between.
            query = sa.select(sa.func.count(), sa.func.min(queue.c.due_at), executing)
            owned = self._mine(connection, queue.c.owner)
            count, first, executing_now = connection.execute(query.where(owned)).one()
            return count + int(executing_now), first

    def left(self) -> Sequence[Waiting]:
        """The jobs of the pipeline's tables that wait for other pipelines, or have no owner."""
        with transaction(self.config.database, "read failed records", write=False) as connection:
            return job_owner.left(
                connection, label_of(connection, self.config.table_name), self.pipeline
            )

    def _mine(
        self, connection: sa.Connection, owner: sa.ColumnElement[Any]
    ) -> sa.ColumnElement[bool]:
        """Whether the jobs of ``owner`` are for this pipeline."""
        return owner.in_(self._owners(connection))

    def _owners(self, connection: sa.Connection) -> Sequence[uuid.UUID]:
        """The owners whose jobs this pipeline takes."""
        if self.pipeline is None:
            return ()
        label = label_of(connection, self.config.table_name)
        return job_owner.owners_of(label, self.pipeline)

    def maintain(self) -> None:
        """Rescue jobs and, at most once a minute, delete those that were kept long enough."""
        self.rescue()
        if self.retention is None or not _prunes.take_turn(self):
            return
        with transaction(self.config.database, "read failed records", write=False) as connection:
            label = label_of(connection, self.config.table_name)
        name = "" if self.pipeline is None else self.pipeline.named(label).name
        reason = "--retain of a running ingest"
        which = Kept(label, name)
        prune(self.config.database, which, self.retention, actor="ingest", reason=reason)

    def rescue(self) -> int:
        """Make the jobs of leases that ran out due again; returns how many there were."""
        return rescue(self.config.database)


_states: PerProcess[SqlJobQueue, _State] = PerProcess(lambda _: _State())
_prunes: Throttle[SqlJobQueue] = Throttle(PRUNE_SECONDS)


def _seconds_until(connection: sa.Connection, time_: datetime | None) -> float | None:
    return (
        None if time_ is None else (time_ - dialect_of(connection).now(connection)).total_seconds()
    )
