"""Forget deletes that were kept long enough, a bounded number at a time."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import retried, transaction
from sinks.database.tables import GONE, positions
from sinks.expiry import marks
from sinks.expiry.bound import bound_of
from sinks.expiry.reached import reached
from sinks.ledger.ranges import Partition

CHUNK = 2_000
"""Deletes that a transaction looks at, and removes at most."""

SHORTEST = timedelta(hours=1)
"""No delete is forgotten sooner: clocks of machines differ, and so do the times of partitions."""

_DOING = "forget deletes"
_FIRST = uuid.UUID(int=0)
_ROW = tuple(positions.c[name] for name in ("key", "source", "partition", "offset", "changed_at"))

Entered = Callable[[sa.Connection, str, datetime, int], None]
"""Enters into the audit trail: of which table, from before which time, how many."""


@dataclass(frozen=True, slots=True)
class _Gone:
    """The state of a key that is gone."""

    key: uuid.UUID
    source: str
    partition: str
    offset: int
    changed_at: datetime

    @property
    def place(self) -> Partition:
        return self.source, self.partition


def remove(
    database: Database,
    target: str,
    length: timedelta,
    entered: Entered,
    *,
    start: uuid.UUID = _FIRST,
    chunks: int | None = None,
) -> int:
    """Remove the states of keys that are gone for ``length``, and can come back no more.

    One stays while a failed record may be older (``bound_of``), and while a record below it in its
    partition is not settled. Rows that are marked stay, of course: only the state is removed.

    Args:
        database: Which database.
        target: The table, as the ledger names it.
        length: For how long a delete is kept.
        entered: Called in each transaction that removes something.
        start: The key with which to begin; those before it are the last.
        chunks: How many transactions at most; None for as many as it takes.

    Returns:
        How many were removed.

    Raises:
        SinkUnavailable: The database cannot be reached; the chunks before are committed.
        Contention: It kept asking for another try.
        SinkFailed: It refuses the change.
    """
    with transaction(database, _DOING, write=False) as connection:
        before = bound_of(connection, target, length).before
    if before is None:
        return 0
    bound = before
    removed = 0
    for low, high in _ring(start):
        after: uuid.UUID | None = low
        while after is not None and chunks != 0:
            asked = after
            number, after = retried(
                lambda: _chunk(database, target, bound, (asked, high), entered)  # noqa: B023
            )
            removed += number
            chunks = None if chunks is None else chunks - 1
    return removed


def removable(database: Database, target: str, length: timedelta) -> int:
    """How many ``remove`` would remove now; changes nothing.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    number = 0
    after: uuid.UUID | None = _FIRST
    with transaction(database, _DOING, write=False) as connection:
        before = bound_of(connection, target, length).before
    while before is not None and after is not None:
        with transaction(database, _DOING, write=False) as connection:
            old, after = _old(connection, target, before, (after, None))
            number += len(old)
    return number


def targets_of(connection: sa.Connection) -> list[str]:
    """The tables of which keys are gone: a step of the index for each."""
    labels: list[str] = []
    while True:
        query = sa.select(sa.func.min(positions.c.target)).where(GONE)
        label = connection.scalar(query.where(positions.c.target > labels[-1]) if labels else query)
        if label is None:
            return labels
        labels.append(label)


_Bounds = tuple[uuid.UUID, uuid.UUID | None]
"""The first key, and the one behind the last."""


def _ring(start: uuid.UUID) -> Iterator[_Bounds]:
    yield start, None
    if start != _FIRST:
        yield _FIRST, start


def _chunk(
    database: Database, target: str, before: datetime, keys: _Bounds, entered: Entered
) -> tuple[int, uuid.UUID | None]:
    """Remove what is old among the first keys; returns how many, and the key to go on with."""
    with transaction(database, _DOING) as connection:
        # A rewind either comes before, so that the ledger has its gap, or sees the marks.
        dialect_of(connection).lock(connection, [marks.LOCK])
        old, following = _old(connection, target, before, keys)
        held = _held(connection, [gone.key for gone in old], before)
        gone_now = [gone for gone in old if gone.key in held]
        if gone_now:
            one_of = dialect_of(connection).is_one_of(positions.c.key, sorted(held))
            connection.execute(sa.delete(positions).where(one_of))
            highest: dict[Partition, int] = {}
            for gone in gone_now:
                highest[gone.place] = max(gone.offset, highest.get(gone.place, -1))
            marks.enter(connection, target, highest)
            entered(connection, target, before, len(gone_now))
        return len(gone_now), following


def _old(
    connection: sa.Connection, target: str, before: datetime, keys: _Bounds
) -> tuple[list[_Gone], uuid.UUID | None]:
    """What may be removed among the first ``CHUNK`` keys, and the key to go on with."""
    query = sa.select(*_ROW).where(GONE, positions.c.target == target, positions.c.key >= keys[0])
    if keys[1] is not None:
        query = query.where(positions.c.key < keys[1])
    rows = connection.execute(query.order_by(positions.c.key).limit(CHUNK + 1)).all()
    old = [gone for gone in (_Gone(*row) for row in rows[:CHUNK]) if gone.changed_at < before]
    ends = reached(connection, target, {gone.place for gone in old}) if old else {}
    settled = [gone for gone in old if gone.offset < ends.get(gone.place, gone.offset + 1)]
    return settled, rows[CHUNK].key if len(rows) > CHUNK else None


def _held(
    connection: sa.Connection, keys: Collection[uuid.UUID], before: datetime
) -> set[uuid.UUID]:
    """Those of ``keys`` that nobody else is changing, and nobody has changed."""
    if not keys:
        return set()
    one_of = dialect_of(connection).is_one_of(positions.c.key, list(keys))
    query = sa.select(positions.c.key).where(one_of, GONE, positions.c.changed_at < before)
    locked = query.order_by(positions.c.key).with_for_update(skip_locked=True)
    return set(connection.execute(locked).scalars())
