"""What became of records by pipeline and table, and what is present of them."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from sinks.console.moment import moment
from sinks.database.database import Database
from sinks.database.tables import counts
from transforms.batch.counts import COUNTS, Counts


@dataclass(frozen=True, slots=True)
class TableSums:
    """The records that a pipeline has read for a table, in the ledger that there is now.

    Attributes:
        pipeline: The name under which the ledger is kept.
        target: The table that the records were meant for.
        counts: What became of them.
        purged: Dead letters among them that were deleted by hand.
    """

    pipeline: str
    target: str
    counts: Counts
    purged: int

    @property
    def dead(self) -> int:
        """The dead letters that are there."""
        return self.counts.dead - self.purged


def sums(connection: sa.Connection) -> list[TableSums]:
    """The sums of each pipeline and table, in the order of their names; in one look at the counts."""
    numbers = (sa.func.sum(counts.c[name]) for name in (*COUNTS, "purged"))
    place = (counts.c.pipeline, counts.c.target)
    rows = connection.execute(sa.select(*place, *numbers).group_by(*place)).all()
    return sorted(
        (
            TableSums(pipeline, target, Counts(*map(int, of_counts)), int(purged))
            for pipeline, target, *of_counts, purged in rows
        ),
        key=lambda one: (one.pipeline, one.target),
    )


def dead_letters(connection: sa.Connection) -> dict[tuple[str, str], int]:
    """The dead letters that are there, by pipeline and table, of those that have any."""
    place = (counts.c.pipeline, counts.c.target)
    number = sa.func.sum(counts.c.dead - counts.c.purged)
    query = sa.select(*place, number).where(counts.c.dead != counts.c.purged).group_by(*place)
    return {(pipeline, target): int(dead) for pipeline, target, dead in connection.execute(query)}


def records_read(database: Database) -> dict[str, int]:
    """How many records each pipeline has read, with those found within them: what a rate is made of.

    Raises:
        ConfigError: The tables are missing, or have another version.
        SinkUnavailable: The database cannot be reached.
    """
    number = sa.func.sum(counts.c.read + counts.c.expanded)
    query = sa.select(counts.c.pipeline, number).group_by(counts.c.pipeline)
    with moment(database, "read how many records there are") as connection:
        return {pipeline: int(records) for pipeline, records in connection.execute(query)}
