"""Rows of the ledger, made by hand."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.migrations.migrate import prepare
from sinks.database.tables import counts, pipelines, progress
from tests.io.sinks.tested_database import Database
from transforms.batch.counts import Counts

Row = tuple[str, str, str, int, int, bool]
"""Pipeline, source, partition, start, end, and whether the partition ends there."""


def add(database: Database, *rows: Row, violating: Sequence[Row] = ()) -> None:
    """Rows of the ledger whose records were all inserted; each pipeline writes the table of its name."""
    prepare(database.database)
    with transaction(database.database, "test") as connection:
        now = dialect_of(connection).now(connection)
        for row in (*rows, *violating):
            pipeline, source, partition, start, end, final = row
            number = end - start
            numbers = Counts(read=number, inserted=number - (row in violating))
            where = {"pipeline": pipeline, "source": source, "partition": partition}
            dialect_of(connection).upsert(
                connection,
                progress,
                [
                    {
                        **where,
                        **dict(numbers),
                        "start_offset": start,
                        "end_offset": end,
                        "final": final,
                        "updated_at": now,
                        "content": None,
                        "run": None,
                    }
                ],
            )
            of_table = {**where, "target": pipeline, **dict(numbers)}
            of_table |= {"purged": 0, "dead_letters": 0}
            dialect_of(connection).add(connection, counts, [of_table])
            registered = sa.select(pipelines.c.name).where(pipelines.c.name == pipeline)
            if connection.scalar(registered) is None:
                connection.execute(sa.insert(pipelines).values(name=pipeline, target=pipeline))
