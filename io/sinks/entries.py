"""Enter what a commit has settled into the ledger: the ranges that were read, and the moves of jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from sinks.database.classify import classify
from sinks.database.dialects import dialect_of
from sinks.database.engine import DATABASE_ERRORS
from sinks.ledger import ledger
from sinks.ledger import moves as ledger_moves
from sinks.ledger.ranges import Partition, Settlement, coverage_of, refuse_another_framing
from sinks.work import Work, partition_of
from transforms.batch.counts import Counts
from transforms.batch.coverage import Coverage, Range, merge, subtract
from transforms.settle.sink import Settled


class Overlap(Exception):
    """Since the transaction began, others have settled some of these ranges, or forgotten what was settled."""


def record(
    connection: sa.Connection,
    pipeline: str,
    home: str,
    work: Sequence[Work],
    settled: Sequence[Settled],
    run: str,
) -> None:
    """Enter what was settled into the ledger, unless another writer has done so in the meantime.

    Args:
        connection: In the transaction that settles it.
        pipeline: The pipeline that reads, or tries jobs again.
        home: The label of its own table, which all counts are of that name no other.
        work: What was done for each batch.
        settled: What became of it.
        run: The run that has done it.
    """
    moves = _moves(pipeline, home, work, settled)
    news = [
        (partition_of(part.batch), _settlement(part, result))
        for part, result in zip(work, settled, strict=True)
        if part.gaps is not None
    ]
    if not news and not moves:
        return
    # All at once: taking locks one after another could end in a deadlock.
    places = sorted({partition for partition, _ in news})
    moved = {
        (reader, *place)
        for reader, tables in moves.items()
        for deltas in tables.values()
        for place in deltas
    }
    both = sorted({*((pipeline, *place) for place in places), *moved})
    dialect_of(connection).lock(connection, both)
    before = ledger.settlements(connection, pipeline, places)
    _refuse_changed(before, work)
    for place, settlement in news if before else ():
        refuse_another_framing(place, before.get(place, ()), settlement)
    tables: Tables = {}
    for part, result in zip(work, settled, strict=True):
        if part.gaps is not None:
            _add(tables, partition_of(part.batch), part.tally or {home: result.counts})
    try:
        ledger.record(connection, pipeline, before, news, tables, run)
    except DATABASE_ERRORS as error:
        # Where no lock holds others off, two writers meet in the ledger's primary key.
        if classify(error).kind == "record":
            raise Overlap from error
        raise
    for reader, deltas in sorted(moves.items()):
        ledger_moves.move(connection, reader, deltas)


def _refuse_changed(before: ledger.Settlements, work: Sequence[Work]) -> None:
    """Refuse work that was planned with what the ledger had then, and does not have so any more.

    Raises:
        Overlap: A gap has been filled, or what was trimmed is not settled any more: nobody has its records.
    """
    here: dict[Partition, tuple[Range, ...]] = {}
    coverages = {place: coverage_of(settlements) for place, settlements in before.items()}
    for part in work:
        if part.gaps is None:
            continue
        place, span = partition_of(part.batch), part.batch.span
        coverage = coverages.get(place, Coverage())
        for gap in part.gaps if before else ():
            if coverage.gaps(*gap) != [gap]:
                raise Overlap
        whole = (span.start, span.end)
        if part.gaps != [whole]:
            settled = Coverage(merge((*coverage.ranges, *here.get(place, ()))))
            trimmed = subtract(*whole, part.gaps)
            if any(settled.gaps(*bounds) for bounds in trimmed):
                raise Overlap
        here[place] = (*here.get(place, ()), whole)


Tables = dict[str, dict[Partition, Counts]]
"""Counts by table and partition."""


def _moves(
    pipeline: str, home: str, work: Sequence[Work], settled: Sequence[Settled]
) -> dict[str, Tables]:
    """What became of jobs, by the pipeline that has read them: it counts them as retrying."""
    moves: dict[str, Tables] = {}
    for part, result in zip(work, settled, strict=True):
        if result.attempts:
            claim = part.batch.claim
            counted_before = Counts(read=-result.counts.read, retrying=-result.counts.read)
            tables = moves.setdefault(claim.read_by if claim else pipeline, {})
            delta = part.tally or {home: result.counts + counted_before}
            _add(tables, partition_of(part.batch), delta)
    return moves


def _add(tables: Tables, place: Partition, counts: Mapping[str, Counts]) -> None:
    for target, number in counts.items():
        of_table = tables.setdefault(target, {})
        of_table[place] = of_table[place] + number if place in of_table else number


def _settlement(work: Work, settled: Settled) -> Settlement:
    span = work.batch.span
    untrimmed = span.start == span.end or work.gaps == [(span.start, span.end)]
    content = span.content if untrimmed else None
    return Settlement(span.start, span.end, span.final, settled.counts, content)
