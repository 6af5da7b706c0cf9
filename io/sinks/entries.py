"""Enter what a commit has settled into the ledger: the ranges that were read, and the moves of jobs."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from sinks.database.classify import classify
from sinks.database.dialects import dialect_of
from sinks.database.engine import DATABASE_ERRORS
from sinks.ledger import ledger
from sinks.ledger import moves as ledger_moves
from sinks.ledger.ranges import Partition, Settlement, coverage_of, refuse_another_framing
from sinks.work import Work, partition_of
from transforms.batch.counts import Counts
from transforms.settle.write import Settled


class Overlap(Exception):
    """Another writer has settled some of these ranges since the transaction began."""


def record(
    connection: sa.Connection,
    pipeline: str,
    label: str,
    work: Sequence[Work],
    settled: Sequence[Settled],
    run: str,
) -> None:
    """Enter what was settled into the ledger, unless another writer has done so in the meantime."""
    moves = _moves(pipeline, work, settled)
    news = [
        (partition_of(part.batch), _settlement(part, result))
        for part, result in zip(work, settled, strict=True)
        if part.gaps is not None
    ]
    if not news and not moves:
        return
    # All at once: taking locks one after another could end in a deadlock.
    places = sorted({partition for partition, _ in news})
    moved = {(reader, *place) for reader, deltas in moves.items() for place in deltas}
    both = sorted({*((pipeline, *place) for place in places), *moved})
    dialect_of(connection).lock(connection, both)
    before = ledger.settlements(connection, pipeline, places)
    for part in work if before else ():
        coverage = coverage_of(before.get(partition_of(part.batch), ()))
        for gap in part.gaps or ():
            if coverage.gaps(*gap) != [gap]:
                raise Overlap
    for place, settlement in news if before else ():
        refuse_another_framing(place, before.get(place, ()), settlement)
    try:
        ledger.record(connection, pipeline, label, before, news, run)
    except DATABASE_ERRORS as error:
        # Where no lock holds others off, two writers meet in the ledger's primary key.
        if classify(error).kind == "record":
            raise Overlap from error
        raise
    for reader, deltas in moves.items():
        ledger_moves.move(connection, reader, label, deltas)


def _moves(
    pipeline: str, work: Sequence[Work], settled: Sequence[Settled]
) -> dict[str, dict[Partition, Counts]]:
    """What became of jobs, by the pipeline that has read them: it counts them as retrying."""
    moves: dict[str, dict[Partition, Counts]] = {}
    for part, result in zip(work, settled, strict=True):
        if result.attempts:
            claim, place = part.batch.claim, partition_of(part.batch)
            deltas = moves.setdefault(claim.read_by if claim else pipeline, {})
            counted_before = Counts(read=-result.counts.read, retrying=-result.counts.read)
            deltas[place] = deltas.get(place, Counts()) + result.counts + counted_before
    return moves


def _settlement(work: Work, settled: Settled) -> Settlement:
    span = work.batch.span
    untrimmed = span.start == span.end or work.gaps == [(span.start, span.end)]
    content = span.content if untrimmed else None
    return Settlement(span.start, span.end, span.final, settled.counts, content)
