"""The parts of a manifest that its root does not name any more, or has never named.

A part is written before the root that names it. So one that no root names may be deleted once the root
has been replaced since it was seen: whoever wrote it for the root of then fails to replace that.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.engine import retried, transaction
from sinks.database.tables import objects
from sinks.jobs import audit_trail
from sinks.objects.compaction.parts import IS_SEGMENT, chunks
from sinks.objects.compaction.sweep import Sweep
from sinks.objects.names import SEGMENTS
from sinks.objects.publish import Publisher


def sweep(work: Sweep, publisher: Publisher) -> int:
    """Delete the parts that nobody needs any more; returns how many.

    What is seen for the first time is entered in the state, and deleted by a later sweep.

    Raises:
        SinkFailed: The manifest is gone.
        SinkUnavailable: The state or the store cannot be reached.
    """
    listed = [name for name, _ in work.store.names(SEGMENTS)]
    root, _ = publisher.root()  # after the parts, so that none was written for a later one
    loose = set(listed) - {segment.name for segment in root.segments}
    now, entered = _entered(work)
    old = [
        name
        for name, (_, number, seen_at) in sorted(entered.items())
        if name in loose and number < root.number and seen_at <= now - work.keep
    ]
    for name in old:
        work.alive()
        work.store.delete(name)
    done = [entered[name][0] for name in entered.keys() - (loose - set(old))]
    _note(work, done, sorted(loose - entered.keys()), root.number, len(old))
    return len(old)


def _entered(work: Sweep) -> tuple[datetime, dict[str, tuple[int, int, datetime]]]:
    """The time, and the parts that were seen: number in the state, number of the root, when."""
    columns = (objects.c.name, objects.c.id, objects.c.published, objects.c.changed_at)
    query = sa.select(*columns).where(objects.c.sink == work.sink, IS_SEGMENT)
    with transaction(work.database, "read parts of the manifest", write=False) as connection:
        now = dialect_of(connection).now(connection)
        return now, {row[0]: (row[1], row[2], row[3]) for row in connection.execute(query)}


def _note(
    work: Sweep, done: Collection[int], seen: Sequence[str], number: int, deleted: int
) -> None:
    """Enter the parts that were seen first, and take out those that are gone or named."""

    def change() -> None:
        with transaction(work.database, "note parts of the manifest") as connection:
            dialect = dialect_of(connection)
            for chunk in chunks(sorted(done)):
                these = dialect.is_one_of(objects.c.id, chunk)
                connection.execute(sa.delete(objects).where(these, IS_SEGMENT))
            at = dialect.now(connection)
            row = {
                **dict.fromkeys(("sink", "target"), work.sink),
                **dict.fromkeys(("pipeline", "source", "partition", "etag"), ""),
                **dict.fromkeys(("start_offset", "end_offset", "rows", "bytes"), 0),
                **dict.fromkeys(("created_at", "changed_at"), at),
                "state": "orphan",
                "pending": False,
                "published": number,
            }
            if seen:
                connection.execute(sa.insert(objects), [{**row, "name": name} for name in seen])
            if deleted:
                audit_trail.enter(
                    connection,
                    "sweep",
                    actor=work.by.name,
                    reason=work.by.reason,
                    which={"sink": work.sink, "part": "manifest"},
                    count=deleted,
                )

    retried(change)
