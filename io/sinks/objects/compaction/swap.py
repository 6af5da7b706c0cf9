"""The swap in the state: a larger object in place of those it was made of, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import retried, transaction
from sinks.database.tables import objects
from sinks.jobs import audit_trail
from sinks.objects.compaction.parts import chunks
from sinks.objects.compaction.plan import Origin, Part
from transforms.errors import SinkFailed


class Superseded(SinkFailed):
    """The objects are not what they were when they were read: somebody else has replaced them."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and why, for the audit trail."""

    name: str
    reason: str


def reserve(database: Database, sink: str, group: Sequence[Part], name: str) -> int:
    """Enter the object to be written as an orphan, before it is: so a crash leaves no unknown name.

    Args:
        database: The state.
        sink: The label of the sink.
        group: What it will replace.
        name: Of the new object; no other object has ever had it.

    Returns:
        Its number.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """

    origin = Origin.of(group)

    def enter() -> int:
        with transaction(database, "enter an object") as connection:
            at = dialect_of(connection).now(connection)
            row = {
                "sink": sink,
                "target": group[0].target,
                "name": name,
                "pipeline": group[0].pipeline,
                "source": origin.source,
                "partition": origin.partition,
                "start_offset": origin.start,
                "end_offset": origin.end,
                **dict.fromkeys(("rows", "bytes"), 0),
                "etag": "",
                "state": "orphan",
                "pending": False,
                **dict.fromkeys(("created_at", "changed_at"), at),
            }
            key = connection.execute(sa.insert(objects).values(row)).inserted_primary_key
            return int(key[0]) if key is not None else 0

    return retried(enter)


def swap(
    database: Database, number: int, written: tuple[int, int, str], group: Sequence[Part], by: Actor
) -> Part:
    """Settle the object ``number`` and mark those of ``group`` as replaced; returns the new one.

    All of them change, or none: two processes cannot replace the same object. An object that is
    being swept cannot be settled any more.

    Args:
        database: The state.
        number: What ``reserve`` returned.
        written: Rows, bytes and etag of the new object.
        group: What it was made of.
        by: Who does it.

    Raises:
        Superseded: One of the objects has changed its state.
        SinkUnavailable: The database cannot be reached; it may have swapped them all the same.
    """
    rows, size, etag = written

    def change() -> Part:
        with transaction(database, "replace objects") as connection:
            dialect = dialect_of(connection)
            at = dialect.now(connection)
            state = {"pending": True, "changed_at": at}
            gone = sum(
                connection.execute(
                    sa.update(objects)
                    .where(dialect.is_one_of(objects.c.id, chunk), objects.c.state == "settled")
                    .values(state="replaced", **state)
                ).rowcount
                for chunk in chunks(sorted(part.id for part in group))
            )
            settled = connection.execute(
                sa.update(objects)
                .where(objects.c.id == number, objects.c.state == "orphan")
                .where(objects.c.deleted_at.is_(None))
                .values(state="settled", rows=rows, bytes=size, etag=etag, **state)
            ).rowcount
            if gone != len(group) or not settled:
                raise Superseded("another process has replaced the same objects; run it again")
            row = connection.execute(
                sa.select(objects.c.sink, objects.c.name).where(objects.c.id == number)
            ).one()
            audit_trail.enter(
                connection,
                "compact",
                actor=by.name,
                reason=by.reason,
                which={"sink": row.sink, "target": group[0].target, "into": row.name},
                count=len(group),
            )
        origin = Origin.of(group)
        return Part(
            number,
            group[0].target,
            group[0].pipeline,
            row.name,
            *(origin.source, origin.partition, origin.start, origin.end, rows, size, etag),
        )

    return retried(change)
