"""Which partitions of the ledger are meant to be forgotten, and why some of them have to stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.tables import READ_BY, counts, intents, jobs, objects, progress

Place = tuple[str, str, str]
"""Pipeline, source and partition."""

PAGE = 500
"""How many partitions are judged at once, and forgotten in one transaction."""

OPEN = "open"
"""Not read to its end."""

YOUNG = "young"
"""Its ledger has changed since the time that is asked for."""

RETRYING = "retrying"
"""It has jobs that wait for an attempt, or are at one."""

DEAD = "dead"
"""It has dead letters that are neither replayed nor deleted."""

JOBS = "jobs"
"""It has finished jobs, which would hide a new failure of the same record."""

INTENTS = "intents"
"""Objects with its records are being written."""

OBJECTS = "objects"
"""Its records are in objects, where no key keeps them out if it is read again."""

PRESENT = "present"
"""It is still where it was read from: the next run would read it again."""

CHANGED = "changed"
"""It had to stay once its locks were taken, for one of the other reasons."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which partitions are meant.

    Attributes:
        owns: Whether a source is meant.
        pattern: A pattern that all of those sources match, with ``*`` for any text.
        before: Only those whose ledger has not changed since.
        pipeline: The pipeline; None for all.
        present: Whether a source is still there; None if nobody has looked.
    """

    owns: Callable[[str], bool]
    pattern: str
    before: datetime
    pipeline: str | None = None
    present: Callable[[str], bool] | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What no partition may have that is forgotten, as far as it is looked up once.

    Attributes:
        jobs: A hash of each partition that has jobs, so that millions fit.
        datasets: Datasets of objects, as the counts name them.
    """

    jobs: frozenset[int]
    datasets: frozenset[str]


def kept(connection: sa.Connection, choice: Choice) -> Kept:
    """What has to be looked up once: one pass over the jobs, which have no index by source."""
    conditions = [dialect_of(connection).matches(jobs.c.source, choice.pattern)]
    if choice.pipeline is not None:
        conditions.append(READ_BY.in_([choice.pipeline]))
    places = sa.select(READ_BY, jobs.c.source, jobs.c.partition).where(*conditions).distinct()
    rows = connection.execute(places.execution_options(yield_per=1_000))
    of_jobs = frozenset(hash((pipeline, source, part)) for pipeline, source, part in rows)
    return Kept(of_jobs, frozenset(connection.scalars(sa.select(objects.c.target).distinct())))


def page(connection: sa.Connection, choice: Choice, after: Place | None) -> list[Any]:
    """The first row of each of the next partitions that may be meant, at most ``PAGE``.

    Args:
        connection: In a transaction.
        choice: What is meant.
        after: The last partition of the page before.
    """
    query = _FIRST.where(dialect_of(connection).matches(progress.c.source, choice.pattern))
    if choice.pipeline is not None:
        query = query.where(progress.c.pipeline == choice.pipeline)
    if after is not None:
        bounds = [
            sa.literal(value, column.type) for value, column in zip(after, _PLACE, strict=True)
        ]
        query = query.where(sa.tuple_(*_PLACE) > sa.tuple_(*bounds))
    return list(connection.execute(query.order_by(*_PLACE).limit(PAGE)))


def again(connection: sa.Connection, places: Sequence[Place]) -> list[Any]:
    """The same rows of these partitions as they are now."""
    within = _within(progress, places)
    wanted = set(places)
    rows = connection.execute(_FIRST.where(within))
    return [row for row in rows if place_of(row) in wanted]


def judged(
    connection: sa.Connection, rows: Sequence[Any], choice: Choice, stays: Kept
) -> dict[Place, str]:
    """Why each of the partitions that are meant has to stay; empty where it may be forgotten.

    Args:
        connection: In a transaction.
        rows: From ``page`` or ``again``.
        choice: What is meant.
        stays: From ``kept``.
    """
    meant = [row for row in rows if choice.owns(row.source)]
    places = list(map(place_of, meant))
    if not places:
        return {}
    counted = _counted(connection, places, stays.datasets)
    opened = _opened(connection, places)
    verdicts = {}
    for row, place in zip(meant, places, strict=True):
        verdicts[place] = _reason(row, place, choice, stays, counted, opened)
    return verdicts


def place_of(row: Any) -> Place:
    """The partition of a row."""
    return row.pipeline, row.source, row.partition


def _reason(
    row: Any,
    place: Place,
    choice: Choice,
    stays: Kept,
    counted: Mapping[Place, str],
    opened: Iterable[Place],
) -> str:
    if row.start_offset != 0 or not row.final or row.further:
        return OPEN
    if row.updated_at >= choice.before:
        return YOUNG
    if place in counted:
        return counted[place]
    if place in opened:
        return INTENTS
    if hash(place) in stays.jobs:
        return JOBS
    if choice.present is not None and choice.present(row.source):
        return PRESENT
    return ""


def _counted(
    connection: sa.Connection, places: Sequence[Place], datasets: frozenset[str]
) -> dict[Place, str]:
    """What the counts of the tables say against forgetting a partition.

    The ledger counts each job under its present outcome, in the transaction that changes the job.
    """
    columns = (*_PLACE_OF_COUNTS, counts.c.target, counts.c.dead, counts.c.purged)
    rows = connection.execute(
        sa.select(*columns, counts.c.retrying, counts.c.inserted).where(_within(counts, places))
    )
    reasons: dict[Place, str] = {}
    for row in rows:
        in_objects = row.target in datasets or "://" in row.target
        if row.retrying:
            reasons[place_of(row)] = RETRYING
        elif row.dead > row.purged:
            reasons.setdefault(place_of(row), DEAD)
        elif row.inserted and in_objects:
            reasons.setdefault(place_of(row), OBJECTS)
    return reasons


def _opened(connection: sa.Connection, places: Sequence[Place]) -> set[Place]:
    rows = connection.execute(
        sa.select(intents.c.pipeline, intents.c.source, intents.c.partition).where(
            _within(intents, places)
        )
    )
    return set(map(place_of, rows))


def _within(table: sa.Table, places: Sequence[Place]) -> sa.ColumnElement[bool]:
    """Every database has lists: they select a little more than the partitions."""
    names = zip(("pipeline", "source", "partition"), zip(*places, strict=True), strict=True)
    return sa.and_(*(table.c[name].in_(sorted(set(values))) for name, values in names))


_PLACE = (progress.c.pipeline, progress.c.source, progress.c.partition)
_PLACE_OF_COUNTS = (counts.c.pipeline, counts.c.source, counts.c.partition)
_other = progress.alias("other")
_same = sa.and_(*(_other.c[column.name] == column for column in _PLACE))
_FIRST = sa.select(
    *_PLACE,
    progress.c.start_offset,
    progress.c.final,
    progress.c.updated_at,
    # What touches is one row: a partition of several has gaps.
    sa.exists().where(_same, _other.c.start_offset > progress.c.start_offset).label("further"),
).where(sa.not_(sa.exists().where(_same, _other.c.start_offset < progress.c.start_offset)))
