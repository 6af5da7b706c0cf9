"""The ledger and the stored jobs side by side, as of one moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.engine import transaction
from sinks.database.tables import jobs, progress
from sinks.ledger import ledger
from sinks.ledger.ledger import PartitionProgress
from transforms.batch.job_states import UNFINISHED_STATES


@dataclass(frozen=True, slots=True)
class Account:
    """What is known about one partition.

    Attributes:
        progress: What the ledger says.
        retrying: How many of its jobs are unfinished.
        dead: How many are discarded or cancelled, without those that were deleted.
    """

    progress: PartitionProgress
    retrying: int
    dead: int

    @property
    def balanced(self) -> bool:
        """Whether the ledger counts every stored job under its present outcome."""
        counts = self.progress.counts
        return counts.retrying == self.retrying and counts.dead >= self.dead


def accounts(database: Database) -> Iterator[Account]:
    """Yield every partition of every target, ordered by target, source and partition.

    A single statement reads both tables, so that every database shows them as of one moment
    (PostgreSQL manual, 13.2.1: a statement sees a snapshot as of its beginning).

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(database, "read the ledger", write=False) as connection:
        if not ledger.exists(connection):
            return
        rows = connection.execute(_BOTH.execution_options(yield_per=1_000))
        for place, group in groupby(rows, lambda row: (row.target, row.source, row.partition)):
            spans = list(group)
            partition_progress = ledger.progress_of(place, spans)
            yield Account(partition_progress, spans[0].jobs_retrying, spans[0].jobs_dead)


def _number(*states: str) -> sa.ColumnElement[int]:
    return sa.func.count(sa.case((jobs.c.state.in_(states), 1)))


_PLACE = ("target", "source", "partition")
_JOBS = (
    sa.select(
        *(jobs.c[name] for name in _PLACE),
        _number(*UNFINISHED_STATES).label("retrying"),
        _number("discarded", "cancelled").label("dead"),
    )
    .group_by(*(jobs.c[name] for name in _PLACE))
    .subquery()
)
_BOTH = (
    sa.select(
        progress,
        sa.func.coalesce(_JOBS.c.retrying, 0).label("jobs_retrying"),
        sa.func.coalesce(_JOBS.c.dead, 0).label("jobs_dead"),
    )
    .select_from(progress.outerjoin(_JOBS, sa.and_(*(progress.c[n] == _JOBS.c[n] for n in _PLACE))))
    .order_by(*(progress.c[name] for name in (*_PLACE, "start_offset")))
)
