"""Which offsets of each partition are settled: the ranges, the gaps between them, and the sums of all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sinks.console.moment import moment
from sinks.database.database import Database
from sinks.database.tables import counts, pipelines, progress
from transforms.batch.counts import OUTCOMES
from transforms.batch.coverage import Coverage, Range, merge

SHOWN = 50
"""How many partitions a page has."""

MOST_RANGES = 200
"""How many ranges of a partition are read, the first ones."""

Place = tuple[str, str, str]
"""Pipeline, source and partition."""


@dataclass(frozen=True, slots=True)
class PartitionRow:
    """A partition.

    Attributes:
        pipeline: The pipeline that reads it.
        source: As in the ledger.
        partition: As in the ledger.
        ranges: What is settled: start and end of each range.
        gaps: What is not, between two of them.
        end: Where the partition ends for good; None until that has been seen.
        complete: Whether everything from offset 0 to the end is settled.
        cut: Whether it has more ranges than these.
        records: How many records were read.
        dead: How many of them became dead letters.
        retrying: How many wait for another attempt.
        conserved: Whether each record has exactly one outcome.
        updated_at: When the ledger last changed.
    """

    pipeline: str
    source: str
    partition: str
    ranges: Sequence[Range]
    gaps: Sequence[Range]
    end: int | None
    complete: bool
    cut: bool
    records: int
    dead: int
    retrying: int
    conserved: bool
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Summary:
    """Partitions together.

    Attributes:
        partitions: How many there are.
        complete: How many are settled from offset 0 to their end.
        gaps: How many have a gap.
        violations: In how many the outcomes do not add up to the records.
        updated_at: When the ledger last changed; None if there are none.
    """

    partitions: int = 0
    complete: int = 0
    gaps: int = 0
    violations: int = 0
    updated_at: datetime | None = None

    @property
    def open(self) -> int:
        """How many are not complete."""
        return self.partitions - self.complete


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with partitions together.

    Attributes:
        gaps: How many have a gap.
        violations: In how many the outcomes do not add up to the records.
    """

    gaps: int = 0
    violations: int = 0


@dataclass(frozen=True, slots=True)
class Partitions:
    """A page of partitions, in the order of pipeline, source and partition.

    Attributes:
        rows: The partitions.
        after: Goes into ``after`` for the next page; None at the end.
        summary: Of all that the page is a part of, whether or not only gaps are shown.
    """

    rows: Sequence[PartitionRow]
    after: Place | None
    summary: Summary


@dataclass(frozen=True, slots=True)
class Which:
    """Which partitions are meant.

    Attributes:
        target: Of pipelines that write this table; None for every pipeline.
        pipeline: Of this pipeline.
        source: Of this source.
        gaps: Only those with a gap.
    """

    target: str | None = None
    pipeline: str | None = None
    source: str | None = None
    gaps: bool = False


def partitions(
    database: Database, which: Which, *, after: Place | None = None, limit: int = SHOWN
) -> Partitions | None:
    """A page of partitions; None if no pipeline writes the table.

    Raises:
        ConfigError: The tables are missing, or have another version.
        SinkUnavailable: The database cannot be reached.
    """
    with moment(database, "read the coverage of partitions") as connection:
        names = None
        if which.target is not None:
            names = pipelines_of(connection, which.target)
            if not names:
                return None
        chosen = _chosen(names, which)
        summary = summaries(connection, chosen).get((), Summary())
        query = _grouped(chosen)
        if which.gaps:
            query = _grouped([*chosen, _has_later(chosen)]).having(_GAP)
        if after is not None:
            query = query.where(sa.tuple_(*_PLACE) > sa.tuple_(*map(sa.literal, after)))
        groups = connection.execute(query.order_by(*_PLACE).limit(limit + 1)).all()
        ranges = _ranges(connection, groups[:limit])
    rows = [_row(group, ranges[tuple(group[:3])]) for group in groups[:limit]]
    last = rows[-1] if rows and len(groups) > limit else None
    following = None if last is None else (last.pipeline, last.source, last.partition)
    return Partitions(rows, following, summary)


def pipelines_of(connection: sa.Connection, target: str) -> list[str]:
    """The pipelines that write a table, as their own or as one of several; in order."""
    there = sa.exists().where(counts.c.pipeline == pipelines.c.name, counts.c.target == target)
    query = sa.select(pipelines.c.name).where(sa.or_(pipelines.c.target == target, there))
    return list(connection.scalars(query.order_by(pipelines.c.name)))


def summaries(
    connection: sa.Connection, chosen: Sequence[sa.ColumnElement[bool]] = (), *by: str
) -> dict[tuple[str, ...], Summary]:
    """The sums of partitions, in one look at the ledger.

    Args:
        connection: To the database.
        chosen: Conditions on rows of the ledger.
        by: ``pipeline`` and ``source``, or nothing for one sum of all.
    """
    columns = [progress.c[name] for name in by]
    # Most partitions have one row, which begins at 0: of those, no row needs to be seen beside another.
    firsts = sa.select(
        *columns, sa.func.count(), _number(progress.c.final), _number(_ROW_VIOLATES), _LATEST
    ).where(_START == 0, *chosen)
    group = _grouped([*chosen, _has_later(chosen)], *_FIRSTS).subquery()
    others = sa.select(
        *(group.c[name] for name in by),
        sa.func.count(),
        *(_number(group.c[name]) for name in ("complete", "gap")),
        _number(sa.not_(group.c.conserved)),
        sa.func.max(group.c.updated_at, type_=progress.c.updated_at.type),
        *(_number(group.c[column.name] == 1) for column in _FIRSTS),
    )
    if by:
        firsts = firsts.group_by(*columns)
        others = others.group_by(*(group.c[name] for name in by))
    size = len(by)
    sums: dict[tuple[str, ...], Summary] = {}
    for row in connection.execute(firsts):
        number, complete, violations, latest = row[size:]
        sums[tuple(row[:size])] = Summary(number, complete, 0, violations, latest)
    for row in connection.execute(others):
        place = tuple(row[:size])
        number, complete, gaps, violations, latest, *of_firsts = row[size:]
        before = sums.get(place, Summary())
        times = [moment for moment in (before.updated_at, latest) if moment is not None]
        sums[place] = Summary(
            before.partitions + number - of_firsts[0],
            before.complete + complete - of_firsts[1],
            gaps,
            before.violations + violations - of_firsts[2],
            max(times, default=None),
        )
    return {place: summary for place, summary in sums.items() if summary.partitions}


def faults(connection: sa.Connection) -> dict[tuple[str, str], Faults]:
    """The faults by pipeline and source, as in ``summaries`` but quicker.

    A partition of one row, which begins at 0 and whose outcomes add up, is only passed by.
    """
    # Written so that Postgres expects few of them, and sorts little: it takes an
    # inequality of sums to hold for nearly every row.
    violates = sa.case((_ROW_VIOLATES, 1), else_=0) == 1
    suspects = sa.select(*_PLACE).where(sa.or_(_START > 0, violates)).distinct()
    group = _grouped([sa.tuple_(*_PLACE).in_(suspects)]).subquery()
    places = (group.c.pipeline, group.c.source)
    query = sa.select(*places, _number(group.c.gap), _number(sa.not_(group.c.conserved)))
    return {
        (pipeline, source): Faults(gaps, violations)
        for pipeline, source, gaps, violations in connection.execute(query.group_by(*places))
    }


def _number(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.count(sa.case((condition, 1)))


def _has_later(chosen: Sequence[sa.ColumnElement[bool]]) -> sa.ColumnElement[bool]:
    """Whether a row is of a partition that has a row which does not begin at 0: all with gaps are."""
    later = sa.select(*_PLACE).where(_START > 0, *chosen).distinct()
    return sa.tuple_(*_PLACE).in_(later)


def _chosen(names: Sequence[str] | None, which: Which) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if names is not None:
        conditions.append(progress.c.pipeline.in_(names))
    if which.pipeline is not None:
        conditions.append(progress.c.pipeline == which.pipeline)
    if which.source is not None:
        conditions.append(progress.c.source == which.source)
    return conditions


def _grouped(
    chosen: Sequence[sa.ColumnElement[bool]], *more: sa.ColumnElement[Any]
) -> sa.Select[Any]:
    return (
        sa.select(
            *_PLACE,
            _COMPLETE.label("complete"),
            _GAP.label("gap"),
            sa.func.max(_FINAL_END).label("end"),
            *(sa.func.sum(column).label(name) for name, column in _NUMBERS.items()),
            _CONSERVED.label("conserved"),
            _LATEST.label("updated_at"),
            *more,
        )
        .where(*chosen)
        .group_by(*_PLACE)
    )


def _ranges(connection: sa.Connection, groups: Sequence[Any]) -> dict[Place, list[Range]]:
    """The ranges of some partitions, one more than is shown at most."""
    ranges: dict[Place, list[Range]] = defaultdict(list)
    if not groups:
        return ranges
    number = sa.func.row_number().over(partition_by=_PLACE, order_by=progress.c.start_offset)
    places = (
        sa.and_(*(column == value for column, value in zip(_PLACE, group[:3], strict=True)))
        for group in groups
    )
    numbered_ranges = (
        sa.select(*_PLACE, progress.c.start_offset, progress.c.end_offset, number.label("number"))
        .where(sa.or_(*places))
        .subquery()
    )
    query = sa.select(numbered_ranges).where(numbered_ranges.c.number <= MOST_RANGES + 1)
    for *place, start, end, _ in connection.execute(query.order_by(numbered_ranges.c.number)):
        pipeline, source, partition = place
        ranges[pipeline, source, partition].append((start, end))
    return ranges


def _row(group: Any, ranges: Sequence[Range]) -> PartitionRow:
    shown = merge(ranges[:MOST_RANGES])
    return PartitionRow(
        pipeline=group.pipeline,
        source=group.source,
        partition=group.partition,
        ranges=shown,
        gaps=Coverage(shown).holes,
        end=group.end,
        complete=bool(group.complete),
        cut=len(ranges) > MOST_RANGES,
        records=int(group.records),
        dead=int(group.dead),
        retrying=int(group.retrying),
        conserved=bool(group.conserved),
        updated_at=group.updated_at,
    )


_PLACE = (progress.c.pipeline, progress.c.source, progress.c.partition)
_START, _END = progress.c.start_offset, progress.c.end_offset
_FINAL_END = sa.case((progress.c.final, _END))
_NUMBERS = {
    "records": progress.c.read + progress.c.expanded,
    "dead": progress.c.dead,
    "retrying": progress.c.retrying,
}
# Rows of a partition neither overlap nor touch, so that what they cover is the sum of their lengths.
_COVERED = sa.func.sum(_END - _START)
_GAP = sa.func.max(_END) - sa.func.min(_START) > _COVERED
_COMPLETE = sa.and_(sa.func.max(_FINAL_END).is_not(None), sa.func.min(_START) == 0, sa.not_(_GAP))
_OUTCOMES = sum((progress.c[name] for name in OUTCOMES[1:]), progress.c[OUTCOMES[0]])
_CONSERVED = sa.func.sum(_NUMBERS["records"] - _OUTCOMES) == 0
_ROW_VIOLATES = _NUMBERS["records"] != _OUTCOMES
_LATEST = sa.func.max(progress.c.updated_at, type_=progress.c.updated_at.type)
# What the first row of a partition was counted as, if it begins at 0.
_FIRSTS = tuple(
    sa.func.max(sa.case((sa.and_(_START == 0, *conditions), 1), else_=0)).label(name)
    for name, conditions in {
        "first": (),
        "first_final": (progress.c.final,),
        "first_violates": (_ROW_VIOLATES,),
    }.items()
)
