"""What a database must be able to do for the sink, and which implementation serves which."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import sqlalchemy as sa

from sinks.database.tables import Operation
from sinks.table.rows import Poison
from sinks.table.schema import NewColumn
from sinks.table.target import Description, Target
from sinks.text.table_name import TableName


@dataclass(frozen=True, slots=True)
class Records:
    """The good records of a commit, those of all its batches in one list.

    Attributes:
        values: Parsed records.
        origin: Cells of ``ORIGIN_COLUMNS``, one a record; empty where fields are the key.
        starts: Index of the first record of each batch, ascending; two are equal where a
            batch has none.
        isolate: Whether records that make the database roll back are set aside as well.
        effects: Whether it is asked which records did what, and not only how many.
    """

    values: Sequence[Mapping[str, Any]]
    origin: Mapping[str, Sequence[Any]]
    starts: Sequence[int]
    isolate: bool = False
    effects: bool = False

    def batch_of(self, index: int) -> int:
        """Which batch the record at ``index`` belongs to."""
        return bisect_right(self.starts, index) - 1


@dataclass(slots=True)
class Written:
    """What became of the records, by batch.

    Attributes:
        inserted: New rows of each batch.
        updated: Changed rows of each batch.
        poison: Records that stood alone with their error.
        collided: Whether the optimistic way met a key that was there; None if it was not tried.
        effects: Where they are asked for, what each record did that made or changed a row.
    """

    inserted: list[int]
    updated: list[int]
    poison: list[Poison] = field(default_factory=list)
    collided: bool | None = None
    effects: dict[int, Operation] = field(default_factory=dict)

    @classmethod
    def nothing(cls, batches: int) -> Written:
        """Nothing written yet."""
        return cls([0] * batches, [0] * batches)

    def insert(self, records: Records, indices: Sequence[int]) -> None:
        """Count the records at ``indices`` as inserted."""
        if records.effects:
            self.effects.update(dict.fromkeys(indices, "insert"))
        if len(self.inserted) == 1:
            self.inserted[0] += len(indices)
            return
        for index in indices:
            self.inserted[records.batch_of(index)] += 1

    def affect(self, records: Records, effects: Mapping[int, Operation]) -> None:
        """Count ``effects``, by record, and keep them."""
        for index, operation in effects.items():
            counts = self.inserted if operation == "insert" else self.updated
            counts[records.batch_of(index)] += 1
        self.effects.update(effects)


class Dialect(Protocol):
    """One database's way to describe, create and write a table."""

    def describe(self, connection: sa.Connection, table: TableName) -> Description | None:
        """What the database says of ``table``; None when it is not there."""
        ...

    def create(
        self,
        connection: sa.Connection,
        table: TableName,
        columns: Sequence[NewColumn],
        key: Sequence[str],
    ) -> None:
        """Create ``table`` with ``key`` as its primary key, unless it is there."""
        ...

    def write(self, connection: sa.Connection, target: Target, records: Records) -> Written:
        """Write ``records``; those that the database refuses are set aside as poison.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: Or the driver's error, when no record is to blame.
        """
        ...

    def committed(self, target: Target, written: Written) -> None:
        """Learn from how ``written`` came about, now that it is committed."""
        ...
