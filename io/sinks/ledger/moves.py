"""Move the ledger's counts when a stored failure becomes something else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.tables import progress
from sinks.ledger import ledger
from sinks.ledger.ranges import Partition
from transforms.errors import Contention

Deltas = Mapping[Partition, Mapping[str, int]]
"""By source and partition, how much is to be added to which of ``COUNTS``."""


def move(connection: sa.Connection, target: str, deltas: Deltas) -> None:
    """Add ``deltas`` to the ledger of the table ``target`` in the caller's transaction.

    Locks the partitions as a commit does. Ranges merge, so a record's own row cannot be told:
    each partition's first row takes the whole delta. Only the sums over a partition mean
    something afterwards; a count of a single row may fall below zero. A partition that the
    ledger does not know is left alone.

    Args:
        connection: In a transaction that writes.
        target: The table, as the ledger names it.
        deltas: What to add; those that are all zero cost nothing.

    Raises:
        Contention: Another writer merged the row away meanwhile, where no lock holds it off.
    """
    wanted = {
        place: changes
        for place, counts in deltas.items()
        if (changes := {name: count for name, count in counts.items() if count})
    }
    if not wanted:
        return
    places = sorted(wanted)
    dialect_of(connection).lock(connection, [(target, *place) for place in places])
    now = datetime.now(UTC)
    for (source, partition), rows in ledger.settlements(connection, target, places).items():
        start = min(row.start for row in rows)
        changed: dict[str, Any] = {
            name: progress.c[name] + count for name, count in wanted[source, partition].items()
        }
        done = connection.execute(
            sa.update(progress)
            .where(
                progress.c.target == target,
                progress.c.source == source,
                progress.c.partition == partition,
                progress.c.start_offset == start,
            )
            .values(**changed, updated_at=now)
        )
        if done.rowcount != 1:
            raise Contention(
                f"another writer merged the ledger of {source} ({partition}) at the same time; "
                "trying again"
            )
