"""What a commit still has to do for each batch once the ledger and the queue have been asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import sqlalchemy as sa

from sinks.failures import Fate, fates_of
from sinks.ledger import ledger
from sinks.ledger.ranges import Partition, coverage_of, emptied, missing, trimmed
from sinks.tables import without_schema
from transforms.batch.counts import Counts
from transforms.batch.coverage import Coverage, Range, with_range
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
        outcomes: What became of the good records, by the label of the table.
        targets: The label of the table of each record; empty where nothing is routed.
        tally: What it adds to the ledger, by the label of the table; empty where nothing is routed.
    """

    batch: RecordBatch
    gaps: list[Range] | None
    trimmed: int
    poison: list[Failure] = field(default_factory=list)
    fates: list[Fate] = field(default_factory=list)
    outcomes: dict[str, Counts] = field(default_factory=dict)
    targets: Sequence[str] = ()
    tally: Mapping[str, Counts] = field(default_factory=dict)

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

    @property
    def is_routed(self) -> bool:
        """Whether any of its records is, or was, for another table than the pipeline's own."""
        claim = self.batch.claim
        return (
            self.batch.targets is not None
            or (claim is not None and bool(claim.target))
            or any(failure.target is not None for failure in self.batch.failures)
        )

    def add(self, label: str, counts: Counts) -> None:
        """Count what became of records in the table ``label``."""
        before = self.outcomes.get(label)
        self.outcomes[label] = counts if before is None else before + counts

    def decide(self, retry: RetryPolicy, home: str = "", schema: str | None = None) -> None:
        """Decide what follows from each failure.

        Args:
            retry: When to retry a record whose step has no policy of its own.
            home: The label of the pipeline's own table.
            schema: The default schema, which labels leave out.
        """
        failures: Sequence[Failure] = (*self.batch.failures, *self.poison)
        if self.is_routed:
            failures = [self._addressed(failure, home, schema) for failure in failures]
        self.fates = fates_of(failures, self.batch.claim, retry)

    def _addressed(self, failure: Failure, home: str, schema: str | None) -> Failure:
        """``failure`` with the label of its table; None for the pipeline's own.

        A job that fails before its route has been looked for stays one of its table.
        """
        claim, target = self.batch.claim, failure.target
        if target is None and claim is not None and failure.stage != "route":
            target = claim.target or None
        if target is not None:
            label = without_schema(target, schema)
            target = None if label == home else label
        return failure if target == failure.target else replace(failure, target=target)


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
                work.append(Work(_all_taken(batch), None, 0))
            else:
                work.append(Work(emptied(batch), None, batch.read))
            continue
        place = partition_of(batch)
        coverage = seen.get(place, Coverage())
        gaps = missing(batch.span, coverage)
        inside, outside = trimmed(batch, gaps or ())
        work.append(Work(inside, gaps, outside))
        if gaps is not None:
            ranges = with_range(coverage.ranges, batch.span.start, batch.span.end)
            end = batch.span.end if batch.span.final else coverage.end
            seen[place] = Coverage(ranges, end)
    return work


def _all_taken(batch: RecordBatch) -> RecordBatch:
    """``batch`` without jobs that no step has made several of as before; they stay in their table."""
    taken = with_all_taken(batch, "write")
    if batch.targets is None or taken is batch or batch.ahead is None:
        return taken
    late = [target for target, left in zip(batch.targets, batch.ahead, strict=True) if left]
    before = len(batch.failures)
    failures = [
        replace(failure, target=target)
        for failure, target in zip(taken.failures[before:], late, strict=True)
    ]
    return replace(taken, failures=(*batch.failures, *failures))


def partition_of(batch: RecordBatch) -> Partition:
    """The partition that the records of ``batch`` come from."""
    return batch.span.source, batch.span.partition
