"""The state of a job. ``executing`` is not stored: it is a waiting job that has left the queue.

A claim takes jobs out of ``ingest_queue`` and leaves one row of ``ingest_claims`` for each batch.
The wide rows of ``ingest_jobs`` are not touched before the attempt is settled; otherwise they would
be written twice for each attempt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from sinks.database.tables import claims, jobs, leases, queue
from transforms.batch.job_states import EXECUTING, WAITING_STATES

QUEUED = sa.exists().where(queue.c.job == jobs.c.id)
"""Whether a job has a row in the queue."""

_AT_AN_ATTEMPT = sa.and_(jobs.c.state.in_(WAITING_STATES), sa.not_(QUEUED))

CURRENT: sa.ColumnElement[str] = sa.case((_AT_AN_ATTEMPT, EXECUTING), else_=jobs.c.state).label(
    "state"
)
"""A job's state."""


def is_in(*states: str) -> sa.ColumnElement[bool]:
    """Whether a job is in one of ``states``. The queue is read once, and only if it matters."""
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
class Execution:
    """The attempt that a job is at.

    Attributes:
        lease: The lease of the process that claimed the job.
        at: When it was claimed.
    """

    lease: str
    at: datetime


def executions(connection: sa.Connection) -> Mapping[int, Execution]:
    """The jobs that are executing, by their numbers."""
    query = sa.select(claims.c.jobs, claims.c.lease, claims.c.attempted_at)
    return {
        number: Execution(lease, at)
        for numbers, lease, at in connection.execute(query)
        for number in numbers
    }


def has_jobs_executing(which: sa.ColumnElement[bool] | None = None) -> sa.ColumnElement[bool]:
    """Whether jobs are executing under a lease: any jobs, or those of the claims ``which``."""
    chosen = sa.true() if which is None else which
    return sa.exists().where(claims.c.lease == leases.c.name, chosen)
