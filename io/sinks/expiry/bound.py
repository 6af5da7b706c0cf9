"""Before which time a key must have gone, so that no failed record brings it back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.tables import READ_BY, counts, jobs
from transforms.batch.job_states import DEAD_STATES, UNFINISHED_STATES


@dataclass(frozen=True, slots=True)
class Bound:
    """What failed records leave of a period.

    Attributes:
        before: Deletes of before may be forgotten; None if none may.
        job: The failed record that holds them; None if none does.
    """

    before: datetime | None
    job: int | None = None


def bound_of(connection: sa.Connection, target: str, length: timedelta) -> Bound:
    """Before which time deletes may be forgotten that are to be kept for ``length``.

    Who gives a length says that no change comes later than that after a delete that is newer. A failed
    record came when it failed first, and takes effect when it is tried again. So the period ends
    when the oldest one came that may still be tried or replayed, rather than now.

    Args:
        connection: In a transaction.
        target: The table, as the ledger names it.
        length: For how long a delete is kept.
    """
    now = dialect_of(connection).now(connection)
    # A job that steps have made of another failed when that was tried again: nobody knows when it came.
    derived = sa.func.min(sa.case((jobs.c.expansion.is_not(None), jobs.c.id)))
    query = sa.select(derived, sa.func.min(jobs.c.inserted_at), sa.func.min(jobs.c.id))
    of_another, first, number = connection.execute(query.where(_may_reach(target))).one()
    if of_another is not None:
        return Bound(None, of_another)
    if first is None or first >= now:
        return Bound(now - length)
    return Bound(first - length, number)


def _may_reach(target: str) -> sa.ColumnElement[bool]:
    """Whether a job may still be written into ``target``: its pipeline may choose another table now."""
    writers = sa.select(counts.c.pipeline).where(counts.c.target == target)
    return sa.and_(
        jobs.c.state.in_((*UNFINISHED_STATES, *DEAD_STATES)),
        sa.or_(
            jobs.c.target == target,
            jobs.c.pipeline.in_(writers),
            READ_BY.in_(writers),
        ),
    )
