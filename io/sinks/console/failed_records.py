"""A page of failed records, the newest first, as a list shows them: without their bytes."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sinks.console.counting import Count
from sinks.console.job_search import LOOKED_AT, SECONDS, Direction, Search
from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.tables import dead, jobs
from sinks.jobs.filter import JobFilter
from sinks.jobs.state import CURRENT
from sinks.jobs.store import exists, failure_of, hidden_of
from transforms.batch.expansion import expansion_of
from transforms.batch.record import Origin
from transforms.parse.hidden.preview import WITHHELD, preview

SHOWN = 50
"""How many records a page has."""

MESSAGE = 300
"""How many characters of a message a list shows."""

MASKED = 64 << 10
"""Up to which size a record is read to mask its hidden fields in its message."""


@dataclass(frozen=True, slots=True)
class FailedRecord:
    """A failed record in a list.

    Attributes:
        id: The number of the job.
        target: The table that the record was meant for.
        state: One of the states of jobs.
        stage: The step that failed.
        category: The kind of failure.
        exception: The class name of the error.
        sqlstate: The database's error code.
        message: The beginning of the error's message; hidden values are masked.
        source: Where the record came from.
        partition: As in ``Origin``.
        place: Where in the partition, as ``Origin.place``.
        attempt: How many attempts were made since the last replay.
        max_attempts: After how many the job is discarded.
        replays: How often it was replayed.
        size: How many bytes the record has.
        pipeline: The pipeline that may try it again.
        inserted_at: When it failed first.
        scheduled_at: When it is, or was last, due.
        discarded_at: When it became a dead letter.
        fingerprint: The group of a dead letter, where it is known.
    """

    id: int
    target: str
    state: str
    stage: str
    category: str
    exception: str
    sqlstate: str | None
    message: str
    source: str
    partition: str
    place: str
    attempt: int
    max_attempts: int
    replays: int
    size: int
    pipeline: str | None
    inserted_at: datetime
    scheduled_at: datetime
    discarded_at: datetime | None
    fingerprint: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class Page:
    """Failed records, the newest first.

    Attributes:
        records: The records.
        older: Goes into ``before`` for the next page; None at the end.
        newer: Goes into ``after`` for the page before; None at the beginning.
        searched: How many candidates were looked at; None if an index found the records.
        complete: Whether the search saw all candidates in its direction, or found a full page.
            Otherwise ``older`` (or ``newer``) searches on.
        total: How many match on all pages; None where no index counts them and this page has not all.
    """

    records: tuple[FailedRecord, ...]
    older: int | None = None
    newer: int | None = None
    searched: int | None = None
    complete: bool = True
    total: Count | None = None


def page(
    database: Database,
    which: JobFilter,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int = SHOWN,
) -> Page:
    """The newest records that match ``which``: those ``before`` a number, or the next ``after`` one.

    Records that fail meanwhile are newer than every page: walking to older pages shows each record
    once. Without a state, dead letters are meant; ``all`` stands for every state.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(database, "read failed records", write=False) as connection:
        if not exists(connection):
            return Page((), total=Count(0, exact=True))
        search = Search.of(connection, which)
        direction = Direction(before, after)
        matching, searched, last = _rows(search, direction, limit + 1)
        more = len(matching) > limit
        matching = matching[:limit]
        if direction.backwards:
            matching.reverse()
        records = tuple(_shown(connection, matching))
        total = search.counted()
    bounded = not more and last is not None
    first = records[0].id if records else None
    end = records[-1].id if records else None
    older: int | None
    newer: int | None
    if direction.backwards:
        newer = last if bounded else first if more else None
        older = end if end is not None else (after or 0) + 1
    else:
        older = last if bounded else end if more else None
        newer = None if before is None else first if first is not None else before - 1
    if total is None and before is None and after is None and older is None:
        total = Count(len(records), exact=True)
    return Page(records, older, newer, searched if search.looks else None, not bounded, total)


def _rows(search: Search, direction: Direction, limit: int) -> tuple[list[Any], int, int | None]:
    """At most ``limit`` rows; how many candidates were seen; where to go on, if not at the end."""
    matching: list[Any] = []
    searched = 0
    last: int | None = None
    until = time.monotonic() + SECONDS
    for numbers in search.numbers(direction, limit):
        # Only now is it known that there are more candidates.
        if searched >= LOOKED_AT or (search.looks and searched and time.monotonic() > until):
            return matching, searched, last
        searched += len(numbers)
        last = numbers[-1]
        query = sa.select(*_LIGHT).where(search.among(numbers))
        query = query.order_by(direction.order(jobs.c.id)).limit(limit - len(matching))
        matching += search.connection.execute(query)
        if len(matching) >= limit:
            break
    return matching, searched, None


_LIGHT = (
    *(jobs.c.id, jobs.c.target, CURRENT, jobs.c.stage, jobs.c.category, jobs.c.exception),
    *(jobs.c.sqlstate, sa.func.substr(jobs.c.message, 1, MESSAGE + 1).label("message")),
    *(jobs.c.source, jobs.c.partition, jobs.c.offset, jobs.c.element, jobs.c.expansion),
    *(jobs.c.attempt, jobs.c.max_attempts, jobs.c.replays),
    sa.func.length(jobs.c.raw).label("size"),
    *(jobs.c.pipeline, jobs.c.read_by, jobs.c.inserted_at, jobs.c.scheduled_at),
    jobs.c.discarded_at,
)


def _shown(connection: sa.Connection, rows: Sequence[Any]) -> Iterator[FailedRecord]:
    if not rows:
        return
    numbers = [row.id for row in rows]
    of_ids = dialect_of(connection).is_one_of(dead.c.job, numbers)
    query = sa.select(dead.c.job, dead.c.fingerprint).where(of_ids)
    groups: dict[int, uuid.UUID] = {row.job: row.fingerprint for row in connection.execute(query)}
    masked = _masked(connection, rows)
    for row in rows:
        expansion = expansion_of(row.expansion)
        origin = Origin(row.source, row.partition, row.offset, row.element, expansion)
        message = masked.get(row.id, row.message)
        yield FailedRecord(
            id=row.id,
            target=row.target,
            state=row.state,
            stage=row.stage,
            category=row.category,
            exception=row.exception,
            sqlstate=row.sqlstate,
            message=message if len(message) <= MESSAGE else message[:MESSAGE] + "…",
            source=row.source,
            partition=row.partition,
            place=origin.place,
            attempt=row.attempt,
            max_attempts=row.max_attempts,
            replays=row.replays,
            size=row.size,
            pipeline=row.pipeline,
            inserted_at=row.inserted_at,
            scheduled_at=row.scheduled_at,
            discarded_at=row.discarded_at,
            fingerprint=groups.get(row.id),
        )


def _masked(connection: sa.Connection, rows: Sequence[Any]) -> dict[int, str]:
    """The messages of the jobs of which fields are hidden: only their records tell what to mask."""
    of_row = hidden_of(connection, rows)
    hides = {row.id: hidden for row in rows if (hidden := of_row(row)).paths}
    messages = dict.fromkeys(hides, f"({WITHHELD})")
    small = [row.id for row in rows if row.id in hides and row.size <= MASKED]
    if small:
        query = sa.select(jobs).where(dialect_of(connection).is_one_of(jobs.c.id, small))
        for row in connection.execute(query):
            hidden = hides[row.id]
            seen = preview(failure_of(row), row.version, (), hidden.paths, hidden.versions)
            messages[row.id] = seen.failure.message
    return messages
