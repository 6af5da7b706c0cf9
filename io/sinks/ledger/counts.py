"""The counts of each table beside the ledger, table ``ingest_counts``.

A pipeline may write several tables. What its records became is counted for each of them, by
partition; over all tables the counts add up to those of the ledger. What was counted for a ledger
that was forgotten, or deleted by hand, goes to ``ingest_forgotten``, so that totals over both tables never fall.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import add as add_numbers
from typing import Any

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.tables import counts, forgotten
from sinks.ledger.ranges import Partition
from transforms.batch.counts import COUNTS, Counts

_NOTHING = Counts()

CHUNK = 500  # partitions for each query, well below every database's limit of parameters

Deltas = Mapping[Partition, Counts]
"""Counts by source and partition."""


def add(connection: sa.Connection, pipeline: str, target: str, deltas: Deltas) -> None:
    """Add ``deltas`` to the counts of a table.

    Args:
        connection: In a transaction that holds the ledger's locks of these partitions.
        pipeline: The pipeline that has read the records.
        target: The table that they were meant for, as ``label_of`` names it.
        deltas: What to add.

    Raises:
        Contention: Another writer entered the same row, where no lock prevents it.
    """
    add_to_each(connection, pipeline, {target: deltas})


def add_to_each(connection: sa.Connection, pipeline: str, tables: Mapping[str, Deltas]) -> None:
    """Add to the counts of several tables, by their names; otherwise as ``add``."""
    rows = [row for target in sorted(tables) for row in _rows(pipeline, target, tables[target])]
    if rows:
        dialect_of(connection).add(connection, counts, rows)


def purge(
    connection: sa.Connection, pipeline: str, target: str, deleted: Mapping[Partition, int]
) -> None:
    """Count dead letters whose jobs were deleted; they go on being counted as dead.

    The arguments are those of ``add``, with how many were deleted in each partition.

    Raises:
        Contention: As ``add``.
    """
    rows = [
        {**_row(pipeline, target, place, _NOTHING), "purged": number}
        for place, number in sorted(deleted.items())
    ]
    if rows:
        dialect_of(connection).add(connection, counts, rows)


def unresolved(connection: sa.Connection, pipeline: str) -> dict[str, int]:
    """How many dead letters of each source are neither replayed nor deleted; without zeros.

    The counts tell it, one row for each partition that is read by its primary key: the table of
    jobs, which may have millions, is not looked at.

    Args:
        connection: In any transaction.
        pipeline: The pipeline that has read the records, for whatever table.
    """
    number = sa.func.sum(counts.c.dead - counts.c.purged)
    query = (
        sa.select(counts.c.source, number)
        .where(
            counts.c.pipeline == pipeline,
            counts.c.dead > counts.c.purged,
        )
        .group_by(counts.c.source)
    )
    return {source: int(dead) for source, dead in connection.execute(query)}


def begin(connection: sa.Connection, pipeline: str, tables: Mapping[str, Deltas]) -> None:
    """Enter the counts of partitions that the ledger did not have before.

    They replace what a ledger that was deleted by hand has left, for whatever table.

    Args:
        connection: As for ``add``.
        pipeline: As for ``add``.
        tables: The counts by table, as ``label_of`` names it.

    Raises:
        Contention: As ``add``.
    """
    rows = [row for target in sorted(tables) for row in _rows(pipeline, target, tables[target])]
    if rows:
        # Of a ledger that was deleted by hand.
        forget(connection, pipeline, {place for sums in tables.values() for place in sums})
        dialect_of(connection).upsert(connection, counts, rows)


def forget(
    connection: sa.Connection,
    pipeline: str,
    places: Iterable[Partition],
    summed_as: Callable[[str], str] = str,
) -> None:
    """Move the counts of ``places`` to what is forgotten, so that no total falls.

    Args:
        connection: In a transaction that holds the ledger's locks of these partitions.
        pipeline: The pipeline that has read them.
        places: The partitions, whose ledger is gone.
        summed_as: The name under which the counts of a source are kept.

    Raises:
        Contention: As ``add``.
    """
    keys = sorted(places)
    left: dict[tuple[str, str], list[Any]] = {}
    gone: set[Partition] = set()
    for start in range(0, len(keys), CHUNK):
        chunk = set(keys[start : start + CHUNK])
        bounds = {
            "pipeline": pipeline,
            "sources": sorted({source for source, _ in chunk}),
            "partitions": sorted({partition for _, partition in chunk}),
        }
        for target, source, partition, *numbers in connection.execute(_LEFT, bounds):
            if (source, partition) in chunk:
                name = target, summed_as(source)
                before = left.get(name, [0] * len(numbers))
                left[name] = list(map(add_numbers, before, numbers))
                gone.add((source, partition))
    if not gone:
        return
    deleted = [
        {"of_pipeline": pipeline, "of_source": source, "of_partition": partition}
        for source, partition in sorted(gone)
    ]
    connection.execute(_DELETE, deleted)
    rows = [
        {
            "pipeline": pipeline,
            "target": target,
            "source": source,
            **dict(zip(_NUMBERS, numbers, strict=True)),
        }
        for (target, source), numbers in sorted(left.items())
    ]
    dialect_of(connection).add(connection, forgotten, rows)


_NUMBERS = (*COUNTS, "purged", "dead_letters")
# Two IN lists select a little more than the pairs, but every database has them.
_LEFT = sa.select(
    counts.c.target, counts.c.source, counts.c.partition, *(counts.c[name] for name in _NUMBERS)
).where(
    counts.c.pipeline == sa.bindparam("pipeline"),
    counts.c.source.in_(sa.bindparam("sources", expanding=True)),
    counts.c.partition.in_(sa.bindparam("partitions", expanding=True)),
)
_DELETE = sa.delete(counts).where(
    *(counts.c[name] == sa.bindparam(f"of_{name}") for name in ("pipeline", "source", "partition"))
)


def _rows(pipeline: str, target: str, deltas: Deltas) -> list[dict[str, Any]]:
    return [
        _row(pipeline, target, place, delta)
        for place, delta in sorted(deltas.items())
        if delta != _NOTHING
    ]


def _row(pipeline: str, target: str, place: Partition, delta: Counts) -> dict[str, Any]:
    source, partition = place
    columns = {"pipeline": pipeline, "target": target, "source": source, "partition": partition}
    return {**columns, **dict(delta), "purged": 0, "dead_letters": max(0, delta.dead)}
