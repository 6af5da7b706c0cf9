"""The state of a job, of which ``executing`` is not stored: a waiting job that has left the queue.

A claim takes jobs out of ``ingest_queue`` and leaves one row of ``ingest_claims`` a batch. The
wide rows of ``ingest_jobs`` are not touched before the attempt is settled: they would be written
twice for every attempt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from sinks.database.tables import EXECUTING, WAITING_STATES, claims, jobs, leases, queue

QUEUED = sa.exists().where(queue.c.job == jobs.c.id)
"""Whether a job has a row in the queue."""

_AT_AN_ATTEMPT = sa.and_(jobs.c.state.in_(WAITING_STATES), sa.not_(QUEUED))

CURRENT: sa.ColumnElement[str] = sa.case((_AT_AN_ATTEMPT, EXECUTING), else_=jobs.c.state).label(
    "state"
)
"""A job's state."""


def is_in(*states: str) -> sa.ColumnElement[bool]:
    """Whether a job is in one of ``states``; the queue is asked once, and only if it matters."""
    waiting = [state for state in states if state in WAITING_STATES]
    stored = [state for state in states if state not in (*WAITING_STATES, EXECUTING)]
    conditions: list[sa.ColumnElement[bool]] = []
    if stored:
        conditions.append(jobs.c.state.in_(stored))
    if waiting:
        conditions.append(sa.and_(jobs.c.state.in_(waiting), QUEUED))
    if EXECUTING in states:
        conditions.append(_AT_AN_ATTEMPT)
    return sa.or_(*conditions)


@dataclass(frozen=True, slots=True)
class Under:
    """A claim.

    Attributes:
        lease: Whose it is.
        at: When it was made.
    """

    lease: str
    at: datetime


def claimed(connection: sa.Connection) -> Mapping[int, Under]:
    """The jobs that are at an attempt, by their number."""
    query = sa.select(claims.c.jobs, claims.c.lease, claims.c.attempted_at)
    return {
        number: Under(lease, at)
        for numbers, lease, at in connection.execute(query)
        for number in numbers
    }


def has_jobs_executing(which: sa.ColumnElement[bool] | None = None) -> sa.ColumnElement[bool]:
    """Whether jobs, those of the claims ``which`` if given, are executing under a lease."""
    chosen = sa.true() if which is None else which
    return sa.exists().where(claims.c.lease == leases.c.name, chosen)
