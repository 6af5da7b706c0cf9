"""Rescue: the jobs of a process that is gone wait again."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.tables import READ_BY, claims, jobs
from sinks.database.tables import leases as leases_table
from sinks.database.update import update_each
from sinks.dead import upkeep
from sinks.jobs.columns import with_error
from sinks.jobs.state import has_jobs_executing
from sinks.jobs.store import enqueue
from sinks.ledger import moves as ledger_moves
from transforms.batch.counts import Counts

_log = logging.getLogger(__name__)

_MOST_LINES = 10
"""How many leases are told of at a time, and how many jobs of each."""


def rescue(database: Database) -> int:
    """Make the jobs of leases that ran out due again, or discard those without attempts left.

    They may be those of any pipeline: one that is down must not keep its jobs at an attempt.

    Returns:
        How many there were.

    Raises:
        SinkUnavailable: The database cannot be reached; the claims before are rescued.
        Contention: It asks for another try.
    """
    rescued: dict[str, list[int]] = {}
    try:
        while (claim := _rescue_claim(database)) is not None:
            lease, numbers = claim
            rescued.setdefault(lease, []).extend(numbers)
    finally:
        _tell({lease: numbers for lease, numbers in rescued.items() if numbers})
    return sum(map(len, rescued.values()))


def _tell(rescued: Mapping[str, Sequence[int]]) -> None:
    """Log which leases were taken over."""
    for lease, numbers in list(rescued.items())[:_MOST_LINES]:
        first = numbers[:_MOST_LINES]
        _log.warning(
            "lease %s ran out, its process is gone: its jobs wait again (%s)",
            *(lease, _list(first, len(numbers))),
            extra={"lease": lease, "jobs": first},
        )
    others = list(rescued.values())[_MOST_LINES:]
    if others:
        _log.warning("so do %d jobs of %d more leases", sum(map(len, others)), len(others))


def _list(first: Sequence[int], count: int) -> str:
    more = count - len(first)
    return ", ".join(map(str, first)) + (f" and {more:,} more" if more else "")


def _rescue_claim(database: Database) -> tuple[str, list[int]] | None:
    """Rescue the jobs of one claim; returns its lease and their numbers; None if no claim is lost."""
    with transaction(database, "rescue failed records") as connection:
        dialect = dialect_of(connection)
        at = dialect.now(connection)
        claim = _lost_claim(connection, at)
        if claim is None:
            # A lease is remembered as long as jobs are executing under it.
            idle = sa.and_(leases_table.c.expires_at <= at, sa.not_(has_jobs_executing()))
            connection.execute(sa.delete(leases_table).where(idle))
            return None
        connection.execute(sa.delete(claims).where(claims.c.id == claim.id))
        claimed = dialect.is_one_of(jobs.c.id, claim.jobs)
        rows = connection.execute(sa.select(*_LOST).where(claimed)).all()
        if rows:
            update_each(connection, jobs, [_rescued(row, claim, at) for row in rows])
            enqueue(connection, claimed)
        spent = [row for row in rows if row.attempt >= row.max_attempts]
        upkeep.discard(connection, [dict(row._mapping) for row in spent], at)
        ledger_moves.move_jobs(connection, spent, Counts(dead=1, retrying=-1))
        return claim.lease, [row.id for row in rows]


def _lost_claim(connection: sa.Connection, at: datetime) -> Any:
    """A claim whose lease has run out, unless another process is rescuing it."""
    alive = sa.select(leases_table.c.name).where(leases_table.c.expires_at > at)
    lost = (
        sa.select(claims)
        .where(claims.c.lease.not_in(alive))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return connection.execute(lost).one_or_none()


_LOST = (
    *(READ_BY.label("read_by"), jobs.c.target, jobs.c.source, jobs.c.partition),
    *(jobs.c.id, (jobs.c.attempt + 1).label("attempt")),
    *(jobs.c.max_attempts, jobs.c.replays, jobs.c.errors),
    *(jobs.c[name] for name in upkeep.COLUMNS if name != "target"),
)


def _rescued(row: Any, claim: Any, at: datetime) -> dict[str, Any]:
    """The columns of a job whose attempt under ``claim`` was lost."""
    spent = row.attempt >= row.max_attempts
    return {
        "id": row.id,
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
