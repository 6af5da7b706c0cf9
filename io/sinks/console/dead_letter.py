"""One failed record with what is around it: its attempts, its neighbours, and who acted on it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.engine import transaction
from sinks.database.tables import READ_BY, audit, dead, jobs
from sinks.jobs.audit_trail import Entry
from sinks.jobs.first.origin import origin_of
from sinks.jobs.state import CURRENT
from sinks.jobs.store import Job, get_job
from transforms.batch.expansion import expansion_of
from transforms.batch.record import Origin

NUMBERS = 1_000
"""How many numbers before and after that of a job are looked at for its neighbours."""

OFFSETS = 50
"""How many offsets before and after its own are looked for where offsets count records."""

ENTRIES = 500
"""How many of the newest entries of the audit trail are looked at."""

_COUNTING = ("kafka://",)
_ROWS = ("parquet", "avro")
_COMPARED = ("target", "stage", "category", "exception", "sqlstate", "source", "pipeline")


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that failed.

    Attributes:
        number: Which one since the replay (1-based).
        replay: How often the job had been replayed.
        at: When.
        waited: Seconds since the attempt before; None for the first that is kept.
        error: What went wrong; hidden values are masked.
        due: When the next attempt was due; None if none was.
        version: Of the pipeline that made it, where that is known.
    """

    number: int
    replay: int
    at: datetime
    waited: float | None
    error: str
    due: datetime | None
    version: str | None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another failed record of the same partition.

    Attributes:
        id: The number of its job.
        place: Where in the partition.
        state: The state of its job.
    """

    id: int
    place: str
    state: str


@dataclass(frozen=True, slots=True)
class Concerning:
    """An entry of the audit trail that concerns a job.

    Attributes:
        entry: The entry.
        certain: Whether it names the job; otherwise its filter fits what the job is now.
    """

    entry: Entry
    certain: bool


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A failed record.

    Attributes:
        job: The job; hidden fields are masked.
        fingerprint: The group of a dead letter, where it is known.
        attempts: Those that are kept, the oldest first.
        before: The failed record that is nearest before it in its partition, among those that were
            stored at about the same time or have about the same offset.
        after: The nearest behind it, as ``before``.
        entries: Of the newest entries of the audit trail those that concern it.
    """

    job: Job
    fingerprint: uuid.UUID | None
    attempts: tuple[Attempt, ...]
    before: Neighbour | None
    after: Neighbour | None
    entries: tuple[Concerning, ...]


def dead_letter(database: Database, number: int) -> DeadLetter | None:
    """The failed record with this number; None if there is none (it may have been purged).

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    job = get_job(database, number)
    if job is None:
        return None
    with transaction(database, "read a failed record", write=False) as connection:
        group = connection.scalar(sa.select(dead.c.fingerprint).where(dead.c.job == number))
        before, after = _neighbours(connection, job)
        entries = tuple(_entries(connection, job))
    return DeadLetter(job, group, tuple(attempts(job.errors)), before, after, entries)


def attempts(errors: Sequence[Mapping[str, Any]]) -> Iterator[Attempt]:
    """The history of a job, with the time between two attempts."""
    last: datetime | None = None
    for error in errors:
        at = datetime.fromisoformat(str(error["at"]))
        due = error.get("due")
        yield Attempt(
            number=int(error.get("attempt", 0)),
            replay=int(error.get("replay", 0)),
            at=at,
            waited=None if last is None else (at - last).total_seconds(),
            error=str(error.get("error", "")),
            due=None if due is None else datetime.fromisoformat(str(due)),
            version=error.get("version"),
        )
        last = at


def _neighbours(connection: sa.Connection, job: Job) -> tuple[Neighbour | None, Neighbour | None]:
    """No index leads to a partition: what is near in number is looked at, and what is near in place."""
    origin = job.failure.origin
    same = (jobs.c.source == origin.source, jobs.c.partition == origin.partition)
    near = sa.and_(jobs.c.id.between(job.id - NUMBERS, job.id + NUMBERS), *same)
    rows = {row.id: row for row in connection.execute(_PLACES.where(near))}
    if origin.source.startswith(_COUNTING) or job.failure.format.name in _ROWS:
        read_by = connection.scalar(sa.select(READ_BY).where(jobs.c.id == job.id))
        offsets = range(max(0, origin.offset - OFFSETS), origin.offset + OFFSETS + 1)
        keys = [
            origin_of(read_by, Origin(origin.source, origin.partition, offset))
            for offset in offsets
        ]
        at_offsets = connection.execute(_PLACES.where(jobs.c.origin.in_(keys)))
        rows |= {row.id: row for row in at_offsets}
    placed = sorted(rows.values(), key=_place)
    own = [row.id for row in placed].index(job.id) if job.id in rows else None
    if own is None:  # it was purged meanwhile
        return None, None
    before = _neighbour(placed[own - 1]) if own else None
    after = _neighbour(placed[own + 1]) if own + 1 < len(placed) else None
    return before, after


_PLACES = sa.select(jobs.c.id, jobs.c.offset, jobs.c.element, jobs.c.expansion, CURRENT)


def _place(row: Any) -> tuple[int, int, int]:
    return row.offset, -1 if row.element is None else row.element, row.id


def _neighbour(row: Any) -> Neighbour:
    origin = Origin("", "", row.offset, row.element, expansion_of(row.expansion))
    return Neighbour(row.id, origin.place, row.state)


def _entries(connection: sa.Connection, job: Job) -> Iterator[Concerning]:
    query = sa.select(audit).order_by(audit.c.id.desc()).limit(ENTRIES)
    newest = query.subquery()
    for row in connection.execute(sa.select(newest).where(newest.c.at >= job.inserted_at)):
        entry = Entry(*row)
        numbers = entry.filter.get("ids")
        if numbers:
            if job.id in numbers:
                yield Concerning(entry, certain=True)
        elif "states" in entry.filter and _fits(entry.filter, job):
            yield Concerning(entry, certain=False)


def _fits(which: Mapping[str, Any], job: Job) -> bool:
    """Whether a filter of the audit trail means a job, as far as it has fields to compare."""
    if any(which.get(name) is not None for name in ("text", "key", "header", "steps")):
        return False
    failure = job.failure
    own = {
        "target": job.target,
        "stage": failure.stage,
        "category": failure.category,
        "exception": failure.exception,
        "sqlstate": failure.sqlstate,
        "source": failure.origin.source,
        "pipeline": job.pipeline.name if job.pipeline else "",
    }
    return all(which.get(name) in (None, own[name]) for name in _COMPARED)
