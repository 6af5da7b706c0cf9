"""The records of a commit on their way into the table, and what became of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from sinks.database.tables import Operation
from sinks.table.evidence import Evidence
from sinks.table.origin import cells_of
from sinks.table.rows import Poison
from sinks.table.target import Target
from transforms.batch.record import RecordBatch
from transforms.parse.columns.columnar import joined


@dataclass(frozen=True, slots=True)
class Records:
    """The good records of a commit: those of all its batches in one list.

    Attributes:
        values: Parsed records.
        origin: Cells of the origin, one for each record; empty where fields are the key.
        starts: Index of the first record of each batch, ascending. A batch without records has
            the same start as the next one.
        isolate: Whether records that make the database roll back are set aside as well.
        effects: Whether to report the effect of each record, not just totals.
        again: Whether the same transaction writes this table again.
    """

    values: Sequence[Mapping[str, Any]]
    origin: Mapping[str, Sequence[Any]]
    starts: Sequence[int]
    isolate: bool = False
    effects: bool = False
    again: bool = False

    def batch_of(self, index: int) -> int:
        """The number of the batch that the record at ``index`` belongs to."""
        return bisect_right(self.starts, index) - 1

    def place_of(self, index: int) -> tuple[int, int]:
        """The batch of the record at ``index``, and its position among the batch's records."""
        batch = self.batch_of(index)
        return batch, index - self.starts[batch]


def records_of(
    dialect: sa.Dialect,
    target: Target,
    batches: Sequence[RecordBatch],
    *,
    isolate: bool,
    effects: bool,
) -> Records:
    """The good records of ``batches``.

    Args:
        dialect: The database, as far as its texts are concerned.
        target: The table that they are written to.
        batches: Parsed batches.
        isolate: As in ``Records``.
        effects: As in ``Records``.

    Raises:
        SinkFailed: The origin is the key, and the table has no column for the number of a record.
    """
    parts: list[Sequence[Mapping[str, Any]]] = []
    starts, count = [], 0
    for batch in batches:
        starts.append(count)
        if batch.raws:
            assert batch.values is not None, "batches are parsed before they are written"  # noqa: S101
            parts.append(batch.values)
            count += len(batch.values)
    values = joined(parts)
    origin = cells_of(dialect, target.key, batches) if target.origin_key else {}
    return Records(values, origin, starts, isolate, effects)


@dataclass(slots=True)
class Written:
    """What became of the records, by batch.

    Attributes:
        inserted: New rows of each batch.
        updated: Changed rows of each batch.
        poison: Records that the database refuses, each with its error.
        collided: Whether writing directly into the table met a key that was there; None if that
            was not tried.
        effects: If requested, the effect of each record that made or changed a row.
        evidence: What the rows tell about errors that may be the table's; None without rows.
        deleted: Rows of each batch that are gone.
        parts: The writes that this one is made of, each with the target as it was written.
    """

    inserted: list[int]
    updated: list[int]
    poison: list[Poison] = field(default_factory=list)
    collided: bool | None = None
    effects: dict[int, Operation] = field(default_factory=dict)
    evidence: Evidence | None = None
    deleted: list[int] = field(default_factory=list)
    parts: list[tuple[Target, Written]] = field(default_factory=list)

    @classmethod
    def nothing(cls, batches: int) -> Written:
        """The result before anything is written."""
        return cls([0] * batches, [0] * batches, deleted=[0] * batches)

    def insert(self, records: Records, indices: Sequence[int]) -> None:
        """Count the records at ``indices``, each once, as inserted."""
        self._count("insert", self.inserted, records, indices)

    def update(self, records: Records, indices: Sequence[int]) -> None:
        """Count the records at ``indices``, each once, as updated."""
        self._count("update", self.updated, records, indices)

    def _count(
        self, operation: Operation, counts: list[int], records: Records, indices: Sequence[int]
    ) -> None:
        if records.effects:
            self.effects.update(dict.fromkeys(indices, operation))
        if len(counts) == 1:
            counts[0] += len(indices)
        elif len(indices) == len(records.values):  # all of them: no need to look for their batches
            for batch, (start, end) in enumerate(pairwise([*records.starts, len(indices)])):
                counts[batch] += end - start
        else:
            for index in indices:
                counts[records.batch_of(index)] += 1

    def affect(self, records: Records, effects: Mapping[int, Operation]) -> None:
        """Count ``effects``, by the index of the record, and keep them."""
        for index, operation in effects.items():
            counts = {"insert": self.inserted, "update": self.updated, "delete": self.deleted}
            counts[operation][records.batch_of(index)] += 1
        self.effects.update(effects)
