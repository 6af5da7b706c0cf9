"""How far partitions have been read without a gap: what is forgotten, or was never read, may still come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

import sqlalchemy as sa

from sinks.database.tables import counts
from sinks.ledger import ledger
from sinks.ledger.ranges import Partition, coverage_of


def reached(
    connection: sa.Connection, target: str, places: Collection[Partition]
) -> dict[Partition, int]:
    """The first offset of each partition that a pipeline into ``target`` has not settled.

    A partition of which no ledger knows anything is absent: nobody reads it again.

    Args:
        connection: In a transaction.
        target: The table, as the ledger names it.
        places: The partitions.
    """
    readers: dict[str, set[Partition]] = defaultdict(set)
    sources = sorted({source for source, _ in places})
    query = sa.select(counts.c.pipeline, counts.c.source, counts.c.partition).where(
        counts.c.target == target, counts.c.source.in_(sources)
    )
    for pipeline, source, partition in connection.execute(query):
        if (source, partition) in places:
            readers[pipeline].add((source, partition))
    ends: dict[Partition, int] = {}
    for pipeline, of_pipeline in sorted(readers.items()):
        for place, rows in ledger.settlements(connection, pipeline, of_pipeline).items():
            _, end = coverage_of(rows).ranges[0]
            ends[place] = min(end, ends.get(place, end))
    return ends
