"""The counts of each table beside the ledger, table ``ingest_counts``.

A pipeline may write several tables. What its records became is counted for each of them, by
partition; over all tables the counts add up to those of the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.tables import counts
from sinks.ledger.ranges import Partition
from transforms.batch.counts import Counts

_NOTHING = Counts()

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
    rows = _rows(pipeline, target, deltas)
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


def begin(connection: sa.Connection, pipeline: str, target: str, sums: Deltas) -> None:
    """Enter the counts of partitions that the ledger did not have before.

    They replace what a ledger that was deleted by hand has left. The arguments are those of
    ``add``.
    """
    rows = _rows(pipeline, target, sums)
    if rows:
        dialect_of(connection).upsert(connection, counts, rows)


def _rows(pipeline: str, target: str, deltas: Deltas) -> list[dict[str, Any]]:
    return [
        _row(pipeline, target, place, delta)
        for place, delta in sorted(deltas.items())
        if delta != _NOTHING
    ]


def _row(pipeline: str, target: str, place: Partition, delta: Counts) -> dict[str, Any]:
    source, partition = place
    columns = {"pipeline": pipeline, "target": target, "source": source, "partition": partition}
    return {**columns, **dict(delta), "purged": 0}
