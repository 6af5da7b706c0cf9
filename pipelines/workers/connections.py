"""Whether the database has connections enough for every worker process."""

from __future__ import annotations

import logging

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from transforms.errors import ConfigError

_log = logging.getLogger(__name__)

BESIDE_COMMITS = 3
"""Connections of a worker beside those of its commits: its heartbeat, what operators ask, and its jobs."""


def check(database: Database, workers: int) -> None:
    """Look whether so many workers find connections.

    Each needs as many as it has commits in flight, and a few more. With fewer than that, workers wait for each
    other, which is only logged: a pooler in front of the database may have more to give.

    Raises:
        ConfigError: There is not one connection for each worker.
        SinkUnavailable: The database is away.
    """
    with transaction(database, "count connections", write=False) as connection:
        dialect = dialect_of(connection)
        server = dialect.server(connection)
        of_worker = dialect.in_flight + BESIDE_COMMITS
    if server.connections is None or server.most_connections is None:
        return
    free = server.most_connections - server.connections
    line = (
        f"--workers {workers}: the workers open up to {workers * of_worker:,} connections, and of "
        f"{server.most_connections:,} (max_connections) {max(0, free):,} are free"
    )
    if free < workers:
        raise ConfigError(f"{line}; give at most --workers {max(1, free // of_worker)}")
    if free < workers * of_worker:
        _log.warning("%s", line)
