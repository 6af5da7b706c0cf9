"""Store the jobs of records that have failed for the first time, thousands by one statement."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from sinks.database.dialect import Row
from sinks.database.dialects import dialect_of
from sinks.database.tables import jobs
from sinks.dead import upkeep
from sinks.jobs import owner as job_owner
from sinks.jobs.first.columns import Columns, Entry, columns_of_first
from sinks.jobs.store import enqueue
from transforms.steps.pipeline_identity import PipelineIdentity

AT_ONCE = 10_000
"""How many jobs are stored at once where the database is sent columns."""

CHUNK = 1_000
"""How many jobs one statement stores elsewhere, or where some of them may be there."""

CHUNK_BYTES = 16 << 20
"""About how many bytes of records and texts are stored at once: those that a step made of one share theirs."""


def insert_failures(
    connection: sa.Connection,
    read_by: str,
    home: str,
    failures: Sequence[Entry],
    run: str,
    pipeline: PipelineIdentity | None,
) -> dict[uuid.UUID, Row]:
    """Store records that failed for the first time; an origin that is stored already adds nothing.

    Args:
        connection: In the transaction that settles their batch.
        read_by: The pipeline that has read them, whose ledger counts them.
        home: The own table of the pipeline that owns them, as ``label_of`` names it; it is also that
            of the failures that name none.
        failures: Each failure with what follows from it and its number of attempts.
        run: The run that counts them.
        pipeline: The pipeline that owns them; None if no pipeline does until they are adopted.

    Returns:
        The fingerprints of those that are dead letters, which ``upkeep.note`` is to enter.
    """
    if not failures:
        return {}
    at = dialect_of(connection).now(connection)
    owner = job_owner.columns_of(home, pipeline)
    columns = columns_of_first(read_by, home, failures, at, run, owner)
    states = columns.of("state")
    dead = [index for index, state in enumerate(states) if state == "discarded"]
    kinds = list(zip(*(columns.of(name) for name in upkeep.COLUMNS), strict=True))
    numbers, noted = upkeep.groups_of([kinds[index] for index in dead], at)
    groups: list[uuid.UUID | None] = [None] * columns.count
    for index, number in zip(dead, numbers, strict=True):
        groups[index] = number
    for low, high in columns.pieces(AT_ONCE, CHUNK_BYTES):
        _insert(connection, columns, groups, low, high)
    return noted


def _insert(
    connection: sa.Connection,
    columns: Columns,
    groups: Sequence[uuid.UUID | None],
    low: int,
    high: int,
) -> None:
    """Store the jobs from ``low`` to before ``high``, with the group of each dead letter."""
    own = {name: values[low:high] for name, values in columns.own.items()}
    numbers = dialect_of(connection).insert_new(connection, jobs, own, columns.constants, "id")
    if numbers is None:
        for start in range(low, high, CHUNK):
            _insert_absent(connection, columns, groups, start, min(start + CHUNK, high))
        return
    of_jobs = list(zip(numbers, groups[low:high], strict=True))
    upkeep.enter(connection, {job: group for job, group in of_jobs if group is not None})
    waiting = [job for job, group in of_jobs if group is None]
    if waiting:
        enqueue(connection, dialect_of(connection).is_one_of(jobs.c.id, waiting))


def _insert_absent(
    connection: sa.Connection,
    columns: Columns,
    groups: Sequence[uuid.UUID | None],
    low: int,
    high: int,
) -> None:
    """The same, of which some may be there."""
    dialect = dialect_of(connection)
    rows = columns.rows(low, high)
    dialect.insert_absent(connection, jobs, rows, "origin")
    origins: list[Any] = [row["origin"] for row in rows]
    by_origin = dict(zip(origins, groups[low:high], strict=True))
    upkeep.enter_stored(
        connection, {origin: group for origin, group in by_origin.items() if group is not None}
    )
    waiting = [origin for origin, group in by_origin.items() if group is None]
    if waiting:
        enqueue(connection, dialect.is_one_of(jobs.c.origin, waiting))
