"""The deletion of objects that no manifest names: replaced ones and orphans, as the state knows them.

An object is marked as deleted in the state before it is deleted in the store, so that nobody settles it
afterwards. A writer that was stopped for long may still write it once more, so the folders of deleted
objects are looked at again for a week. What the state does not know is never deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import retried, transaction
from sinks.database.tables import intents, objects
from sinks.jobs import audit_trail
from sinks.objects.compaction.parts import IS_SEGMENT, by_place, chunks, load
from sinks.objects.compaction.plan import Part
from sinks.objects.compaction.swap import Actor
from sinks.objects.store import ObjectStore

REMEMBERED = timedelta(days=7)
"""How long the state knows the name of an object that was deleted."""

FEW = 8
"""Up to so many deleted objects of a folder are asked for one by one; of more, the folder is listed."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What is to be swept, and by whom.

    Attributes:
        database: The state of the sink.
        store: Its objects.
        sink: Its label in the state.
        keep: How long an object stays after it was replaced, or became an orphan.
        by: Who does it.
        alive: Called before each change; raises ``SluiceError`` once this process must not go on.
    """

    database: Database
    store: ObjectStore
    sink: str
    keep: timedelta
    by: Actor
    alive: Callable[[], None]


def due(work: Sweep) -> Iterator[list[Part]]:
    """The objects that are to be deleted, some at a time: kept long enough, and in no manifest.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    before = _now(work) - work.keep
    where = sa.and_(_UNNAMED, objects.c.deleted_at.is_(None), objects.c.changed_at <= before)
    numbers = sorted(chain.from_iterable(by_place(work.database, work.sink, where).values()))
    for chunk in chunks(numbers):
        yield load(work.database, chunk)


def sweep(work: Sweep) -> tuple[int, int]:
    """Delete what is due, and once more what was written again after it was deleted.

    Returns:
        How many objects were deleted, and their bytes, as far as the state knows them.

    Raises:
        SinkUnavailable: The database or the store cannot be reached; a later sweep deletes the rest.
        SinkFailed: They refuse.
    """
    number, size = _look_again(work), 0
    for chunk in due(work):
        work.alive()
        for part in _mark(work, chunk):
            work.store.delete(part.name)
            number += 1
            size += part.bytes
    return number, size


_UNNAMED = sa.and_(
    objects.c.state.in_(("replaced", "orphan")), sa.not_(objects.c.pending), sa.not_(IS_SEGMENT)
)
"""What no manifest names."""


def _now(work: Sweep) -> datetime:
    with transaction(work.database, "read its time", write=False) as connection:
        return dialect_of(connection).now(connection)


def _mark(work: Sweep, chunk: Sequence[Part]) -> list[Part]:
    """Mark objects as deleted, in one transaction with the audit trail; those that may be deleted."""

    def change() -> list[Part]:
        with transaction(work.database, "mark deleted objects") as connection:
            dialect = dialect_of(connection)
            spared = _spared(connection, work.sink, [part.id for part in chunk])
            chosen = [part for part in chunk if part.name not in spared]
            numbers = [part.id for part in chosen]
            where = sa.and_(dialect.is_one_of(objects.c.id, numbers), _UNNAMED)
            marked = connection.execute(
                sa.update(objects)
                .where(where, objects.c.deleted_at.is_(None))
                .values(deleted_at=dialect.now(connection))
            ).rowcount
            if marked:
                audit_trail.enter(
                    connection,
                    "sweep",
                    actor=work.by.name,
                    reason=work.by.reason,
                    which={"sink": work.sink, "keep_seconds": work.keep.total_seconds()},
                    count=marked,
                )
            gone = sa.select(objects.c.id).where(where, objects.c.deleted_at.is_not(None))
            ids = set(connection.scalars(gone))
            return [part for part in chosen if part.id in ids]

    return retried(change)


def _spared(connection: sa.Connection, sink: str, numbers: Sequence[int]) -> set[str]:
    """The names of those orphans that an open intent may write yet, or that a settled object has.

    Names that were given up do not come back, so there are none. It is asked all the same, since a
    deletion cannot be undone. Intents are read first: what they settle, they settle as they end.
    """
    chosen = dialect_of(connection).is_one_of(objects.c.id, numbers)
    orphans = sa.select(objects.c.name).where(chosen, objects.c.state == "orphan")
    names = list(connection.scalars(orphans))
    if not names:
        return set()
    spared: set[str] = set()
    for written in connection.scalars(sa.select(intents.c.id)):
        spared |= {name for name in names if f"-{written}." in name}
    settled = sa.select(objects.c.name).where(
        objects.c.sink == sink, objects.c.state == "settled", objects.c.name.in_(names)
    )
    return spared | set(connection.scalars(settled))


def _look_again(work: Sweep) -> int:
    """Delete what is there although it was deleted; returns how many objects that are."""
    forgotten = _now(work) - REMEMBERED
    gone = sa.and_(_UNNAMED, objects.c.deleted_at.is_not(None))
    number = 0
    for place, numbers in by_place(work.database, work.sink, gone).items():
        work.alive()
        for name in _written_again(work, place.folder, numbers):
            work.store.delete(name)
            number += 1
        for chunk in chunks(numbers):
            _forget(work, chunk, forgotten)
    return number


def _written_again(work: Sweep, folder: str, numbers: Sequence[int]) -> list[str]:
    deleted = {part.name for part in load(work.database, numbers)}
    if len(deleted) <= FEW:
        return [name for name in sorted(deleted) if work.store.head(name) is not None]
    prefix = f"{folder}/" if folder else ""
    return [name for name, _ in work.store.names(prefix) if name in deleted]


def _forget(work: Sweep, numbers: Sequence[int], before: datetime) -> None:
    def change() -> None:
        with transaction(work.database, "forget deleted objects") as connection:
            chosen = dialect_of(connection).is_one_of(objects.c.id, numbers)
            connection.execute(
                sa.delete(objects).where(chosen, _UNNAMED, objects.c.deleted_at < before)
            )

    retried(change)
