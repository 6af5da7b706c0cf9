"""The queue of due jobs: claimed under a lease, rescued when its holder is gone."""

from __future__ import annotations

import math
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

import msgspec
import sqlalchemy as sa

from sinks import leases, ledger_moves
from sinks.clock import now
from sinks.config import SqlConfig
from sinks.databases import dialect_of
from sinks.engine import transaction
from sinks.job_history import with_error
from sinks.job_outcomes import among
from sinks.jobs import enqueue
from sinks.ledger import label_of
from sinks.retention import Retention, prune
from sinks.tables import claims, jobs, queue
from sinks.tables import leases as leases_table
from transforms.record import Attempt, Claim, Format, Headers, RecordBatch, Span
from transforms.splits import BatchLimits

PRUNE_SECONDS = 60.0

_lock = threading.Lock()
_leases: dict[SqlJobQueue, str] = {}
_pruned: dict[SqlJobQueue, float] = {}


@dataclass(frozen=True, slots=True)
class SqlJobQueue:
    """The due jobs of one target table. Implements ``transforms.job_queue.JobQueue``.

    Attributes:
        config: Which database, and which target table.
        lease_seconds: How long a process may be silent before its jobs are rescued.
        retention: How long jobs in a final state are kept; None keeps them.
    """

    config: SqlConfig
    lease_seconds: float = 20.0
    retention: Retention | None = None

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
        leases.hold(self.config, name, self.lease_seconds, self.maintain)
        with _lock:
            before, _leases[self] = _leases.get(self), name
        if before is not None:
            leases.release(self.config, before)
        self.maintain()
        return name

    def claim(self, lease: str, limits: BatchLimits) -> Sequence[RecordBatch]:
        """Take due jobs: at most ``limits.records``, and of about ``limits.bytes``."""
        if not leases.touch(self.config, lease):
            leases.hold(self.config, lease, self.lease_seconds, self.maintain)
        with transaction(self.config) as connection:
            label = label_of(connection, self.config)
            at = now(connection)
            if connection.dialect.name == "postgresql":
                # A claim that a crash of the server undoes is noticed when it is settled.
                connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
                # Of a table that changes so fast the planner knows little, and would sort all that
                # is due for the first few: the index has them in order.
                connection.exec_driver_sql(
                    "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off"
                )
            ids = _take(connection, label, at, limits)
            if not ids:
                return ()
            taken = sa.select(*_CLAIMED).where(among(connection, jobs.c.id, ids))
            batches = _batches(connection.execute(taken).all())
            rows = [_claim(label, lease, at, each) for each in batches]
            connection.execute(sa.insert(claims), rows)
        return batches

    def due_in(self) -> float | None:
        """Seconds until a job that waits is due; None when none waits."""
        with transaction(self.config, write=False) as connection:
            label = label_of(connection, self.config)
            query = sa.select(sa.func.min(queue.c.due_at)).where(queue.c.target == label)
            return _seconds_until(connection, connection.execute(query).scalar_one())

    def lease_ends_in(self) -> float | None:
        """Seconds until a lease runs out under which jobs are executing; None when none is."""
        with transaction(self.config, write=False) as connection:
            label = label_of(connection, self.config)
            query = sa.select(sa.func.min(leases_table.c.expires_at)).where(_executing(label))
            return _seconds_until(connection, connection.execute(query).scalar_one())

    def waiting(self) -> tuple[int, datetime | None]:
        """How many jobs are not finished, and when the first of them is due."""
        with transaction(self.config, write=False) as connection:
            label = label_of(connection, self.config)
            taken = sa.select(sa.func.coalesce(sa.func.sum(claims.c.count), 0))
            executing = taken.where(claims.c.target == label).scalar_subquery()
            # One statement: a job must not slip from one table to the other in between.
            query = sa.select(sa.func.count(), sa.func.min(queue.c.due_at), executing)
            count, first, at_it = connection.execute(query.where(queue.c.target == label)).one()
            return count + int(at_it), first

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
        with transaction(self.config, write=False) as connection:
            label = label_of(connection, self.config)
        reason = "--retain of a running ingest"
        prune(self.config, label, self.retention, actor="ingest", reason=reason)

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
        with transaction(self.config) as connection:
            label = label_of(connection, self.config)
            at = now(connection)
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
            mine = among(connection, jobs.c.id, claim.jobs)
            rows = connection.execute(sa.select(*_LOST).where(mine)).all()
            if rows:
                connection.execute(_RESCUE, [_rescued(row, claim, at) for row in rows])
                enqueue(connection, mine)
            spent = [row for row in rows if _spent(row)]
            deltas: dict[tuple[str, str], dict[str, int]] = defaultdict(
                lambda: {"retrying": 0, "dead": 0}
            )
            for row in spent:
                deltas[row.source, row.partition]["retrying"] -= 1
                deltas[row.source, row.partition]["dead"] += 1
            ledger_moves.move(connection, dialect_of(self.config, connection), label, deltas)
            return len(rows)


_CLAIMED = (
    jobs.c.id,
    jobs.c.source,
    jobs.c.partition,
    jobs.c.offset,
    jobs.c.raw,
    jobs.c.format,
    jobs.c.event_time,
    jobs.c.key,
    jobs.c.headers,
    jobs.c.attempt + 1,
    jobs.c.max_attempts,
    jobs.c.run,
)


def _executing(label: str | None = None) -> sa.ColumnElement[bool]:
    """Whether jobs, those of one table if given, are executing under a lease."""
    of_table = sa.true() if label is None else claims.c.target == label
    return sa.exists().where(claims.c.lease == leases_table.c.name, of_table)


def _due(
    row: sa.ColumnElement[Any], label: str, at: datetime, limits: BatchLimits
) -> sa.Select[Any]:
    """Which ``row`` of the queue are due, the longest due first, up to the bound of bytes."""
    first = (
        sa.select(row.label("row"), queue.c.job, queue.c.due_at, queue.c.bytes)
        .where(queue.c.target == label, queue.c.due_at <= at)
        .order_by(queue.c.due_at)
        .limit(limits.records)
        .with_for_update(skip_locked=True)
        .cte("first")
    )
    upto = sa.func.sum(first.c.bytes).over(order_by=(first.c.due_at, first.c.job))
    sized = sa.select(first.c.row, (upto - first.c.bytes).label("before")).subquery("sized")
    return sa.select(sized.c.row).where(sized.c.before < limits.bytes)


def _seconds_until(connection: sa.Connection, time_: datetime | None) -> float | None:
    return None if time_ is None else (time_ - now(connection)).total_seconds()


def _take(
    connection: sa.Connection, label: str, at: datetime, limits: BatchLimits
) -> Sequence[int]:
    """Take what is due out of the queue; the numbers of these jobs."""
    if connection.dialect.name == "postgresql":
        # By where the rows are: looking each up by its number again costs twice as much.
        place: sa.ColumnElement[Any] = sa.literal_column("ingest_queue.ctid")
        due = _due(place, label, at, limits).scalar_subquery()
        taken = sa.delete(queue).where(place == sa.any_(sa.func.array(due)))
        return connection.execute(taken.returning(queue.c.job)).scalars().all()
    ids = connection.execute(_due(queue.c.job, label, at, limits)).scalars().all()
    connection.execute(sa.delete(queue).where(queue.c.job.in_(ids)))
    return ids


def _claim(label: str, lease: str, at: datetime, batch: RecordBatch) -> dict[str, Any]:
    """The row that says under which lease the jobs of a batch are executing."""
    assert batch.claim is not None, "these batches are of jobs"  # noqa: S101
    numbers = [attempt.job for attempt in batch.claim.attempts.values()]
    return {
        "id": batch.claim.id,
        "target": label,
        "lease": lease,
        "jobs": numbers,
        "count": len(numbers),
        "attempted_at": at,
    }


def _batches(rows: Iterable[Any]) -> list[RecordBatch]:
    groups: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for row in rows:
        _, of, partition, _, _, format_, event_time, *_ = row
        groups[of, partition, format_, event_time is not None].append(row)
    return [_batch(sorted(group, key=itemgetter(3))) for group in groups.values()]


def _batch(rows: Sequence[Any]) -> RecordBatch:
    # By columns: a row's attributes cost more than all the rest.
    ids, sources, partitions, offsets, raws, formats, times, keys, headers, *tries = zip(
        *rows, strict=True
    )
    attempts = map(Attempt, ids, *tries)
    return RecordBatch(
        span=Span(sources[0], partitions[0], offsets[0], offsets[-1] + 1),
        format=msgspec.json.decode(formats[0], type=Format),
        offsets=list(offsets),
        raws=list(map(bytes, raws)),
        times=None if times[0] is None else list(times),
        keys=[None if key is None else bytes(key) for key in keys],
        headers=[_headers(text) if text else () for text in headers],
        claim=Claim(uuid.uuid4().hex, dict(zip(offsets, attempts, strict=True))),
    )


_headers = msgspec.json.Decoder(Headers).decode


def _spent(row: Any) -> bool:
    return bool(row.attempt + 1 >= row.max_attempts)


def _rescued(row: Any, claim: Any, at: datetime) -> dict[str, Any]:
    spent = _spent(row)
    values = {
        "state": "discarded" if spent else "available",
        "attempt": row.attempt + 1,
        "attempted_at": claim.attempted_at,
        "attempted_by": claim.lease,
        "scheduled_at": at,
        "discarded_at": at if spent else None,
        "errors": with_error(
            row.errors,
            attempt=row.attempt + 1,
            replay=row.replays,
            at=at,
            error=f"the process that ran it is gone ({claim.lease})",
            due=None if spent else at,
        ),
    }
    return {"of_id": row.id, **{f"new_{name}": value for name, value in values.items()}}


_LOST = (
    *(jobs.c.id, jobs.c.source, jobs.c.partition, jobs.c.attempt),
    *(jobs.c.max_attempts, jobs.c.replays, jobs.c.errors),
)
_RESCUE = (
    sa.update(jobs)
    .where(jobs.c.id == sa.bindparam("of_id"))
    .values(
        {
            name: sa.bindparam(f"new_{name}")
            for name in (
                *("state", "attempt", "attempted_at", "attempted_by"),
                *("scheduled_at", "discarded_at", "errors"),
            )
        }
    )
)
