"""The datasets of a pipeline in a commit: which objects it writes, and under which intents."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.ledger import ledger
from sinks.ledger.ranges import Partition, coverage_of
from sinks.objects import intents as stored
from sinks.objects.cutting import Cuts, Intent, ObjectId, cut
from sinks.objects.names import full_name, jobs_name, new_id, range_name
from sinks.objects.planned import Dataset, Piece, Plan, Planned, Refusal
from transforms.batch.coverage import Coverage, Range
from transforms.batch.record import RecordBatch
from transforms.errors import SinkFailed

Shares = Mapping[str, Sequence[tuple[int, RecordBatch]]]
"""By the label of each dataset, its records by the number of their batch in the commit."""


def begin(
    connection: sa.Connection,
    pipeline: str,
    datasets: Mapping[str, Dataset],
    shares: Shares,
    ranges: Mapping[Partition, Sequence[Range]],
) -> Plan:
    """Plan the objects of a commit, and enter their intents.

    Args:
        connection: In a transaction that writes.
        pipeline: The pipeline that has read the records.
        datasets: By label.
        shares: What to write.
        ranges: What the commit settles, by partition, whatever its records are for.

    Raises:
        Busy: Another process may just be writing a part of it.
        Superseded: Another writer has settled a part of it since, or took over an intent, or entered one,
            at the same time.
    """
    places = sorted(ranges)
    coverage = _coverage(connection, pipeline, ranges)
    claims = {b.claim.id for share in shares.values() for _, b in share if b.claim is not None}
    opened = stored.open_intents(connection, pipeline, [*places, *(("", id_) for id_ in claims)])
    for place in places:
        stored.leave_others_alone(opened.get(place, ()), ranges[place])
    planning = _Planning(pipeline, datasets)
    for place in places:
        planning.cuts[place] = cut(ranges[place], opened.get(place, ()), coverage[place])
    for claim in claims:
        again = opened.get(("", claim), [])
        planning.cuts["", claim] = Cuts(repeated=again, new=[] if again else [(0, 0)])
    for label, share in shares.items():
        for number, batch in share:
            planning.add(label, number, batch)
    return planning.enter(connection)


def _coverage(
    connection: sa.Connection, pipeline: str, ranges: Mapping[Partition, Sequence[Range]]
) -> dict[Partition, Coverage]:
    """What is settled of each partition, once other writers are held off.

    An intent for what was settled while this writer has waited for its locks would have nobody to end it.

    Raises:
        Superseded: A part of ``ranges`` is settled.
    """
    if not ranges:
        return {}
    dialect_of(connection).lock(connection, [(pipeline, *place) for place in sorted(ranges)])
    settled = ledger.settlements(connection, pipeline, ranges)
    coverage = {place: coverage_of(settled.get(place, ())) for place in ranges}
    for place, gaps in ranges.items():
        if any(coverage[place].gaps(*gap) != [gap] for gap in gaps):
            raise stored.Superseded
    return coverage


class _Planning:
    """Collects the records of each object."""

    def __init__(self, pipeline: str, datasets: Mapping[str, Dataset]) -> None:
        self.cuts: dict[Partition, Cuts] = {}
        self._pipeline = pipeline
        self._datasets = datasets
        self._refused: list[Refusal] = []
        # By intent, dataset and folder.
        self._pieces: dict[Intent, dict[tuple[str, str], list[Piece]]] = defaultdict(
            lambda: defaultdict(list)
        )
        self._intents: dict[Partition, list[Intent]] = {}

    def add(self, label: str, number: int, batch: RecordBatch) -> None:
        """Divide the records of a batch that are for one dataset among its objects."""
        if not batch.raws:
            return
        if batch.values is None:
            raise SinkFailed("records for objects have no values; put Parse before the write")
        dataset = self._datasets[label]
        place = _place_of(batch)
        for intent in self._intents_of(place):
            inside = _inside(batch, intent)
            if inside is not None and not inside:
                continue
            part = batch if inside is None else _picked(batch, inside)
            folders = dataset.partitioning.folders(part.values or [], part.times)
            for index, error in folders.refused:
                own = index if inside is None else inside[index]
                self._refused.append(Refusal(label, number, own, error))
            for folder in folders.folders:
                indices = _composed(inside, folder.indices)
                piece = Piece(number, batch, indices)
                self._pieces[intent][label, folder.name].append(piece)

    def enter(self, connection: sa.Connection) -> Plan:
        """Enter, take over and retire intents."""
        current: list[Intent] = []
        fresh: list[Intent] = []
        planned: list[Planned] = []
        for cuts in self.cuts.values():
            stored.retire(connection, cuts.retired)
            stored.retire(connection, [each for each in cuts.repeated if each not in self._pieces])
        for intent, objects in self._pieces.items():
            ids = self._ids(intent, objects)
            if intent.fence and not {*intent.objects} <= {*ids.values()}:
                # Its folders are other ones now. A name that was given up never comes back.
                stored.retire(connection, [intent])
                intent = replace(intent, id=new_id(), fence=0)
                ids = self._ids(intent, objects)
            if intent.fence:
                entered = stored.take_over(connection, intent, list(ids.values()))
            else:
                entered = replace(intent, fence=1, objects=tuple(ids.values()))
                fresh.append(entered)
            current.append(entered)
            for key, pieces in objects.items():
                dataset = self._datasets[key[0]]
                planned.append(Planned(dataset, ids[key], entered, tuple(pieces)))
        stored.enter(connection, fresh)
        return Plan(tuple(current), tuple(planned), tuple(self._refused))

    def _intents_of(self, place: Partition) -> list[Intent]:
        """The intents of a partition, in order; one that is new has no fence yet."""
        if place not in self._intents:
            cuts = self.cuts[place]
            new = [
                Intent(self._pipeline, *place, *bounds, id=new_id(), fence=0) for bounds in cuts.new
            ]
            self._intents[place] = sorted([*cuts.repeated, *new], key=lambda each: each.start)
        return self._intents[place]

    def _ids(
        self, intent: Intent, objects: Mapping[tuple[str, str], Sequence[Piece]]
    ) -> dict[tuple[str, str], ObjectId]:
        """The object of each dataset and folder."""
        return {key: self._id(intent, *key, pieces) for key, pieces in objects.items()}

    def _id(self, intent: Intent, label: str, folder: str, pieces: Sequence[Piece]) -> ObjectId:
        dataset = self._datasets[label]
        if intent.is_of_jobs:
            claims = [piece.batch.claim for piece in pieces]
            jobs = [job for claim in claims if claim is not None for job in claim.jobs]
            name = jobs_name(min(jobs), max(jobs), intent.id)
        else:
            place = (intent.source, intent.partition, intent.start, intent.end)
            name = range_name(*place, intent.id)
        config = dataset.config
        name = full_name(config.dataset, folder, name, dataset.extension)
        return ObjectId(config.url, label, name)


def _place_of(batch: RecordBatch) -> Partition:
    """Where the intents of a batch are entered."""
    if batch.claim is not None:
        return "", batch.claim.id
    return batch.span.source, batch.span.partition


def _inside(batch: RecordBatch, intent: Intent) -> Sequence[int] | None:
    """The records of a batch that lie in an intent; None if all do."""
    if intent.is_of_jobs:
        return None
    offsets = batch.offsets
    low, high = bisect_left(offsets, intent.start), bisect_left(offsets, intent.end)
    return None if (low, high) == (0, len(offsets)) else range(low, high)


def _picked(batch: RecordBatch, indices: Sequence[int]) -> RecordBatch:
    return batch.keep(indices, None if batch.values is None else [batch.values[i] for i in indices])


def _composed(outer: Sequence[int] | None, inner: Sequence[int] | None) -> Sequence[int] | None:
    """The indices in a batch of records that are picked twice."""
    if outer is None:
        return inner
    return outer if inner is None else [outer[i] for i in inner]
