"""The ledger and the stored jobs side by side, as of one moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.engine import transaction
from sinks.database.tables import READ_BY, counts, jobs, progress
from sinks.ledger import ledger
from sinks.ledger.ledger import PartitionProgress
from transforms.batch.counts import COUNTS, Counts
from transforms.batch.job_states import DEAD_STATES, UNFINISHED_STATES


@dataclass(frozen=True, slots=True)
class Stored:
    """The jobs that are stored for a partition, or for one table of it.

    Attributes:
        retrying: How many are unfinished.
        dead: How many are discarded or cancelled.
        purged: How many dead letters were deleted by hand.
    """

    retrying: int = 0
    dead: int = 0
    purged: int = 0

    def fits(self, counts: Counts) -> bool:
        """Whether ``counts`` has every one of them under its present outcome."""
        return counts.retrying == self.retrying and counts.dead == self.dead + self.purged


@dataclass(frozen=True, slots=True)
class Account:
    """What is known about one partition.

    Attributes:
        progress: What the ledger says.
        retrying: How many of its jobs are unfinished.
        dead: How many are discarded or cancelled.
        purged: How many dead letters were deleted by hand.
        tables: What its records became, by the table that they were meant for.
        stored: The jobs, by table.
    """

    progress: PartitionProgress
    retrying: int
    dead: int
    purged: int
    tables: Mapping[str, Counts]
    stored: Mapping[str, Stored] = field(default_factory=dict)

    @property
    def balanced(self) -> bool:
        """Whether the ledger counts every stored job under its present outcome."""
        return Stored(self.retrying, self.dead, self.purged).fits(self.progress.counts)

    @property
    def added_up(self) -> bool:
        """Whether the counts of all tables add up to those of the ledger."""
        return sum(self.tables.values(), Counts()) == self.progress.counts

    @property
    def faulty_tables(self) -> list[str]:
        """The tables whose own counts do not add up, or do not have their jobs; sorted."""
        return sorted(
            table
            for table, counts in self.tables.items()
            if not (counts.conserved and self.stored.get(table, Stored()).fits(counts))
        )


def accounts(database: Database) -> Iterator[Account]:
    """Yield every partition of every pipeline, ordered by pipeline, source and partition.

    A single statement reads all tables, so that every database shows them as of one moment
    (PostgreSQL manual, 13.2.1: a statement sees a snapshot as of its beginning).

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(database, "read the ledger", write=False) as connection:
        if not ledger.exists(connection):
            return
        rows = connection.execute(_ALL.execution_options(yield_per=1_000))
        for place, group in groupby(rows, lambda row: (row.pipeline, row.source, row.partition)):
            entries = list(group)
            spans = [entry for entry in entries if entry.target is None]
            if not spans:
                continue  # a partition whose ledger was deleted by hand
            of_tables = {entry.target: entry for entry in entries if entry.target is not None}
            yield Account(
                ledger.progress_of(place, spans),
                spans[0].jobs_retrying,
                spans[0].jobs_dead,
                sum(entry.purged for entry in entries),
                {table: Counts(*_counts_of(entry)) for table, entry in of_tables.items()},
                {table: Stored(*_jobs_of(entry)) for table, entry in of_tables.items()},
            )


_counts_of = attrgetter(*COUNTS)
_jobs_of = attrgetter("jobs_retrying", "jobs_dead", "purged")


def _number(*states: str) -> sa.ColumnElement[int]:
    return sa.func.count(sa.case((jobs.c.state.in_(states), 1)))


_PLACE = ("pipeline", "source", "partition")
# Both sums below are of one look at the jobs, which may be millions.
_JOBS_OF_TABLES = (
    sa.select(
        READ_BY.label("pipeline"),
        jobs.c.source,
        jobs.c.partition,
        jobs.c.target,
        _number(*UNFINISHED_STATES).label("retrying"),
        _number(*DEAD_STATES).label("dead"),
    )
    .group_by(READ_BY, jobs.c.source, jobs.c.partition, jobs.c.target)
    .cte("jobs_of_tables")
)
_JOBS = (
    sa.select(
        *(_JOBS_OF_TABLES.c[name] for name in _PLACE),
        *(
            sa.cast(sa.func.sum(_JOBS_OF_TABLES.c[name]), sa.BigInteger).label(name)
            for name in ("retrying", "dead")
        ),
    )
    .group_by(*(_JOBS_OF_TABLES.c[name] for name in _PLACE))
    .subquery()
)
_SPANS = sa.select(
    *(progress.c[name] for name in (*_PLACE, "start_offset", "end_offset", "final")),
    *(progress.c[name] for name in COUNTS),
    progress.c.updated_at,
    sa.cast(sa.null(), counts.c.target.type).label("target"),
    sa.literal(0, sa.BigInteger).label("purged"),
    sa.func.coalesce(_JOBS.c.retrying, 0).label("jobs_retrying"),
    sa.func.coalesce(_JOBS.c.dead, 0).label("jobs_dead"),
).select_from(progress.outerjoin(_JOBS, sa.and_(*(progress.c[n] == _JOBS.c[n] for n in _PLACE))))
_TABLES = sa.select(
    *(counts.c[name] for name in _PLACE),
    *(sa.literal(0, sa.BigInteger) for _ in ("start_offset", "end_offset")),
    sa.false(),
    *(counts.c[name] for name in COUNTS),
    sa.cast(sa.null(), progress.c.updated_at.type),
    counts.c.target,
    counts.c.purged,
    *(sa.func.coalesce(_JOBS_OF_TABLES.c[name], 0) for name in ("retrying", "dead")),
).select_from(
    counts.outerjoin(
        _JOBS_OF_TABLES,
        sa.and_(*(counts.c[n] == _JOBS_OF_TABLES.c[n] for n in (*_PLACE, "target"))),
    )
)
_BOTH = sa.union_all(_SPANS, _TABLES).subquery()
_ALL = sa.select(_BOTH).order_by(*(_BOTH.c[name] for name in (*_PLACE, "start_offset")))
