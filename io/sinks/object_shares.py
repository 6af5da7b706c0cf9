"""The part of a commit that goes to objects: before the transaction, in it, and after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from sinks import shares
from sinks.database.engine import transaction
from sinks.database.label import label_of
from sinks.database.tables import claims
from sinks.entries import Overlap
from sinks.ledger.ranges import Partition
from sinks.object_datasets import Objects
from sinks.objects import datasets as planning
from sinks.objects import intents
from sinks.objects.intents import GRACE, Busy, Superseded
from sinks.objects.planned import Dataset, Refusal, Written
from sinks.objects.settle import settle
from sinks.objects.writing import write
from sinks.shares import Parts
from sinks.table.config import SqlConfig
from sinks.table.origin import without_routes
from sinks.work import Work, coverage_of_batches, partition_of, plan
from transforms.batch.counts import Counts
from transforms.batch.coverage import Range
from transforms.batch.record import Failure, RecordBatch
from transforms.errors import Contention, Reject, SinkFailed
from transforms.read import drain

_LOOK_SECONDS = 0.5  # between two looks whether another process has ended what it writes


@dataclass(frozen=True, slots=True)
class ObjectShares:
    """The objects of a commit, which are written and not settled.

    Attributes:
        shares: The records of each dataset; none where no record is for objects.
        written: The objects.
        shape: How much of each batch was left to settle when they were planned; None without any.
        home: The label of the pipeline's own target.
    """

    shares: dict[str, Parts]
    written: Written
    shape: tuple[object, ...] | None
    home: str

    def check(self, work: Sequence[Work]) -> None:
        """Compare what is left to settle now with what was written.

        Raises:
            Overlap: Another writer has settled a part of it since, or has jobs of it now.
        """
        if self.shape is not None and _shape(work) != self.shape:
            raise Overlap

    def account(self, work: Sequence[Work]) -> None:
        """Tell each batch what became of its records."""
        refused = Counter((refusal.target, refusal.number) for refusal in self.written.refused)
        batches = {
            (label, number): batch
            for label, parts in self.shares.items()
            for number, batch in parts
        }
        for (label, number), batch in batches.items():
            rows = len(batch.raws) - refused[label, number]
            work[number].add(label, Counts(inserted=rows))
        expected = sum(len(batch.raws) for batch in batches.values()) - len(self.written.refused)
        rows = sum(result.rows for result in self.written.objects)
        if rows != expected:  # never settle what was not written
            raise SinkFailed(
                f"{rows:,} records were written as objects, and {expected:,} were to be"
            )
        for refusal in sorted(self.written.refused, key=lambda each: (each.number, each.index)):
            batch = batches[refusal.target, refusal.number]
            work[refusal.number].poison.append(self._failure(batch, refusal))

    def settle(self, connection: sa.Connection, pipeline: str, work: Sequence[Work]) -> None:
        """Make the objects part of their datasets; in the transaction, after the ledger.

        Intents of other writers that nobody can settle any more are given up: those that touch the
        same ranges, and those of jobs whose claim is gone.

        Raises:
            Overlap: Another writer has taken over.
        """
        try:
            settle(connection, self.written)
        except Superseded:
            raise Overlap from None
        intents.retire_settled(connection, pipeline, _ranges(work))
        if any(part.batch.claim is not None for part in work):
            intents.retire_jobs(connection, pipeline)

    def _failure(self, batch: RecordBatch, refusal: Refusal) -> Failure:
        error = refusal.error
        category = error.category if isinstance(error, Reject) else "data"
        failure = Failure.of(batch.record(refusal.index), "write", category, error)
        own = refusal.target == self.home
        return failure if own else replace(failure, target=refusal.target)


def written_objects(
    objects: Objects, config: SqlConfig, name: str, batches: Sequence[RecordBatch]
) -> ObjectShares:
    """Write the objects of a commit, before the transaction that settles them.

    Args:
        objects: The datasets.
        config: The pipeline's own target, and the state.
        name: The name of the pipeline; empty for the label of the target.
        batches: What the commit settles.

    Raises:
        Overlap: Another writer has taken over.
        SinkUnavailable: The state or a store cannot be reached.
        Contention: The state asks for another try.
        SinkFailed: A store refuses.
    """
    waited = 0.0
    while True:
        try:
            return _written(objects, config, name, batches)
        except Superseded:
            raise Overlap from None
        except Busy:
            if waited >= 2 * GRACE or drain.requested():
                raise Contention(
                    f"another process keeps writing the same ranges of {config.table}; trying again"
                ) from None
            drain.wait(_LOOK_SECONDS)
            waited += _LOOK_SECONDS


def _written(
    objects: Objects, config: SqlConfig, name: str, batches: Sequence[RecordBatch]
) -> ObjectShares:
    of_label = objects.by_label
    with transaction(config.database, "plan objects") as connection:
        home = label_of(connection, config.table_name)
        pipeline = name or home
        coverage = coverage_of_batches(connection, pipeline, batches)
        work = plan(batches, coverage, _held(connection, batches))
        dealt = shares.dealt(work, home, connection.dialect.default_schema_name)
        own = {label: parts for label, parts in dealt.items() if label in of_label}
        stored = {label: _stored(of_label[label], parts) for label, parts in own.items()}
        if not any(batch.raws for parts in own.values() for _, batch in parts):
            return ObjectShares({}, Written(), None, home)
        planned = planning.begin(connection, pipeline, of_label, stored, _ranges(work))
    return ObjectShares(own, write(planned, config.database), _shape(work), home)


def _ranges(work: Sequence[Work]) -> dict[Partition, list[Range]]:
    """The ranges that a commit settles, by partition."""
    ranges: dict[Partition, list[Range]] = {}
    for part in work:
        if part.gaps:
            ranges.setdefault(partition_of(part.batch), []).extend(part.gaps)
    return ranges


def _stored(dataset: Dataset, parts: Parts) -> Parts:
    """The records of a dataset, with no more of their origins than its objects tell."""
    if dataset.columns.elements:
        return parts
    return [(number, without_routes(batch)) for number, batch in parts]


def _held(connection: sa.Connection, batches: Sequence[RecordBatch]) -> set[str]:
    """The claims of ``batches`` that are there; whose they are is looked at when they are settled."""
    ids = [batch.claim.id for batch in batches if batch.claim is not None]
    if not ids:
        return set()
    present = connection.scalars(sa.select(claims.c.id).where(claims.c.id.in_(ids)))
    held = {claim.replace("-", "") for claim in present}
    return {claim for claim in ids if claim.replace("-", "") in held}


def _shape(work: Sequence[Work]) -> tuple[object, ...]:
    return tuple(
        (tuple(part.gaps) if part.gaps is not None else None, part.trimmed, len(part.batch.raws))
        for part in work
    )
