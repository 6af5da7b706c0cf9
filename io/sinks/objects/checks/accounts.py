"""The rows of the settled objects of each dataset beside what the ledger counts as inserted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.tables import counts, intents, manifests, objects


@dataclass(frozen=True, slots=True)
class DatasetAccount:
    """What one pipeline has written into one dataset.

    Attributes:
        pipeline: Which pipeline.
        target: The dataset, as the ledger names it.
        objects: How many settled objects it has.
        rows: How many records these hold.
        bytes: Their size.
        inserted: How many records the ledger counts as inserted there.
    """

    pipeline: str
    target: str
    objects: int
    rows: int
    bytes: int
    inserted: int

    @property
    def ok(self) -> bool:
        """Whether the objects hold what the ledger counts."""
        return self.rows == self.inserted


@dataclass(frozen=True, slots=True)
class Intent:
    """A range whose objects are being written, or were when a process ended.

    Attributes:
        pipeline: Which pipeline.
        source: What it reads; empty for jobs.
        partition: A partition of that.
        start: The first offset.
        end: The offset behind the last.
        fence: How often it was taken over.
        age: Since it was entered.
        objects: How many objects of the sink it names.
    """

    pipeline: str
    source: str
    partition: str
    start: int
    end: int
    fence: int
    age: timedelta
    objects: int


@dataclass(frozen=True, slots=True)
class State:
    """What the state knows of a sink, as of one moment.

    Attributes:
        sink: The label of the sink.
        datasets: By target and pipeline.
        intents: The ranges that are open, the oldest first.
        pending: How many objects the manifest does not name, or no longer, once it is published.
        orphans: How many objects belong to nobody and wait for a sweep.
        replaced: How many were replaced and wait for a sweep.
    """

    sink: str
    datasets: tuple[DatasetAccount, ...]
    intents: tuple[Intent, ...]
    pending: int
    orphans: int
    replaced: int


def sinks(database: Database) -> list[str]:
    """The labels of all buckets and folders whose state this database is.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(database, "read its sinks", write=False) as connection:
        if not sa.inspect(connection).has_table(manifests.name):
            return []
        return list(connection.scalars(sa.select(manifests.c.sink).order_by(manifests.c.sink)))


def state_of(database: Database, sink: str) -> State:
    """What the state knows of a sink.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(database, "read its objects", write=False) as connection:
        dialect_of(connection).read_one_moment(connection)
        by_state = _WAITING.where(objects.c.sink == sink).group_by(objects.c.state)
        waiting: dict[str, int] = {row[0]: row[1] for row in connection.execute(by_state)}
        pending = sa.select(sa.func.count()).where(objects.c.sink == sink, objects.c.pending)
        return State(
            sink,
            tuple(_datasets(connection, sink)),
            tuple(_intents(connection, sink)),
            connection.execute(pending).scalar_one(),
            waiting.get("orphan", 0),
            waiting.get("replaced", 0),
        )


_WAITING = sa.select(objects.c.state, sa.func.count()).where(objects.c.deleted_at.is_(None))


def _datasets(connection: sa.Connection, sink: str) -> Iterator[DatasetAccount]:
    key = (objects.c.target, objects.c.pipeline)
    sums = [sa.func.coalesce(sa.func.sum(objects.c[name]), 0) for name in ("rows", "bytes")]
    written = {
        (target, pipeline): (number, int(rows), int(size))
        for target, pipeline, number, rows, size in connection.execute(
            sa.select(*key, sa.func.count(), *sums)
            .where(objects.c.sink == sink, objects.c.state == "settled")
            .group_by(*key)
        )
    }
    # Of routes, the name of the dataset alone: another pipeline may have a table of that name.
    routed = {
        (target, pipeline)
        for target, pipeline in connection.execute(
            sa.select(*key).where(objects.c.sink == sink).distinct()
        )
    }
    inside = sa.or_(
        counts.c.target == sink,
        counts.c.target.startswith(f"{sink}/", autoescape=True),
        counts.c.target.in_(sa.select(objects.c.target).where(objects.c.sink == sink)),
    )
    counted = {
        (target, pipeline): int(inserted)
        for target, pipeline, inserted in connection.execute(
            sa.select(counts.c.target, counts.c.pipeline, sa.func.sum(counts.c.inserted))
            .where(inside)
            .group_by(counts.c.target, counts.c.pipeline)
        )
        if target.startswith(sink) or (target, pipeline) in routed
    }
    others = set(connection.scalars(sa.select(manifests.c.sink))) - {sink}
    for target, pipeline in sorted(written.keys() | counted.keys()):
        if target in others or "/" in target.removeprefix(sink).removeprefix("/"):
            continue  # of a sink within this one
        number, rows, size = written.get((target, pipeline), (0, 0, 0))
        inserted = counted.get((target, pipeline), 0)
        yield DatasetAccount(pipeline, target, number, rows, size, inserted)


def _intents(connection: sa.Connection, sink: str) -> Iterator[Intent]:
    at = dialect_of(connection).now(connection)
    for row in connection.execute(sa.select(intents).order_by(intents.c.created_at)):
        number = sum(of_sink == sink for of_sink, *_ in row.objects)
        if number:
            yield Intent(
                *(row.pipeline, row.source, row.partition, row.start_offset, row.end_offset),
                *(row.fence, at - row.created_at, number),
            )
