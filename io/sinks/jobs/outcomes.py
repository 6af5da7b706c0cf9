"""Record the outcome of each attempt at a job in the transaction that writes its row."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.tables import READ_BY, claims, jobs
from sinks.database.update import update_each
from sinks.dead import upkeep
from sinks.jobs import owner as job_owner
from sinks.jobs.columns import columns_of, with_error
from sinks.jobs.store import enqueue
from transforms.batch.record import Attempt, Claim, Failure
from transforms.batch.retry_policy import Next
from transforms.errors import SinkFailed
from transforms.steps.pipeline_identity import PipelineIdentity


def complete(
    connection: sa.Connection,
    home: str,
    batch_claims: Sequence[Claim],
    pipeline: PipelineIdentity | None,
) -> set[str]:
    """End each claim that is still held: its jobs had their attempt and become ``completed``.

    ``fail`` then corrects the jobs that failed again. A claim whose lease was lost is gone; its
    jobs are left to the process that has them now.

    Args:
        connection: In a transaction.
        home: The pipeline's own table, as the ledger names it.
        batch_claims: The claims of the batches that are written.
        pipeline: The pipeline whose steps the jobs went through.

    Returns:
        The claims that were held.

    Raises:
        SinkFailed: The jobs belong to another pipeline, and did not go through its steps.
    """
    taken_here = claims.c.id.in_([claim.id for claim in batch_claims])
    query = sa.select(claims.c.id, claims.c.lease, claims.c.attempted_at, claims.c.owner)
    rows = connection.execute(query.where(taken_here).order_by(claims.c.id).with_for_update()).all()
    owners = () if pipeline is None else job_owner.owners_of(home, pipeline)
    if any(row.owner not in (owners or (None,)) for row in rows):
        raise SinkFailed(
            f"failed records of table {home} were read for another pipeline than the one that "
            "writes them; give SqlJobQueue and SqlSink the same pipeline"
        )
    held = {uuid.UUID(row.id).hex: (row.lease, row.attempted_at) for row in rows}
    if not held:
        return set()
    connection.execute(sa.delete(claims).where(claims.c.id.in_(held)))
    jobs_of: dict[tuple[str, datetime], set[int]] = defaultdict(set)
    for claim in batch_claims:
        if claim.id in held:
            jobs_of[held[claim.id]].update(claim.jobs)
    dialect = dialect_of(connection)
    at = dialect.now(connection)
    for (lease, attempted_at), numbers in jobs_of.items():
        values = {
            "state": "completed",
            "attempt": jobs.c.attempt + 1,
            "attempted_at": attempted_at,
            "attempted_by": lease,
            "completed_at": at,
            "version": None if pipeline is None else pipeline.version,
        }
        if pipeline is not None and pipeline.mapped:
            # From now on they are jobs of a mapping: no program without one may take them.
            values |= {"mapped": True, "owner": owners[0]}
        completed = dialect.is_one_of(jobs.c.id, sorted(numbers))
        connection.execute(sa.update(jobs).where(completed).values(values))
    return set(held)


def fail(
    connection: sa.Connection,
    failures: Sequence[tuple[Attempt, Failure, Next]],
    run: str,
    home: str,
) -> None:
    """Record the jobs that failed again: the error in their history, and when they are due.

    One that has failed on its way to another table than before is a job of that one from now on.

    Args:
        connection: In the transaction that ``complete`` has run in.
        failures: Each failure with its attempt and what follows.
        run: The run that counts them from now on.
        home: The pipeline's own table, as the ledger names it.
    """
    if not failures:
        return
    dialect = dialect_of(connection)
    at = dialect.now(connection)
    numbers = [attempt.job for attempt, _, _ in failures]
    query = sa.select(*_BEFORE).where(dialect.is_one_of(jobs.c.id, numbers))
    before = {row.id: row for row in connection.execute(query)}
    rows = [
        _failed(attempt, failure, following, before[attempt.job], at, run)
        for attempt, failure, following in failures
    ]
    targets = [failure.target or home for _, failure, _ in failures]
    if any(before[row["id"]].target != to for row, to in zip(rows, targets, strict=True)):
        for row, target in zip(rows, targets, strict=True):
            row |= {"target": target, "read_by": before[row["id"]].read_by}
    update_each(connection, jobs, rows)
    dead = [
        {**row, "target": target}
        for row, target in zip(rows, targets, strict=True)
        if row["state"] == "discarded"
    ]
    upkeep.discard(connection, dead, at)
    enqueue(connection, dialect.is_one_of(jobs.c.id, numbers))


def remark(connection: sa.Connection, remarks: Sequence[tuple[Attempt, str]]) -> None:
    """Enter into the history of jobs that are completed what else their attempt has led to.

    Args:
        connection: In the transaction that ``complete`` has run in.
        remarks: Each attempt with a sentence.
    """
    if not remarks:
        return
    dialect = dialect_of(connection)
    at = dialect.now(connection)
    numbers = [attempt.job for attempt, _ in remarks]
    query = sa.select(jobs.c.id, jobs.c.errors, jobs.c.replays).where(
        dialect.is_one_of(jobs.c.id, numbers)
    )
    before = {row.id: row for row in connection.execute(query)}
    rows = [
        {
            "id": attempt.job,
            "errors": with_error(
                before[attempt.job].errors,
                attempt=attempt.number,
                replay=before[attempt.job].replays,
                at=at,
                error=sentence,
                due=None,
            ),
        }
        for attempt, sentence in remarks
    ]
    update_each(connection, jobs, rows)


_BEFORE = (
    *(jobs.c.id, jobs.c.errors, jobs.c.replays, jobs.c.version),
    *(jobs.c.target, READ_BY.label("read_by")),
)


def _failed(
    attempt: Attempt, failure: Failure, following: Next, before: Any, at: datetime, run: str
) -> dict[str, Any]:
    values = columns_of(
        failure,
        following,
        attempt=attempt.number,
        replay=before.replays,
        errors=before.errors,
        at=at,
        run=run,
        version=before.version,  # which ``complete`` set
    )
    values["completed_at"] = None  # which ``complete`` set
    return {"id": attempt.job, **values}
