"""Keeps ``ingest_dead`` in step with the jobs: a row for each job that is ``discarded``.

Whatever brings a job into that state or out of it calls this in the same transaction. Fingerprints are
only ever inserted, and rows of jobs only inserted and deleted by number, by whoever changes the job:
no commit waits here for another one, except where both are the first to meet a fingerprint. Therefore a
commit enters them once it has its turn.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from sinks.database.dialect import Row
from sinks.database.dialects import dialect_of
from sinks.database.tables import dead, edits, fingerprints, jobs
from transforms.failure_group import Kind, fingerprints_of

COLUMNS = ("target", "stage", "category", "sqlstate", "exception", "message")
"""The columns of a job that its fingerprint is made of."""

_columns = itemgetter(*COLUMNS)


def groups_of(kinds: Sequence[Kind], at: datetime) -> tuple[list[uuid.UUID], dict[uuid.UUID, Row]]:
    """The fingerprint of each of ``kinds``, and the rows that ``note`` takes.

    Args:
        kinds: What ``COLUMNS`` names of each dead letter.
        at: The time.
    """
    by_kind = fingerprints_of(kinds)
    first: dict[uuid.UUID, Row] = {}
    for kind, (number, message) in by_kind.items():
        if number not in first:
            row = dict(zip(COLUMNS, kind, strict=True))
            first[number] = row | {"id": number, "message": message, "first_seen": at}
    return [by_kind[kind][0] for kind in kinds], first


def note(connection: sa.Connection, groups: Mapping[uuid.UUID, Row]) -> None:
    """Enter the fingerprints that are new.

    Args:
        connection: In the transaction that has made jobs dead letters.
        groups: Their rows, by their numbers, as ``groups_of`` returns them.

    Raises:
        Contention: Another transaction entered one of them at the same time.
    """
    entered = _entered(connection, list(groups))
    # In one order for all writers, so that they cannot deadlock.
    absent = [row for number, row in sorted(groups.items()) if number not in entered]
    if absent:
        dialect_of(connection).insert_absent(connection, fingerprints, absent, "id")


def _entered(connection: sa.Connection, numbers: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    entered: set[uuid.UUID] = set()
    for first in range(0, len(numbers), _CHUNK):
        chunk = numbers[first : first + _CHUNK]
        query = sa.select(fingerprints.c.id).where(fingerprints.c.id.in_(chunk))
        entered.update(connection.execute(query).scalars())
    return entered


_CHUNK = 1_000


def enter(connection: sa.Connection, numbers: Mapping[int, uuid.UUID]) -> None:
    """Enter jobs that are dead letters now.

    Args:
        connection: In the transaction that has made them so.
        numbers: The fingerprint of each, by the number of the job.
    """
    if numbers:
        columns: dict[str, Sequence[Any]] = {
            "job": list(numbers),
            "fingerprint": list(numbers.values()),
        }
        dialect_of(connection).insert(connection, dead, columns, {})


def enter_stored(connection: sa.Connection, by_origin: Mapping[uuid.UUID, uuid.UUID]) -> None:
    """Enter those of the jobs just stored that are dead letters.

    Args:
        connection: In the transaction that has stored them.
        by_origin: The fingerprint of each, by its origin. A job of this origin that was there before
            stays as it is: it has a row already, or is in another state.
    """
    if not by_origin:
        return
    fresh = (
        sa.select(jobs.c.id, jobs.c.origin)
        .join_from(jobs, dead, dead.c.job == jobs.c.id, isouter=True)
        .where(
            dialect_of(connection).is_one_of(jobs.c.origin, list(by_origin)),
            jobs.c.state == "discarded",
            dead.c.job.is_(None),
        )
    )
    enter(connection, {row.id: by_origin[row.origin] for row in connection.execute(fresh)})


def discard(connection: sa.Connection, rows: Sequence[Row], at: datetime) -> None:
    """Enter jobs that have become dead letters by another attempt.

    Args:
        connection: In the transaction that has made them so.
        rows: Each with ``id`` and what ``COLUMNS`` names; of several with one ``id``, the last counts.
        at: The time.
    """
    if rows:
        of_rows, groups = groups_of(list(map(_columns, rows)), at)
        numbers = dict(zip((row["id"] for row in rows), of_rows, strict=True))
        note(connection, groups)
        leave(connection, list(numbers))  # a row that a foreign program left must not hold jobs up
        enter(connection, numbers)


def leave(connection: sa.Connection, numbers: Sequence[int]) -> None:
    """Take jobs out that are no dead letters any more, by their numbers; others may be among them."""
    if numbers:
        connection.execute(
            sa.delete(dead).where(dialect_of(connection).is_one_of(dead.c.job, numbers))
        )


def forget(connection: sa.Connection, numbers: Sequence[int]) -> None:
    """Take out jobs that are deleted, and what is kept of their edits."""
    if numbers:
        leave(connection, numbers)
        connection.execute(
            sa.delete(edits).where(dialect_of(connection).is_one_of(edits.c.job, numbers))
        )


def forget_where(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    """The same of the jobs ``which``, before they are deleted."""
    for table in (dead, edits):
        chosen = sa.select(jobs.c.id).where(which)
        connection.execute(sa.delete(table).where(table.c.job.in_(chosen)))
