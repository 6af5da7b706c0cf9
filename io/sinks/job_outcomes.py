"""What attempts at jobs came to: their next state, in the transaction that writes their rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sinks.clock import now
from sinks.job_columns import columns_of
from sinks.jobs import enqueue
from sinks.tables import claims, jobs
from transforms.record import Attempt, Claim, Failure
from transforms.retry_policy import Next


def complete(connection: sa.Connection, taken: Sequence[Claim]) -> set[str]:
    """Mark the jobs of each claim that is still held as ``completed``, and end the claim.

    Those that turn out to have failed are put right by ``fail``. A claim whose lease was lost
    meanwhile is gone: its jobs are left to whoever has them now.

    Returns:
        The claims that were held.
    """
    held: set[str] = set()
    numbers: list[int] = []
    for claim in taken:
        if connection.execute(sa.delete(claims).where(claims.c.id == claim.id)).rowcount:
            held.add(claim.id)
            numbers += [attempt.job for attempt in claim.attempts.values()]
    if numbers:
        done = sa.update(jobs).where(among(connection, jobs.c.id, numbers))
        connection.execute(done.values(state="completed", completed_at=now(connection)))
    return held


def among(
    connection: sa.Connection, column: sa.ColumnElement[int], numbers: Sequence[int]
) -> sa.ColumnElement[bool]:
    """Whether ``column`` is one of ``numbers``; one parameter where the database has arrays."""
    if connection.dialect.name == "postgresql":
        return column == sa.any_(sa.cast(list(numbers), sa.ARRAY(sa.BigInteger)))
    return column.in_(numbers)


def fail(
    connection: sa.Connection,
    failures: Sequence[tuple[Attempt, Failure, Next]],
    run: str,
) -> None:
    """Enter what failed again: its error into the history, and when it is due.

    Args:
        connection: In the transaction that ``complete`` has run in.
        failures: Each with the attempt that it was and what follows.
        run: The run that now counts it.
    """
    if not failures:
        return
    at = now(connection)
    numbers = [attempt.job for attempt, _, _ in failures]
    query = sa.select(jobs.c.id, jobs.c.errors, jobs.c.replays).where(jobs.c.id.in_(numbers))
    before = {row.id: row for row in connection.execute(query)}
    rows = [
        _failed(attempt, failure, following, before[attempt.job], at, run)
        for attempt, failure, following in failures
    ]
    connection.execute(_FAIL, rows)
    enqueue(connection, among(connection, jobs.c.id, numbers))


_CHANGED = (
    *("state", "stage", "category", "sqlstate", "exception", "message", "stack", "attempt"),
    *("errors", "run", "scheduled_at", "completed_at", "discarded_at"),
)
_FAIL = (
    sa.update(jobs)
    .where(jobs.c.id == sa.bindparam("of_id"))
    .values({name: sa.bindparam(f"new_{name}") for name in _CHANGED})
)


def _failed(
    attempt: Attempt, failure: Failure, following: Next, before: Any, at: datetime, run: str
) -> dict[str, Any]:
    values = columns_of(
        failure,
        following,
        attempt=attempt.number,
        replay=before.replays,
        errors=before.errors,
        at=at,
        run=run,
    )
    values["completed_at"] = None  # as ``complete`` had it
    return {"of_id": attempt.job, **{f"new_{name}": value for name, value in values.items()}}
