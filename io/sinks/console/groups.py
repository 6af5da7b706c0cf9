"""Groups of dead letters that failed for the same reason, those with the newest one first.

The newest of a group, and whether there is any, one look into the index tells; only the groups of a
page are counted. What asks about single records (their source, time, bytes or pipeline) is asked of the
newest dead letters only.
"""

from __future__ import annotations

import math
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sinks.console.counting import MOST, Count, about
from sinks.console.job_search import Direction, Search
from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.tables import dead, fingerprints, jobs
from sinks.jobs.filter import JobFilter
from sinks.jobs.store import exists, hidden_of
from transforms.errors import ConfigError
from transforms.parse.hidden.preview import WITHHELD

FINGERPRINTS = 20_000
"""How many fingerprints are looked at: there is one for each reason that there ever was."""

SEARCHED = 10_000
"""How many dead letters are looked at, the newest, where single records are asked about."""

_OF_A_GROUP = ("target", "stage", "category", "sqlstate", "exception")


@dataclass(frozen=True, slots=True)
class Group:
    """Dead letters that failed for the same reason.

    Attributes:
        fingerprint: Its number.
        target: The table that they were meant for.
        stage: As in ``Failure``.
        category: As in ``Failure``.
        sqlstate: As in ``Failure``.
        exception: As in ``Failure``.
        message: Their message, without the values of records; it says so if it is not shown.
        first_seen: When the first of them failed, even if that is no dead letter any more.
        last_seen: When the newest of them became a dead letter.
        count: How many there are.
        sample: The number of the newest job.
    """

    fingerprint: uuid.UUID
    target: str
    stage: str
    category: str
    sqlstate: str | None
    exception: str
    message: str
    first_seen: datetime
    last_seen: datetime | None
    count: Count
    sample: int


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the groups.

    Attributes:
        groups: Those with the newest dead letter first.
        after: What to pass on for those that follow; None if there are none.
        searched: How many dead letters were looked at, the newest, if not all were.
    """

    groups: tuple[Group, ...]
    after: int | None = None
    searched: int | None = None


def groups(
    database: Database,
    which: JobFilter | None = None,
    *,
    limit: int = 25,
    after: int | None = None,
    seconds: float = math.inf,
) -> Page:
    """The groups of the dead letters ``which``, the one with the newest dead letter first.

    Args:
        database: Which database.
        which: The dead letters; without a state, or with that of dead letters.
        limit: How many groups at most.
        after: As the page before says it.
        seconds: How long single records are asked about, at most.

    Raises:
        ConfigError: Another state is asked for.
        SinkUnavailable: The database cannot be reached.
    """
    which = which or JobFilter()
    if which.state not in (None, "discarded"):
        raise ConfigError(f"only jobs that are discarded have groups, not {which.state} ones")
    which = replace(which, state=None)
    nothing: dict[str, Any] = dict.fromkeys((*_OF_A_GROUP, "fingerprint"))
    rest = replace(which, **nothing)
    with transaction(database, "group dead letters", write=False) as connection:
        if not exists(connection):
            return Page(())
        if rest == JobFilter():
            return _page(connection, which, limit, after)
        return _searched(connection, which, limit, after, seconds)


def _page(connection: sa.Connection, which: JobFilter, limit: int, after: int | None) -> Page:
    last = sa.select(sa.func.max(dead.c.job)).where(dead.c.fingerprint == fingerprints.c.id)
    # The limit keeps databases from looking for the newest more than once.
    every = (
        sa.select(fingerprints.c.id, last.scalar_subquery().label("job"))
        .where(*_conditions(which))
        .limit(FINGERPRINTS)
        .subquery()
    )
    query = sa.select(every.c.id, every.c.job).where(every.c.job.is_not(None))
    if after is not None:
        query = query.where(every.c.job < after)
    rows = connection.execute(query.order_by(every.c.job.desc()).limit(limit + 1)).all()
    newest = {row.id: row.job for row in rows[:limit]}
    counts = _counts(connection, list(newest))
    more = rows[limit - 1].job if len(rows) > limit else None
    return Page(tuple(_groups(connection, newest, counts)), more)


def _counts(connection: sa.Connection, numbers: Sequence[uuid.UUID]) -> dict[uuid.UUID, Count]:
    if not numbers:
        return {}
    parts = []
    for number in numbers:
        some = sa.select(dead.c.job).where(dead.c.fingerprint == number).limit(MOST + 1).subquery()
        parts.append(sa.select(sa.func.count()).select_from(some).scalar_subquery())
    counts: dict[uuid.UUID, Count] = {}
    for number, count in zip(numbers, connection.execute(sa.select(*parts)).one(), strict=True):
        counts[number] = Count(count, exact=True)
        if count > MOST:
            estimate = about(connection, sa.select(dead.c.job).where(dead.c.fingerprint == number))
            counts[number] = Count(max(MOST, estimate), exact=False)
    return counts


def _searched(
    connection: sa.Connection, which: JobFilter, limit: int, after: int | None, seconds: float
) -> Page:
    """The groups of those among the newest dead letters that match."""
    search = Search.of(connection, which)
    newest: dict[uuid.UUID, int] = {}
    numbers: Counter[uuid.UUID] = Counter()
    looked_at, all_seen = 0, True
    until = time.monotonic() + seconds
    for candidates in search.numbers(Direction(), SEARCHED):
        # Only now is it known that there are more candidates.
        if looked_at >= SEARCHED or (looked_at and time.monotonic() > until):
            all_seen = False
            break
        part = candidates[: SEARCHED - looked_at]
        looked_at += len(part)
        of_part = sa.select(dead.c.fingerprint, sa.func.max(dead.c.job), sa.func.count())
        query = of_part.join_from(dead, jobs, jobs.c.id == dead.c.job).where(search.among(part))
        for number, job, count in connection.execute(query.group_by(dead.c.fingerprint)).all():
            newest.setdefault(number, job)
            numbers[number] += count
        if len(part) < len(candidates):
            all_seen = False
            break
    order = sorted(newest, key=lambda number: -newest[number])
    order = [number for number in order if after is None or newest[number] < after]
    first = {number: newest[number] for number in order[:limit]}
    counts = {number: Count(numbers[number], exact=all_seen) for number in first}
    return Page(
        tuple(_groups(connection, first, counts)),
        newest[order[limit - 1]] if len(order) > limit else None,
        None if all_seen else looked_at,
    )


def _conditions(which: JobFilter) -> list[sa.ColumnElement[bool]]:
    conditions = [
        fingerprints.c[name] == value
        for name in _OF_A_GROUP
        if (value := getattr(which, name)) is not None
    ]
    if which.fingerprint is not None:
        conditions.append(fingerprints.c.id == which.fingerprint)
    return conditions


def _groups(
    connection: sa.Connection,
    newest: dict[uuid.UUID, int],
    counts: dict[uuid.UUID, Count],
) -> list[Group]:
    if not newest:
        return []
    kinds = sa.select(fingerprints).where(fingerprints.c.id.in_(list(newest)))
    of_id = {row.id: row for row in connection.execute(kinds)}
    samples = _samples(connection, list(newest.values()))
    hidden = hidden_of(connection, list(samples.values()))
    listed: list[Group] = []
    for number, job in newest.items():
        kind, sample = of_id[number], samples.get(job)
        hides = sample is not None and bool(hidden(sample).paths)
        listed.append(
            Group(
                fingerprint=number,
                **{name: getattr(kind, name) for name in _OF_A_GROUP},
                message=f"({WITHHELD})" if hides else kind.message,
                first_seen=kind.first_seen,
                last_seen=None if sample is None else sample.discarded_at,
                count=counts[number],
                sample=job,
            )
        )
    return listed


def _samples(connection: sa.Connection, numbers: Sequence[int]) -> dict[int, Any]:
    columns = (jobs.c.id, jobs.c.target, jobs.c.read_by, jobs.c.pipeline, jobs.c.discarded_at)
    query = sa.select(*columns).where(dialect_of(connection).is_one_of(jobs.c.id, numbers))
    return {row.id: row for row in connection.execute(query)}
