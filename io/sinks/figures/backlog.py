"""What waits: jobs that are due, and changes that are not published."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.tables import outbox, queue
from sinks.figures.sample import Sample

MOST_COUNTED = 100_000
"""How many rows of the outbox are counted at most."""


def backlog(connection: sa.Connection) -> Iterator[Sample]:
    """How long jobs have been due, and how many changes wait in the outbox since when."""
    now = dialect_of(connection).now(connection)
    yield from overdue(connection, now)
    yield from _outbox(connection, now)


def overdue(connection: sa.Connection, now: datetime) -> Iterator[Sample]:
    """How long the first job of each table has been due.

    By the index on owner and time: one step to the first job of each owner.
    """
    oldest: dict[str, datetime] = {}
    owner = None
    while True:
        after = queue.c.owner.is_not(None) if owner is None else queue.c.owner > owner
        first = sa.select(queue.c.owner, queue.c.target, queue.c.due_at).where(after)
        first = first.order_by(queue.c.owner, queue.c.due_at).limit(1)
        row = connection.execute(first).one_or_none()
        if row is None:
            break
        owner = row.owner
        oldest[row.target] = min(row.due_at, oldest.get(row.target, row.due_at))
    for target, due_at in sorted(oldest.items()):
        seconds = max(0.0, (now - due_at).total_seconds())
        yield Sample("sluice_job_oldest_due_seconds", seconds, {"target": target})


def _outbox(connection: sa.Connection, now: datetime) -> Iterator[Sample]:
    for target, number, oldest in connection.execute(unpublished()):
        labels = {"target": target}
        yield Sample("sluice_outbox_pending", number, labels)
        yield Sample("sluice_outbox_oldest_seconds", (now - oldest).total_seconds(), labels)


def unpublished() -> sa.Select[Any]:
    """For each table: how many changes are not published, and since when the oldest waits for it.

    It looks at the first ``MOST_COUNTED``, by the index of those; the table that waits longest is the first.
    """
    waiting = (
        sa.select(outbox.c.id, outbox.c.target, outbox.c.created_at)
        .where(outbox.c.published_at.is_(None))
        .order_by(outbox.c.id)
        .limit(MOST_COUNTED)
        .subquery()
    )
    number, oldest = sa.func.count(), sa.func.min(waiting.c.created_at)
    query = sa.select(waiting.c.target, number, oldest)
    return query.group_by(waiting.c.target).order_by(oldest)
