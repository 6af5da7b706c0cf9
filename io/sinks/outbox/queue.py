"""The rows of the outbox that wait to be published: read, marked and finally deleted."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from math import gcd
from typing import Any

import sqlalchemy as sa

from sinks.database import leases
from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import exists, transaction
from sinks.database.label import label_of
from sinks.database.migrations import version
from sinks.database.tables import OPERATION, SHARDS, outbox
from sinks.database.tables import leases as leases_table
from transforms.batch.record import JSON, Headers, RecordBatch, Span
from transforms.batch.splits import BatchLimits
from transforms.errors import ConfigError
from transforms.per_process import PerProcess
from transforms.route.table_name import TableName
from transforms.throttle import Throttle

PRUNE_SECONDS = 60.0
CHUNK = 5_000
"""How many rows one transaction deletes."""
_PREFIX = "outbox:"
_ALL = "*"


@dataclass(slots=True)
class _State:
    """What this process remembers about an outbox.

    Attributes:
        held: The leases of the parts that it publishes.
        lock: Held while they change.
    """

    held: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True)
class SqlOutboxQueue:
    """The outbox of one database. Implements ``sources.outbox.OutboxQueue``.

    Attributes:
        database: The database.
        table: The target table whose changes are published; None stands for all.
        lease_seconds: How long a publisher may be silent before another takes over.
        retain: How long to keep published rows; None keeps them forever.
    """

    database: Database
    table: TableName | None = None
    lease_seconds: float = 20.0
    retain: timedelta | None = None

    @property
    def name(self) -> str:
        """The target table, or ``*`` for all."""
        return _ALL if self.table is None else str(self.table)

    def check(self) -> None:
        """Check that the database has an outbox.

        Raises:
            ConfigError: It has none, its tables have another version than this program, or the
                database refuses.
            SinkUnavailable: The database cannot be reached.
        """
        without = ConfigError(
            f"{self.database} has no outbox; run `sluice ingest … --outbox` first"
        )
        if not exists(self.database):
            raise without
        doing = "read the outbox"
        with transaction(self.database, doing, write=False, refused=ConfigError) as connection:
            if not sa.inspect(connection).has_table(outbox.name):
                raise without
            version.check(connection)

    def hold(self, number: int, count: int) -> bool:
        """Take or keep a part. Returns False while another process publishes some of its rows.

        Parts are sets of shards, so parts of publishers with other numbers of splits may overlap.
        """
        with transaction(self.database, "read the outbox", write=False) as connection:
            scope = _ALL if self.table is None else label_of(connection, self.table)
        name = f"{_PREFIX}{scope}:{number}/{count}"
        state = _states.get(self)
        with state.lock:
            held_before = name in state.held
        held = leases.hold(self.database, name, self.lease_seconds)
        # Take first, then look: of two publishers that do so at once, at least one sees the other.
        if held and not held_before and self._contested(name):
            leases.release(self.database, name)
            held = False
        with state.lock:
            state.held.add(name) if held else state.held.discard(name)
        return held

    def release(self, number: int, count: int) -> None:
        """Release the part."""
        ending, state = f":{number}/{count}", _states.get(self)
        with state.lock:
            names = [name for name in state.held if name.endswith(ending)]
            state.held.difference_update(names)
        for name in names:
            leases.release(self.database, name)

    def read(
        self, number: int, count: int, limits: BatchLimits, taken: Collection[int]
    ) -> tuple[RecordBatch | None, set[int]]:
        """The first rows of a part that are neither published nor ``taken``.

        Returns:
            Their batch, or None if there are none, and those of ``taken`` that are unpublished.
        """
        with transaction(self.database, "read the outbox", write=False) as connection:
            dialect_of(connection).prefer_indexes(connection, ordered=True)
            unpublished_rows = self._waiting(connection, number, count)
            size = sa.func.length(outbox.c.payload) + sa.func.length(outbox.c.key)
            first = sa.select(outbox.c.id, size).where(unpublished_rows).order_by(outbox.c.id)
            candidates = connection.execute(first.limit(limits.records + len(taken))).all()
            unpublished = {id_ for id_, _ in candidates}.intersection(taken)
            fresh = [(id_, size) for id_, size in candidates if id_ not in unpublished]
            ids = set(_within(fresh[: limits.records], limits.bytes))
            if not ids:
                return None, unpublished
            between = sa.and_(unpublished_rows, outbox.c.id.between(min(ids), max(ids)))
            rows = connection.execute(sa.select(*_READ).where(between).order_by(outbox.c.id))
            batch = _batch(f"outbox://{self.name}", f"{number}/{count}", rows, ids)
        return batch, unpublished

    def mark(self, ids: Sequence[int]) -> None:
        """Mark the rows with these numbers as published.

        Raises:
            SinkUnavailable: The database cannot be reached.
            Contention: It asks for another try.
        """
        with transaction(self.database, "mark changes as published") as connection:
            dialect = dialect_of(connection)
            unpublished = sa.update(outbox).where(
                dialect.is_one_of(outbox.c.id, ids), outbox.c.published_at.is_(None)
            )
            connection.execute(unpublished.values(published_at=dialect.now(connection)))

    def waiting(self) -> int:
        """How many rows are not published yet.

        Raises:
            SinkUnavailable: The database cannot be reached.
        """
        with transaction(self.database, "read the outbox", write=False) as connection:
            query = sa.select(sa.func.count()).where(self._waiting(connection, 0, 1))
            return connection.execute(query).scalar_one()

    def maintain(self) -> None:
        """Prune at most once a minute in this process."""
        if self.retain is not None and _prunes.take_turn(self):
            self.prune(self.retain)

    def prune(self, retain: timedelta) -> int:
        """Delete rows that were published longer than ``retain`` ago, one chunk per transaction.

        Returns:
            How many rows were deleted.
        """
        deleted = 0
        while True:
            with transaction(self.database, "delete published changes") as connection:
                dialect = dialect_of(connection)
                before = dialect.now(connection) - retain
                old = self._of_target(connection, outbox.c.published_at < before)
                query = sa.select(outbox.c.id).where(old).order_by(outbox.c.published_at)
                ids = list(connection.execute(query.limit(CHUNK)).scalars())
                connection.execute(sa.delete(outbox).where(dialect.is_one_of(outbox.c.id, ids)))
            deleted += len(ids)
            if len(ids) < CHUNK:
                return deleted

    def _contested(self, name: str) -> bool:
        with transaction(self.database, "read leases", write=False) as connection:
            query = sa.select(leases_table.c.name).where(
                leases_table.c.name.like(f"{_PREFIX}%"),
                leases_table.c.name != name,
                leases_table.c.expires_at > dialect_of(connection).now(connection),
            )
            return any(_overlap(name, other) for other in connection.execute(query).scalars())

    def _waiting(
        self, connection: sa.Connection, number: int, count: int
    ) -> sa.ColumnElement[bool]:
        # Written as in the partial index.
        waiting = self._of_target(connection, outbox.c.published_at.is_(None))
        if count == 1:
            return waiting
        shards = [shard for shard in range(SHARDS) if shard % count == number]
        return sa.and_(waiting, outbox.c.shard.in_(shards))

    def _of_target(
        self, connection: sa.Connection, condition: sa.ColumnElement[bool]
    ) -> sa.ColumnElement[bool]:
        if self.table is None:
            return condition
        return sa.and_(condition, outbox.c.target == label_of(connection, self.table))


def release_all() -> None:
    """Release all parts of this process, because its pipeline has ended."""
    _states.clear()
    _prunes.clear()
    leases.release_all()


_states: PerProcess[SqlOutboxQueue, _State] = PerProcess(lambda _: _State())
_prunes: Throttle[SqlOutboxQueue] = Throttle(PRUNE_SECONDS)


_READ = (
    outbox.c.id,
    outbox.c.target,
    outbox.c.key,
    OPERATION.label("operation"),
    outbox.c.source,
    outbox.c.partition,
    outbox.c.offset,
    outbox.c.element,
    outbox.c.expansion,
    outbox.c.payload,
    outbox.c.created_at,
)


def _batch(source: str, partition: str, rows: Iterable[Any], ids: Collection[int]) -> RecordBatch:
    read = [row for row in rows if row.id in ids]  # others may have come between two statements
    return RecordBatch(
        span=Span(source, partition, read[0].id, read[-1].id + 1),
        format=JSON,
        offsets=[row.id for row in read],
        raws=[bytes(row.payload) for row in read],
        keys=[row.key.encode() for row in read],
        headers=[_headers(row) for row in read],
    )


def _headers(row: Any) -> Headers:
    return (
        ("idempotence-id", f"{row.target}:{row.id}:{_microseconds(row.created_at)}".encode()),
        ("target", _encoded(row.target)),
        ("operation", _encoded(row.operation)),
        ("source", _encoded(row.source)),
        ("partition", _encoded(row.partition)),
        ("offset", b"%d" % row.offset),
        *(() if row.element is None else (("element", b"%d" % row.element),)),
        *((("expansion", row.expansion.encode()),) if row.expansion else ()),
    )


# All rows of a commit have the same time, and most of them the same names.
_encoded = lru_cache(1_000)(str.encode)


@lru_cache(1_000)
def _microseconds(at: datetime) -> int:
    """Part of an id, because numbers begin at 1 again in a new database."""
    return round(at.timestamp() * 1_000_000)


def _within(rows: Iterable[tuple[int, int]], limit: int) -> Iterator[int]:
    """The numbers of the first rows of about ``limit`` bytes in all, but at least one."""
    total = 0
    for id_, size in rows:
        if total and total + size > limit:
            return
        total += size
        yield id_


def _overlap(one: str, other: str) -> bool:
    """Whether the parts of two leases, given by their names, overlap."""
    scope, number, count = _parsed(one)
    other_scope, other_number, other_count = _parsed(other)
    if scope != other_scope and _ALL not in (scope, other_scope):
        return False
    return (number - other_number) % gcd(count, other_count) == 0


def _parsed(name: str) -> tuple[str, int, int]:
    scope, _, part = name.removeprefix(_PREFIX).rpartition(":")
    number, _, count = part.partition("/")
    return scope, int(number), int(count)
