"""What was forgotten of deletes: the highest offset of each partition, below which none may be read again."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.tables import counts, expired
from sinks.ledger.ranges import Partition

LOCK = ("", "deletes")
"""Held by who forgets deletes, and by who lets offsets be read again."""

_CHUNK = 100
"""Partitions of one query: a database bounds how deep a condition is."""


def enter(connection: sa.Connection, target: str, highest: Mapping[Partition, int]) -> None:
    """Note that deletes at these offsets were forgotten.

    Args:
        connection: In a transaction that holds ``LOCK``.
        target: The table, as the ledger names it.
        highest: The highest offset of each partition.
    """
    of_target = expired.c.target == target
    before = {
        (source, partition): offset
        for condition in _conditions(list(highest))
        for source, partition, offset in connection.execute(
            sa.select(expired.c.source, expired.c.partition, expired.c.offset).where(
                of_target, condition
            )
        )
    }
    now = dialect_of(connection).now(connection)
    rows = [
        {
            "target": target,
            "source": place[0],
            "partition": place[1],
            "offset": offset,
            "changed_at": now,
        }
        for place, offset in sorted(highest.items())
        if offset > before.get(place, -1)
    ]
    if rows:
        dialect_of(connection).upsert(connection, expired, rows)


def highest_of(
    connection: sa.Connection, pipeline: str, places: Collection[Partition]
) -> dict[Partition, tuple[int, str]]:
    """The highest offset that was forgotten of a pipeline's partitions, and the table of its row.

    Args:
        connection: In a transaction.
        pipeline: Who has read them; marks of tables that it does not write do not concern it.
        places: The partitions.
    """
    writes = sa.exists().where(
        counts.c.pipeline == pipeline,
        *(counts.c[name] == expired.c[name] for name in ("target", "source", "partition")),
    )
    marks: dict[Partition, tuple[int, str]] = {}
    for condition in _conditions(sorted(places)):
        query = sa.select(
            *(expired.c[name] for name in ("source", "partition", "offset", "target"))
        ).where(condition, writes)
        for source, partition, offset, target in connection.execute(query):
            marks[source, partition] = max(
                (offset, target), marks.get((source, partition), (-1, ""))
            )
    return marks


def _conditions(places: list[Partition]) -> list[sa.ColumnElement[bool]]:
    return [
        sa.or_(
            *(
                sa.and_(expired.c.source == source, expired.c.partition == partition)
                for source, partition in places[first : first + _CHUNK]
            )
        )
        for first in range(0, len(places), _CHUNK)
    ]
