"""What waits for its transaction, and whether a table has waited for long enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from transforms.batch.record import RecordBatch
from transforms.settle.bounds import TableBounds

_HOME = ""
"""The label of the pipeline's own table, where no route has given one."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A batch that waits for its commit, and the timestamp and windows of its results."""

    batch: RecordBatch
    timestamp: Any
    windows: tuple[Any, ...]


class Gather:
    """Batches in the order of their arrival, all of which the next transaction takes.

    It is due once the rows of any table reach a bound of that table; a table without bounds is due
    at once. So is an attempt at jobs: they have waited. A batch that has no good record counts for
    the pipeline's own table.

    Args:
        records: Records, failed ones too, at which it is full, whatever the tables wait for.
        bytes_: Raw bytes at which it is full.
        bounds: The bounds of each table.

    Attributes:
        records: How many records wait.
        bytes: How many raw bytes they have.
        urgent: Whether the last claim is among them. If the process ends while jobs wait, an attempt at
            each is used up, so they wait for nothing else.
    """

    def __init__(self, records: int, bytes_: int, bounds: TableBounds) -> None:
        self._most_records = records
        self._most_bytes = bytes_
        self._bounds = bounds
        self._nothing_waits = bounds.unset
        self._clear()

    def _clear(self) -> None:
        self._waiting: list[Waiting] = []
        self.records = 0
        self.bytes = 0
        self.urgent = False
        self._reached = False
        self._deadline = inf
        self._rows: Counter[str] = Counter()
        self._row_bytes: Counter[str] = Counter()

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._waiting)

    def add(self, waiting: Waiting, now: float) -> None:
        """Let a batch wait from ``now`` on (seconds of any clock that does not go back)."""
        batch = waiting.batch
        raw_bytes = batch.raw_bytes
        self._waiting.append(waiting)
        self.records += batch.read
        self.bytes += raw_bytes
        self.urgent |= batch.claim is not None and batch.claim.last
        if not self._reached:
            self._reached = self._nothing_waits or self._reaches(batch, raw_bytes, now)

    def due(self, now: float) -> bool:
        """Whether a transaction should begin."""
        return self._reached or now >= self._deadline or self.full

    @property
    def full(self) -> bool:
        """Whether a transaction takes no further batch."""
        return self.records >= self._most_records or self.bytes >= self._most_bytes

    @property
    def overfull(self) -> bool:
        """Whether twice as much waits as makes it full."""
        return self.records >= 2 * self._most_records or self.bytes >= 2 * self._most_bytes

    @property
    def batches(self) -> list[RecordBatch]:
        """The batches that wait, in order."""
        return [waiting.batch for waiting in self._waiting]

    def take(self) -> list[Waiting]:
        """Everything that waits; nothing waits afterwards."""
        waiting = self._waiting
        self._clear()
        return waiting

    def _reaches(self, batch: RecordBatch, raw_bytes: int, now: float) -> bool:
        """Count the rows of a batch by table; whether a bound is reached."""
        if batch.claim is not None:
            return True
        rows: Mapping[str, int]
        if batch.targets:
            rows = Counter(batch.targets)
            bounds = {label: self._bounds.of(label) for label in rows}
        else:
            rows, bounds = {_HOME: batch.read}, {_HOME: self._bounds.home}
        if any(each.unset for each in bounds.values()):
            return True
        if any(each.bytes is not None for each in bounds.values()):
            self._row_bytes.update(
                _bytes_by_label(batch) if len(rows) > 1 else dict.fromkeys(rows, raw_bytes)
            )
        for label, number in rows.items():
            age = bounds[label].age
            if age is not None and label not in self._rows:
                self._deadline = min(self._deadline, now + age)
            self._rows[label] += number
        return any(
            self._rows[label] >= (each.records or inf)
            or self._row_bytes[label] >= (each.bytes or inf)
            for label, each in bounds.items()
        )


def _bytes_by_label(batch: RecordBatch) -> Mapping[str, int]:
    """The raw bytes for each table; records that a step made of one have them once."""
    labels = batch.targets or ()
    if batch.expansions is None:
        sizes: dict[str, int] = dict.fromkeys(labels, 0)
        for label, raw in zip(labels, batch.raws, strict=True):
            sizes[label] += len(raw)
        return sizes
    shared = {(label, id(raw)): len(raw) for label, raw in zip(labels, batch.raws, strict=True)}
    expanded: Counter[str] = Counter()
    for (label, _), size in shared.items():
        expanded[label] += size
    return expanded
