"""A ledger of files, as commits leave it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.database.tables import counts, progress
from sinks.table.config import SqlConfig
from transforms.batch.counts import COUNTS

NOW = datetime.now(UTC)
OLD = NOW - timedelta(days=40)


def settle(
    config: SqlConfig,
    *sources: str,
    pipeline: str = "events",
    target: str = "events",
    partition: str = "v1",
    at: datetime = OLD,
    start: int = 0,
    final: bool = True,
    purged: int = 0,
    **numbers: int,
) -> None:
    """Enter files of two records each, both inserted unless ``numbers`` say otherwise."""
    of_file = {**dict.fromkeys(COUNTS, 0), "read": 2, **(numbers or {"inserted": 2})}
    span = {"start_offset": start, "end_offset": start + 2, "final": final, "updated_at": at}
    with transaction(config.database, "test") as connection:
        for source in sources:
            place: dict[str, Any] = {"pipeline": pipeline, "source": source, "partition": partition}
            connection.execute(sa.insert(progress), {**place, **span, **of_file})
            more = {"target": target, "purged": purged, "dead_letters": of_file["dead"]}
            if start == 0:
                connection.execute(sa.insert(counts), {**place, **of_file, **more})
