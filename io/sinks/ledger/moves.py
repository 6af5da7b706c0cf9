"""Move the ledger's counts from one outcome to another when a job changes its state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.tables import progress
from sinks.ledger import counts as table_counts
from sinks.ledger import ledger
from sinks.ledger.counts import Deltas
from sinks.ledger.ranges import Partition
from transforms.batch.counts import Counts
from transforms.errors import Contention


def move(connection: sa.Connection, pipeline: str, tables: Mapping[str, Deltas]) -> None:
    """Add counts to the ledger of ``pipeline`` in the caller's transaction.

    Spans merge, so the row that counted a record is not known: the first row of its partition takes
    the whole delta. Afterwards only the sums over a partition have a meaning; a count of a single
    row may be negative. Partitions that the ledger does not have are left alone.

    Args:
        connection: In a transaction that holds the ledger's locks of these partitions.
        pipeline: The pipeline that has read the records.
        tables: What to add, by the table that they were meant for, as ``label_of`` names it. If all
            are zero, nothing is done.

    Raises:
        Contention: Another writer merged the row away meanwhile, where no lock prevents it.
    """
    deltas: dict[Partition, Counts] = {}
    for of_table in tables.values():
        for place, delta in of_table.items():
            if delta != _NOTHING:
                deltas[place] = deltas.get(place, _NOTHING) + delta
    if not deltas:
        return
    places = sorted(deltas)
    now = datetime.now(UTC)
    settled = ledger.settlements(connection, pipeline, places)
    for (source, partition), rows in settled.items():
        start = min(row.start for row in rows)
        changed: dict[str, Any] = {
            name: progress.c[name] + count for name, count in deltas[source, partition] if count
        }
        if not changed:
            continue  # from one table to another
        done = connection.execute(
            sa.update(progress)
            .where(
                progress.c.pipeline == pipeline,
                progress.c.source == source,
                progress.c.partition == partition,
                progress.c.start_offset == start,
            )
            .values(**changed, updated_at=now)
        )
        if done.rowcount != 1:
            raise Contention(
                f"another writer merged the ledger of {source} ({partition}) at the same time; "
                "trying again"
            )
    there = {
        target: {place: delta for place, delta in of_table.items() if place in settled}
        for target, of_table in tables.items()
    }
    table_counts.add_to_each(connection, pipeline, there)


_NOTHING = Counts()


class Counted(Protocol):
    """A job, as far as the ledger has to do with it."""

    @property
    def read_by(self) -> str:
        """The pipeline that has read its record."""
        ...

    @property
    def target(self) -> str:
        """The table that its record was meant for."""
        ...

    @property
    def source(self) -> str:
        """As in ``Origin``."""
        ...

    @property
    def partition(self) -> str:
        """As in ``Origin``."""
        ...


def move_jobs(connection: sa.Connection, jobs: Iterable[Counted], delta: Counts) -> None:
    """Add ``delta`` once for each of ``jobs``, whose pipelines and tables may differ.

    Raises:
        Contention: As ``move``.
    """
    tables: dict[str, dict[str, Deltas]] = {}
    for (pipeline, target), numbers in _locked(connection, jobs).items():
        deltas = {place: _times(delta, number) for place, number in numbers.items()}
        tables.setdefault(pipeline, {})[target] = deltas
    for pipeline, of_pipeline in sorted(tables.items()):
        move(connection, pipeline, of_pipeline)


def purge_jobs(connection: sa.Connection, jobs: Iterable[Counted]) -> None:
    """Count the dead letters ``jobs`` as deleted by hand.

    Raises:
        Contention: As ``move``.
    """
    for (pipeline, target), numbers in _locked(connection, jobs).items():
        table_counts.purge(connection, pipeline, target, numbers)


def _locked(
    connection: sa.Connection, jobs: Iterable[Counted]
) -> dict[tuple[str, str], Counter[Partition]]:
    """How many ``jobs`` there are of each pipeline, table and partition, whose locks are taken."""
    numbers: dict[tuple[str, str], Counter[Partition]] = {}
    for job in jobs:
        counter = numbers.setdefault((job.read_by, job.target), Counter())
        counter[job.source, job.partition] += 1
    # All at once: locks taken a pipeline at a time could deadlock with another transaction's.
    places = {(pipeline, *place) for (pipeline, _), counter in numbers.items() for place in counter}
    if places:
        dialect_of(connection).lock(connection, sorted(places))
    return numbers


def _times(delta: Counts, number: int) -> Counts:
    return Counts(**{name: count * number for name, count in delta})
