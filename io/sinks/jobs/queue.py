"""The queue of due jobs: claimed under a lease, rescued when its holder is gone."""

from __future__ import annotations

import math
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sinks.database import leases
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.label import TargetTable, label_of
from sinks.database.tables import claims, jobs, queue
from sinks.database.tables import leases as leases_table
from sinks.database.update import update_each
from sinks.jobs import claims as job_claims
from sinks.jobs import owner as job_owner
from sinks.jobs.history import with_error
from sinks.jobs.retention import Retention, prune
from sinks.jobs.store import enqueue
from sinks.ledger import moves as ledger_moves
from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits
from transforms.read.job_queue import Waiting
from transforms.steps.pipeline_identity import PipelineIdentity

PRUNE_SECONDS = 60.0

_lock = threading.Lock()
_leases: dict[SqlJobQueue, str] = {}
_pruned: dict[SqlJobQueue, float] = {}


@dataclass(frozen=True, slots=True)
class SqlJobQueue:
    """The due jobs of one pipeline and target table. Implements ``transforms.read.job_queue.JobQueue``.

    Attributes:
        config: Which database, and which target table.
        lease_seconds: How long a process may be silent before its jobs are rescued.
        retention: How long jobs in a final state are kept; None keeps them.
        pipeline: Whose jobs they are; None takes none.
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
        """A new lease, kept alive by this process; the one before it is given up.

        Whoever begins to read again has lost the bundle in which jobs were taken before. As
        long as the lease is held, the jobs of others that are gone are looked for, also while
        a long bundle keeps the reader from it.
        """
        name = leases.new_name(f"jobs:{self.name}")
        leases.hold(self.config.database, name, self.lease_seconds, self.maintain)
        with _lock:
            before, _leases[self] = _leases.get(self), name
        if before is not None:
            leases.release(self.config.database, before)
        self.maintain()
        return name

    def claim(self, lease: str, limits: BatchLimits) -> Sequence[RecordBatch]:
        """Take due jobs: at most ``limits.records``, and of about ``limits.bytes``."""
        if self.pipeline is None:
            return ()
        if not leases.touch(self.config.database, lease):
            leases.hold(self.config.database, lease, self.lease_seconds, self.maintain)
        with transaction(self.config.database, "claim failed records") as connection:
            label = label_of(connection, self.config.table_name)
            owner = job_owner.id_of(label, self.pipeline)
            return job_claims.take(connection, label, owner, lease, limits)

    def give_back(self, batches: Sequence[RecordBatch]) -> None:
        """Undo a claim of which nothing has been tried: its jobs wait again, no attempt is used."""
        with transaction(self.config.database, "give failed records back") as connection:
            job_claims.give_back(connection, [each.claim for each in batches if each.claim])

    def due_in(self) -> float | None:
        """Seconds until a job that waits is due; None when none waits."""
        with transaction(self.config.database, "read failed records", write=False) as connection:
            mine = self._mine(connection, queue.c.owner)
            query = sa.select(sa.func.min(queue.c.due_at)).where(mine)
            return _seconds_until(connection, connection.execute(query).scalar_one())

    def lease_ends_in(self) -> float | None:
        """Seconds until a lease runs out under which jobs are executing; None when none is."""
        with transaction(self.config.database, "read failed records", write=False) as connection:
            mine = _executing(self._mine(connection, claims.c.owner))
            query = sa.select(sa.func.min(leases_table.c.expires_at)).where(mine)
            return _seconds_until(connection, connection.execute(query).scalar_one())

    def waiting(self) -> tuple[int, datetime | None]:
        """How many jobs are not finished, and when the first of them is due."""
        with transaction(self.config.database, "read failed records", write=False) as connection:
            taken = sa.select(sa.func.coalesce(sa.func.sum(claims.c.count), 0))
            executing = taken.where(self._mine(connection, claims.c.owner)).scalar_subquery()
            # One statement: a job must not slip from one table to the other in between.
            query = sa.select(sa.func.count(), sa.func.min(queue.c.due_at), executing)
            mine = self._mine(connection, queue.c.owner)
            count, first, at_it = connection.execute(query.where(mine)).one()
            return count + int(at_it), first

    def left(self) -> Sequence[Waiting]:
        """The jobs of the table that wait for other pipelines, or for nobody."""
        with transaction(self.config.database, "read failed records", write=False) as connection:
            return job_owner.left(
                connection, label_of(connection, self.config.table_name), self.pipeline
            )

    def _mine(
        self, connection: sa.Connection, owner: sa.ColumnElement[Any]
    ) -> sa.ColumnElement[bool]:
        """Whether ``owner`` is this pipeline."""
        if self.pipeline is None:
            return sa.false()
        return owner == job_owner.id_of(label_of(connection, self.config.table_name), self.pipeline)

    def maintain(self) -> None:
        """Rescue jobs and, at most every minute, delete what has been kept long enough."""
        self.rescue()
        if self.retention is None:
            return
        clock = time.monotonic()
        with _lock:
            if clock < _pruned.get(self, -math.inf) + PRUNE_SECONDS:
                return
            _pruned[self] = clock
        with transaction(self.config.database, "read failed records", write=False) as connection:
            label = label_of(connection, self.config.table_name)
        reason = "--retain of a running ingest"
        prune(self.config.database, label, self.retention, actor="ingest", reason=reason)

    def rescue(self) -> int:
        """Make the jobs of leases that ran out due again, or discard those without attempts left.

        Returns:
            How many there were.
        """
        rescued = 0
        while (some := self._rescue_claim()) is not None:
            rescued += some
        return rescued

    def _rescue_claim(self) -> int | None:
        """Rescue the jobs of one claim; how many there were, None when no claim is lost."""
        with transaction(self.config.database, "rescue failed records") as connection:
            label = label_of(connection, self.config.table_name)
            dialect = dialect_of(connection)
            at = dialect.now(connection)
            alive = sa.select(leases_table.c.name).where(leases_table.c.expires_at > at)
            lost = (
                sa.select(claims)
                .where(claims.c.target == label, claims.c.lease.not_in(alive))
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            claim = connection.execute(lost).one_or_none()
            if claim is None:
                # A lease is known as long as anything, of whatever table, is executing under it.
                ended_idle = sa.and_(leases_table.c.expires_at <= at, sa.not_(_executing()))
                connection.execute(sa.delete(leases_table).where(ended_idle))
                return None
            connection.execute(sa.delete(claims).where(claims.c.id == claim.id))
            mine = dialect.is_one_of(jobs.c.id, claim.jobs)
            rows = connection.execute(sa.select(*_LOST).where(mine)).all()
            if rows:
                update_each(connection, jobs, [_rescued(row, claim, at) for row in rows])
                enqueue(connection, mine)
            spent = [row for row in rows if row.attempt >= row.max_attempts]
            deltas: dict[tuple[str, str], dict[str, int]] = defaultdict(
                lambda: {"retrying": 0, "dead": 0}
            )
            for row in spent:
                deltas[row.source, row.partition]["retrying"] -= 1
                deltas[row.source, row.partition]["dead"] += 1
            ledger_moves.move(connection, label, deltas)
            return len(rows)


def _executing(which: sa.ColumnElement[bool] | None = None) -> sa.ColumnElement[bool]:
    """Whether jobs, those of the claims ``which`` if given, are executing under a lease."""
    chosen = sa.true() if which is None else which
    return sa.exists().where(claims.c.lease == leases_table.c.name, chosen)


def _seconds_until(connection: sa.Connection, time_: datetime | None) -> float | None:
    return (
        None if time_ is None else (time_ - dialect_of(connection).now(connection)).total_seconds()
    )


def _rescued(row: Any, claim: Any, at: datetime) -> dict[str, Any]:
    spent = row.attempt >= row.max_attempts
    values = {
        "state": "discarded" if spent else "available",
        "attempt": row.attempt,
        "attempted_at": claim.attempted_at,
        "attempted_by": claim.lease,
        "scheduled_at": at,
        "discarded_at": at if spent else None,
        "errors": with_error(
            row.errors,
            attempt=row.attempt,
            replay=row.replays,
            at=at,
            error=f"the process that ran it is gone ({claim.lease})",
            due=None if spent else at,
        ),
    }
    return {"id": row.id, **values}


_LOST = (
    *(jobs.c.id, jobs.c.source, jobs.c.partition, (jobs.c.attempt + 1).label("attempt")),
    *(jobs.c.max_attempts, jobs.c.replays, jobs.c.errors),
)
