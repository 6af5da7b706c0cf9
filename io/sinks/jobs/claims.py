"""Claims: due jobs taken out of the queue, with one row of ``ingest_claims`` for each batch."""

from __future__ import annotations

import operator
import uuid
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

import msgspec
import sqlalchemy as sa

from sinks.database.dialect import Group
from sinks.database.dialects import dialect_of
from sinks.database.tables import READ_BY, claims, jobs, queue
from sinks.jobs.store import enqueue
from transforms import instruments
from transforms.batch.expansion import expansion_of
from transforms.batch.job_states import Attempts
from transforms.batch.record import Claim, Format, Headers, RecordBatch, Span
from transforms.batch.splits import BatchLimits


def take(
    connection: sa.Connection,
    pipeline: str,
    owners: Sequence[uuid.UUID],
    lease: str,
    limits: BatchLimits,
    home: str,
) -> Sequence[RecordBatch]:
    """Claim due jobs, the longest due first, as batches with one partition, format and table each.

    They are of one owner: the one whose first job has been due longest and can be taken.

    Args:
        connection: In a transaction.
        pipeline: The name of the pipeline that tries them.
        owners: The owners of jobs that it takes, each for table, pipeline and steps:
            ``owner.owners_of``.
        lease: The lease under which they are executing from now on.
        limits: Bounds of the number of records and, approximately, of their bytes.
        home: The pipeline's own table, as ``label_of`` names it.
    """
    dialect = dialect_of(connection)
    at = dialect.now(connection)
    dialect.prefer_indexes(connection, ordered=False)
    due = [(first, owner) for first, owner in first_due(connection, owners) if first <= at]
    if due:
        dialect.defer_flush(connection)  # an undone claim is noticed when it is settled
    for first, owner in due:
        due_now = partial(_due, owner=owner, at=at, limits=limits)
        if numbers := dialect.take(connection, queue.c.job, due_now):
            groups = dialect.groups(connection, jobs.c.id, numbers, _SHARED, _CELLS)
            batches = [_batch(group, home) for group in sorted(groups, key=_first_job)]
            claimed = [_claim(pipeline, owner, lease, at, batch) for batch in batches]
            connection.execute(sa.insert(claims), claimed)
            # Of the one that waits for the longest: to ask for the time of each would cost too much.
            instruments.observe("job_wait", [(at - first).total_seconds()])
            return batches
    return ()


def first_due(
    connection: sa.Connection, owners: Sequence[uuid.UUID]
) -> list[tuple[datetime, uuid.UUID]]:
    """When the first job in the queue of each owner is due, the first one first."""
    if not owners:
        return []
    # One look into the index for each: with IN, all rows of both would be read.
    firsts = [
        sa.select(sa.func.min(queue.c.due_at)).where(queue.c.owner == owner).scalar_subquery()
        for owner in owners
    ]
    row = connection.execute(sa.select(*firsts)).one()
    return sorted((due, owner) for due, owner in zip(row, owners, strict=True) if due is not None)


def give_back(connection: sa.Connection, untried: Sequence[Claim]) -> None:
    """Put the jobs of claims back into the queue, unless they have been rescued in the meantime."""
    for claim in untried:
        if connection.execute(sa.delete(claims).where(claims.c.id == claim.id)).rowcount:
            enqueue(connection, dialect_of(connection).is_one_of(jobs.c.id, claim.jobs))


_SHARED = (
    *(jobs.c.source, jobs.c.partition, jobs.c.format, READ_BY, jobs.c.target),
    *(column.is_not(None) for column in (jobs.c.event_time, jobs.c.element, jobs.c.expansion)),
)
"""What the jobs of a batch have in common."""

_CELLS = (
    *(jobs.c.id, jobs.c.attempt + 1, jobs.c.max_attempts, jobs.c.run),
    *(jobs.c.offset, jobs.c.element, jobs.c.expansion),
    *(jobs.c.raw, jobs.c.event_time, jobs.c.key, jobs.c.headers),
)


def _due(
    row: sa.ColumnElement[Any], owner: uuid.UUID, at: datetime, limits: BatchLimits
) -> sa.Select[Any]:
    """The rows of the queue that are due, the longest due first, up to the bound of bytes."""
    first = (
        sa.select(row.label("row"), queue.c.job, queue.c.due_at, queue.c.bytes)
        .where(queue.c.owner == owner, queue.c.due_at <= at)
        .order_by(queue.c.due_at)
        .limit(limits.records)
        .with_for_update(skip_locked=True)
        .cte("first")
    )
    upto = sa.func.sum(first.c.bytes).over(order_by=(first.c.due_at, first.c.job))
    sized = sa.select(first.c.row, (upto - first.c.bytes).label("before")).subquery("sized")
    return sa.select(sized.c.row).where(sized.c.before < limits.bytes)


def _claim(
    pipeline: str, owner: uuid.UUID, lease: str, at: datetime, batch: RecordBatch
) -> dict[str, Any]:
    """The row that says under which lease the jobs of a batch are executing."""
    assert batch.claim is not None, "these batches are of jobs"  # noqa: S101
    numbers = batch.claim.jobs
    return {
        "id": batch.claim.id,
        "pipeline": pipeline,
        "lease": lease,
        "jobs": numbers,
        "count": len(numbers),
        "attempted_at": at,
        "owner": owner,
    }


def _first_job(group: Group) -> int:
    """The least number of the jobs of a group."""
    first: int = min(group.cells[0])
    return first


def _batch(group: Group, home: str) -> RecordBatch:
    source, partition, shape, read_by, target, timed, of_messages, expanded = group.shared
    *tries, offsets, elements, texts, raws, times, keys, headers = _in_order(group)
    expansions = list(map(expansion_of, texts)) if expanded else [()] * len(offsets)
    ids, numbers, most, runs = tries
    return RecordBatch(
        span=Span(source, partition, offsets[0], offsets[-1] + 1),
        format=msgspec.json.decode(shape, type=Format),
        offsets=offsets,
        raws=list(map(bytes, raws)),
        times=times if timed else None,
        keys=[None if key is None else bytes(key) for key in keys],
        headers=[_headers(text) if text else () for text in headers],
        claim=Claim(
            uuid.uuid4().hex,
            Attempts((offsets, elements, expansions), (ids, numbers, most, runs)),
            read_by,
            "" if target == home else target,
        ),
        elements=elements if of_messages else None,
        expansions=expansions if expanded else None,
        ahead=list(map(len, expansions)) if expanded else None,
    )


def _in_order(group: Group) -> list[list[Any]]:
    """The cells of a group, in the order of the records in their partition."""
    *_, of_messages, expanded = group.shared
    offsets, elements, texts = group.cells[4:7]
    places: Sequence[Any] = offsets
    if of_messages or expanded:
        numbers = (number or 0 for number in elements)
        places = list(zip(offsets, numbers, map(expansion_of, texts), strict=True))
    if all(map(operator.le, places, islice(places, 1, None))):
        return list(map(list, group.cells))
    order = sorted(range(len(places)), key=places.__getitem__)
    return [list(map(column.__getitem__, order)) for column in group.cells]


_headers = msgspec.json.Decoder(Headers).decode
