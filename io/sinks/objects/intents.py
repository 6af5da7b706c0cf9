"""The table of intents: entered before objects are written, and gone once they are settled.

An intent that another writer has taken over has a higher fence, and one that was retired is gone.
Whoever finds that of its own must not go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from sinks.database.classify import classify
from sinks.database.dialects import dialect_of
from sinks.database.engine import DATABASE_ERRORS
from sinks.database.tables import claims, intents, objects
from sinks.ledger.ranges import Partition
from sinks.objects.cutting import Intent, ObjectId
from transforms.batch.coverage import Range
from transforms.per_process import PerProcess

GRACE = 10.0
"""Seconds for which an intent of another process is left alone: it may be at work."""


class Superseded(Exception):
    """Another writer has taken over an intent, or has retired it."""


class Busy(Exception):
    """Another process has entered or taken over an intent a moment ago."""


OWN: PerProcess[None, dict[tuple[str, int], None]] = PerProcess(lambda _: {})
"""The id and fence of each intent that this process has, the oldest first."""

_MOST_OWN = 10_000


def _keep(own: Iterable[Intent]) -> None:
    memory = OWN.get(None)
    memory.update(((intent.id, intent.fence), None) for intent in own)
    while len(memory) > _MOST_OWN:
        del memory[next(iter(memory))]


def leave_others_alone(opened: Iterable[Intent], ranges: Sequence[Range]) -> None:
    """Refuse to take over, or to retire, what another process may just be writing.

    Two live writers of the same ranges would otherwise take them from each other without end.

    Raises:
        Busy: An intent that touches ``ranges`` is another's, and younger than ``GRACE``.
    """
    memory = OWN.get(None)
    for intent in opened:
        own = (intent.id, intent.fence) in memory
        if not own and intent.age < GRACE and intent.touches(ranges):
            raise Busy


def open_intents(
    connection: sa.Connection, pipeline: str, places: Iterable[Partition]
) -> dict[Partition, list[Intent]]:
    """The intents of ``pipeline`` that are open, by partition; those without any are absent."""
    wanted = set(places)
    columns = intents.c
    rows: list[Any] = []
    for source in sorted({source for source, _ in wanted}):
        query = sa.select(intents).where(columns.pipeline == pipeline, columns.source == source)
        rows += [row for row in connection.execute(query) if (source, row.partition) in wanted]
    result: dict[Partition, list[Intent]] = {}
    for intent in _aged(connection, rows):
        result.setdefault((intent.source, intent.partition), []).append(intent)
    return result


def old_intents(connection: sa.Connection, pipeline: str) -> list[Intent]:
    """The open intents of ``pipeline`` that nobody has entered or taken over for ``GRACE``."""
    rows = connection.execute(sa.select(intents).where(intents.c.pipeline == pipeline)).all()
    return [intent for intent in _aged(connection, rows) if intent.age >= GRACE]


def open_ranges(connection: sa.Connection, pipeline: str) -> dict[Partition, list[Range]]:
    """The ranges of all open intents of ``pipeline``, by partition; those of jobs are left out."""
    columns = intents.c
    query = sa.select(
        columns.source, columns.partition, columns.start_offset, columns.end_offset
    ).where(columns.pipeline == pipeline, columns.source != "")
    ranges: dict[Partition, list[Range]] = {}
    for source, partition, start, end in connection.execute(query):
        ranges.setdefault((source, partition), []).append((start, end))
    return ranges


def enter(connection: sa.Connection, fresh: Sequence[Intent]) -> None:
    """Enter new intents.

    Raises:
        Superseded: Where no lock holds writers off, another has entered one that begins at the same
            offset; the transaction must be rolled back.
    """
    at = dialect_of(connection).now(connection)
    if fresh:
        rows = [
            {
                **_key(intent),
                "end_offset": intent.end,
                "id": intent.id,
                "fence": intent.fence,
                "objects": [list(name) for name in intent.objects],
                "created_at": at,
                "updated_at": at,
            }
            for intent in fresh
        ]
        try:
            connection.execute(sa.insert(intents), rows)
        except DATABASE_ERRORS as error:
            if classify(error).kind == "record":
                raise Superseded from error
            raise
        _keep(fresh)


def take_over(connection: sa.Connection, intent: Intent, names: Sequence[ObjectId]) -> Intent:
    """Write an open intent again, as objects called ``names``: at least those that it had.

    Raises:
        Superseded: Another writer was faster.
    """
    taken = replace(intent, fence=intent.fence + 1, objects=tuple(names))
    changed = connection.execute(
        sa.update(intents)
        .where(*_matches(intent))
        .values(
            fence=taken.fence,
            objects=[list(name) for name in names],
            updated_at=dialect_of(connection).now(connection),
        )
    )
    if changed.rowcount != 1:
        raise Superseded
    _keep([taken])
    return taken


def retire(connection: sa.Connection, gone: Iterable[Intent]) -> None:
    """Give up open intents: their objects become orphans, to be deleted."""
    for intent in gone:
        deleted = connection.execute(sa.delete(intents).where(*_matches(intent)))
        if deleted.rowcount == 1:
            enter_orphans(connection, intent, intent.objects)


def retire_settled(
    connection: sa.Connection, pipeline: str, settled: Mapping[Partition, Sequence[Range]]
) -> None:
    """Give up the intents that touch what is settled without them: no commit can settle them now.

    Args:
        connection: In a transaction that holds the locks of the partitions.
        pipeline: Whose intents.
        settled: Ranges, by partition.
    """
    for place, opened in sorted(open_intents(connection, pipeline, settled).items()):
        retire(connection, [intent for intent in opened if intent.touches(settled[place])])


def retire_jobs(connection: sa.Connection, pipeline: str) -> None:
    """Give up the intents of jobs whose claim is gone: whoever claims them next makes others."""
    columns = intents.c
    query = sa.select(intents).where(columns.pipeline == pipeline, columns.source == "")
    of_jobs = [_intent(row) for row in connection.execute(query.order_by(columns.partition))]
    if of_jobs:
        ids = [intent.partition for intent in of_jobs]
        held = connection.scalars(sa.select(claims.c.id).where(claims.c.id.in_(ids)))
        present = {claim.replace("-", "") for claim in held}
        retire(connection, [i for i in of_jobs if i.partition.replace("-", "") not in present])


def is_current(connection: sa.Connection, intent: Intent) -> bool:
    """Whether no other writer has taken over ``intent``, or has retired it."""
    query = sa.select(intents.c.fence).where(*_matches(intent))
    return connection.execute(query).first() is not None


def close(connection: sa.Connection, done: Iterable[Intent]) -> None:
    """Delete intents whose objects are being settled in the same transaction.

    Raises:
        Superseded: One of them is another writer's now.
    """
    for intent in done:
        deleted = connection.execute(sa.delete(intents).where(*_matches(intent)))
        if deleted.rowcount != 1:
            raise Superseded


def enter_orphans(connection: sa.Connection, intent: Intent, names: Sequence[ObjectId]) -> None:
    """Note objects that may have been written, and are a part of no dataset."""
    at = dialect_of(connection).now(connection)
    if names:
        rows = [
            {
                **object_row(intent, name),
                "rows": 0,
                "bytes": 0,
                "etag": "",
                "state": "orphan",
                "pending": False,
                "created_at": at,
                "changed_at": at,
            }
            for name in names
        ]
        connection.execute(sa.insert(objects), rows)


def object_row(intent: Intent, name: ObjectId) -> dict[str, Any]:
    """The columns of ``ingest_objects`` that an intent and a name tell."""
    of_jobs = intent.is_of_jobs
    return {
        "sink": name.sink,
        "target": name.target,
        "name": name.name,
        "pipeline": intent.pipeline,
        "source": intent.source,
        "partition": "" if of_jobs else intent.partition,
        "start_offset": intent.start,
        "end_offset": intent.end,
    }


def _aged(connection: sa.Connection, rows: Sequence[Any]) -> list[Intent]:
    """The intents of ``rows``, and how old they are."""
    if not rows:
        return []
    now = dialect_of(connection).now(connection)
    return [replace(_intent(row), age=(now - row.updated_at).total_seconds()) for row in rows]


def _intent(row: Any) -> Intent:
    return Intent(
        pipeline=row.pipeline,
        source=row.source,
        partition=row.partition,
        start=row.start_offset,
        end=row.end_offset,
        id=row.id,
        fence=row.fence,
        objects=tuple(ObjectId(*name) for name in row.objects),
    )


def _key(intent: Intent) -> dict[str, Any]:
    return {
        "pipeline": intent.pipeline,
        "source": intent.source,
        "partition": intent.partition,
        "start_offset": intent.start,
    }


def _matches(intent: Intent) -> list[sa.ColumnElement[bool]]:
    """The row of ``intent``, as long as it is at this fence."""
    columns = intents.c
    place = [columns[name] == value for name, value in _key(intent).items()]
    return [*place, columns.id == intent.id, columns.fence == intent.fence]
