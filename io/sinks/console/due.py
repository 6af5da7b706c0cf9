"""Jobs by when they are due, and those that are being tried now."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sinks.console.moment import moment
from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.tables import claims, jobs, leases, queue

SHOWN = 50
"""How many jobs a page has."""

MOST_COUNTED = 100_000
"""How many jobs of the queue are counted at most."""

MOST_CLAIMS = 100
"""How many claims are shown, the oldest ones."""

MOST_OWNERS = 1_000
"""How many owners of jobs are looked at."""

Place = tuple[datetime, int]
"""When a job is due, and its number."""


@dataclass(frozen=True, slots=True)
class DueJob:
    """A job in the queue.

    Attributes:
        id: Its number.
        target: The table that the record is meant for.
        pipeline: The pipeline that may try it; None means nobody until it is adopted.
        due_at: When it is due.
        late: Whether that has passed.
        stage: Where it failed last.
        category: How.
        exception: The class name of the error.
        attempt: How many attempts were made since the last replay.
        max_attempts: After how many it becomes a dead letter.
        size: How many bytes the record has.
    """

    id: int
    target: str
    pipeline: str | None
    due_at: datetime
    late: bool
    stage: str
    category: str
    exception: str
    attempt: int
    max_attempts: int
    size: int


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """Jobs that a process tries now.

    Attributes:
        id: The number of the claim.
        pipeline: Whose process.
        lease: The lease of the process.
        jobs: How many jobs.
        attempted_at: Since when.
        expires_at: When the lease ends unless it is renewed; None if it is gone.
        lives: Whether the lease has not ended: otherwise another process takes the jobs back.
    """

    id: str
    pipeline: str
    lease: str
    jobs: int
    attempted_at: datetime
    expires_at: datetime | None
    lives: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many jobs of a table wait in the queue.

    Attributes:
        target: The table.
        jobs: How many.
        late: How many of them are due already.
        first: When the first one is due.
    """

    target: str
    jobs: int
    late: int
    first: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """A page of the queue, the job that is due first first.

    Attributes:
        at: The database's time.
        rows: The jobs.
        after: Goes into ``after`` for the next page; None at the end.
        waiting: The jobs by table.
        counted: Whether ``waiting`` has all jobs: it counts the first ``MOST_COUNTED``.
        claims: What is being tried.
    """

    at: datetime
    rows: Sequence[DueJob]
    after: Place | None
    waiting: Sequence[Waiting]
    counted: bool
    claims: Sequence[ClaimRow]


def due(
    database: Database,
    target: str | None = None,
    *,
    after: Place | None = None,
    limit: int = SHOWN,
) -> Due:
    """A page of jobs that wait, of one table or of all.

    Raises:
        ConfigError: The tables are missing, or have another version.
        SinkUnavailable: The database cannot be reached.
    """
    with moment(database, "read what is due") as connection:
        now = dialect_of(connection).now(connection)
        places = _first(connection, target, after, limit + 1)
        rows = [_job(row, now) for row in _described(connection, places[:limit])]
        waiting = [
            Waiting(name, number, int(late or 0), first)
            for name, number, late, first in connection.execute(_waiting(now))
        ]
        tried = [
            ClaimRow(*row[:-1], row.expires_at, row.expires_at is not None and row.expires_at > now)
            for row in connection.execute(_CLAIMS)
        ]
    following = places[limit - 1] if len(places) > limit else None
    counted = sum(one.jobs for one in waiting) < MOST_COUNTED
    return Due(now, rows, following, waiting, counted, tried)


def _first(
    connection: sa.Connection, target: str | None, after: Place | None, limit: int
) -> list[Place]:
    """The first jobs of all owners: the index has them by owner and time, so each is asked for its own."""
    places: list[Place] = []
    for owner in _owners(connection):
        own = queue.c.owner.is_(None) if owner is None else queue.c.owner == owner
        query = sa.select(queue.c.due_at, queue.c.job).where(own)
        if target is not None:
            query = query.where(queue.c.target == target)
        if after is not None:
            due_at, job = after
            later = sa.or_(queue.c.due_at > due_at, queue.c.job > job)
            query = query.where(queue.c.due_at >= due_at, later)
        query = query.order_by(queue.c.due_at, queue.c.job).limit(limit)
        places += [(due_at, job) for due_at, job in connection.execute(query)]
    return sorted(places)[:limit]


def _owners(connection: sa.Connection) -> list[uuid.UUID | None]:
    """The owners of the queue, by one step through its index for each; None is nobody."""
    owners: list[uuid.UUID | None] = []
    owner = None
    while len(owners) < MOST_OWNERS:
        after = queue.c.owner.is_not(None) if owner is None else queue.c.owner > owner
        owner = connection.scalar(
            sa.select(queue.c.owner).where(after).order_by(queue.c.owner).limit(1)
        )
        if owner is None:
            break
        owners.append(owner)
    return [*owners, None]


def _described(connection: sa.Connection, places: Sequence[Place]) -> list[Any]:
    query = sa.select(
        queue.c.job,
        queue.c.target,
        jobs.c.pipeline,
        queue.c.due_at,
        jobs.c.stage,
        jobs.c.category,
        jobs.c.exception,
        jobs.c.attempt,
        jobs.c.max_attempts,
        queue.c.bytes,
    ).join(jobs, jobs.c.id == queue.c.job)
    query = query.where(queue.c.job.in_([job for _, job in places]))
    return list(connection.execute(query.order_by(queue.c.due_at, queue.c.job)))


def _job(row: Any, now: datetime) -> DueJob:
    return DueJob(
        id=row.job,
        target=row.target,
        pipeline=row.pipeline,
        due_at=row.due_at,
        late=row.due_at <= now,
        stage=row.stage,
        category=row.category,
        exception=row.exception,
        attempt=row.attempt,
        max_attempts=row.max_attempts,
        size=row.bytes,
    )


def _waiting(now: datetime) -> sa.Select[Any]:
    some = sa.select(queue.c.target, queue.c.due_at).limit(MOST_COUNTED).subquery()
    late = sa.func.count(sa.case((some.c.due_at <= now, 1)))
    query = sa.select(
        some.c.target,
        sa.func.count(),
        late,
        sa.func.min(some.c.due_at, type_=queue.c.due_at.type),
    )
    return query.group_by(some.c.target).order_by(some.c.target)


_CLAIMS = (
    sa.select(
        claims.c.id,
        claims.c.pipeline,
        claims.c.lease,
        claims.c["count"].label("jobs"),
        claims.c.attempted_at,
        leases.c.expires_at,
    )
    .outerjoin(leases, leases.c.name == claims.c.lease)
    .order_by(claims.c.attempted_at, claims.c.id)
    .limit(MOST_CLAIMS)
)
