"""Keys of a table that are gone, as commits would leave them, and what pipelines have read."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.database.tables import counts, positions, progress
from tests.io.sinks.tested_database import Database
from transforms.batch.counts import COUNTS

SOURCE = "kafka://changes"


def prepared(database: Database) -> Database:
    database.run("CREATE TABLE events (id integer PRIMARY KEY)")
    database.sink(key=["id"])
    return database


def forget_later(
    database: Database,
    *offsets: int,
    age: timedelta = timedelta(days=40),
    partition: str = "0",
    target: str = "events",
    deleted: bool = True,
    start: int = 0,
    source: str = SOURCE,
) -> list[uuid.UUID]:
    """Enter a key for each offset, whose last change was there; returns the keys."""
    keys = [uuid.UUID(int=start + number + 1) for number in range(len(offsets))]
    rows = [
        {
            "key": key,
            "target": target,
            "position": None,
            "source": source,
            "partition": partition,
            "offset": offset,
            "element": 0,
            "deleted": deleted,
            "changed_at": datetime.now(UTC) - age,
        }
        for key, offset in zip(keys, offsets, strict=True)
    ]
    insert(database, positions, rows)
    return keys


def settled(
    database: Database,
    *ranges: tuple[int, int],
    partition: str = "0",
    pipeline: str = "events",
    target: str = "events",
) -> None:
    """Enter what a pipeline has settled of a partition for a table."""
    place = {"pipeline": pipeline, "source": SOURCE, "partition": partition}
    zero = dict.fromkeys(COUNTS, 0)
    now = datetime.now(UTC)
    rows = [
        {**place, "start_offset": low, "end_offset": high, "final": False, **zero}
        | {"updated_at": now}
        for low, high in ranges
    ]
    if rows:
        insert(database, progress, rows)
    insert(database, counts, [{**place, "target": target, "purged": 0, **zero}])


def insert(database: Database, table: sa.Table, rows: Iterable[dict[str, Any]]) -> None:
    with transaction(database.database, "test") as connection:
        connection.execute(sa.insert(table), list(rows))


def left(database: Database, target: str = "events") -> list[int]:
    """The offsets of the keys that are still known to be gone."""
    query = f"SELECT \"offset\" FROM ingest_positions WHERE deleted AND target = '{target}'"
    return sorted(offset for (offset,) in database.rows(query))


def marked(database: Database) -> list[tuple[str, str, int]]:
    """Table, partition and offset of each mark."""
    query = 'SELECT target, partition, "offset" FROM ingest_expired ORDER BY 1, 2'
    return [(target, partition, offset) for target, partition, offset in database.rows(query)]
