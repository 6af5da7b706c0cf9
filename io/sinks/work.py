"""What a commit still has to do for each batch once the ledger and the queue have been asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from sinks.failures import Fate, fates_of
from sinks.ledger import ledger
from sinks.ledger.ranges import Partition, coverage_of, emptied, missing, trimmed
from transforms.batch.coverage import Coverage, Range, merge
from transforms.batch.record import Failure, RecordBatch
from transforms.batch.retry_policy import RetryPolicy
from transforms.batch.several import with_all_taken


@dataclass(slots=True)
class Work:
    """What is left of one batch once the ledger or, for jobs, their queue has been asked.

    Attributes:
        batch: The batch, trimmed.
        gaps: The ranges it settles; None when it settles none, because the ledger has all of it
            or its records are jobs.
        trimmed: How many records had been settled before.
        poison: Records that the database refused.
        fates: What follows from each failure, those of earlier steps first.
    """

    batch: RecordBatch
    gaps: list[Range] | None
    trimmed: int
    poison: list[Failure] = field(default_factory=list)
    fates: list[Fate] = field(default_factory=list)

    @property
    def failed_again(self) -> tuple[int, int]:
        """How many jobs have become dead letters, and how many wait for another attempt."""
        jobs = [fate.is_dead for fate in self.fates if fate.attempt is not None]
        return sum(jobs), len(jobs) - sum(jobs)

    @property
    def raw_bytes(self) -> int:
        """Bytes of all its records, as read."""
        failed = [failure.raw for failure in self.batch.failures]
        if self.batch.expansions is None:
            return self.batch.raw_bytes + sum(map(len, failed))
        return sum({id(raw): len(raw) for raw in (*self.batch.raws, *failed)}.values())

    def decide(self, retry: RetryPolicy) -> None:
        """Decide what follows from each failure."""
        self.fates = fates_of((*self.batch.failures, *self.poison), self.batch.claim, retry)


def coverage_of_batches(
    connection: sa.Connection, pipeline: str, batches: Sequence[RecordBatch]
) -> dict[Partition, Coverage]:
    """What the ledger has of the partitions of ``batches``; jobs are settled already."""
    places = [partition_of(batch) for batch in batches if batch.claim is None]
    rows = ledger.settlements(connection, pipeline, places)
    return {partition: coverage_of(settlements) for partition, settlements in rows.items()}


def plan(
    batches: Sequence[RecordBatch], settled: Mapping[Partition, Coverage], held: Collection[str]
) -> list[Work]:
    """Trim each batch to what neither the ledger nor an earlier batch has; jobs must be held."""
    seen = dict(settled)
    unused = set(held)
    work = []
    for batch in batches:
        if batch.claim is not None:
            if batch.claim.id in unused:
                unused.remove(batch.claim.id)
                work.append(Work(with_all_taken(batch, "write"), None, 0))
            else:
                work.append(Work(emptied(batch), None, batch.read))
            continue
        place = partition_of(batch)
        coverage = seen.get(place, Coverage())
        gaps = missing(batch.span, coverage)
        inside, outside = trimmed(batch, gaps or ())
        work.append(Work(inside, gaps, outside))
        if gaps is not None:
            ranges = merge((*coverage.ranges, (batch.span.start, batch.span.end)))
            end = batch.span.end if batch.span.final else coverage.end
            seen[place] = Coverage(ranges, end)
    return work


def partition_of(batch: RecordBatch) -> Partition:
    """The partition that the records of ``batch`` come from."""
    return batch.span.source, batch.span.partition
