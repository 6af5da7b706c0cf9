"""Move the ledger's counts from one outcome to another when a job changes its state."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.tables import progress
from sinks.ledger import ledger
from sinks.ledger.ranges import Partition
from transforms.batch.counts import Counts
from transforms.errors import Contention

Deltas = Mapping[Partition, Counts]
"""What to add to the counts of each source and partition."""


def move(connection: sa.Connection, target: str, deltas: Deltas) -> None:
    """Add ``deltas`` to the ledger of the table ``target`` in the caller's transaction.

    The partitions are locked as a commit locks them. Spans merge, so the row that counted a record
    is not known: the first row of its partition takes the whole delta. Afterwards only the sums
    over a partition have a meaning; a count of a single row may be negative. Partitions that the
    ledger does not have are left alone.

    Args:
        connection: In a transaction that writes.
        target: The table, as the ledger names it.
        deltas: What to add; if all are zero, nothing is done.

    Raises:
        Contention: Another writer merged the row away meanwhile, where no lock prevents it.
    """
    changes_of = {
        place: changes
        for place, counts in deltas.items()
        if (changes := {name: count for name, count in counts if count})
    }
    if not changes_of:
        return
    places = sorted(changes_of)
    dialect_of(connection).lock(connection, [(target, *place) for place in places])
    now = datetime.now(UTC)
    for (source, partition), rows in ledger.settlements(connection, target, places).items():
        start = min(row.start for row in rows)
        changed: dict[str, Any] = {
            name: progress.c[name] + count for name, count in changes_of[source, partition].items()
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
