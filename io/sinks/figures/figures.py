"""All figures that are cheap to read, as of one moment."""

from __future__ import annotations

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.migrations import version
from sinks.figures.activity import activity
from sinks.figures.backlog import backlog
from sinks.figures.by_hand import by_hand
from sinks.figures.labels import labels_of
from sinks.figures.sample import Sample
from sinks.figures.totals import totals


def figures(database: Database, topics: str) -> list[Sample]:
    """Everything that docs/metrics.md lists as from the database, apart from the audit.

    Args:
        database: Which database.
        topics: A pattern of those names of sources in the ledger that are labels themselves.

    Raises:
        ConfigError: There are no tables, or they have another version.
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(database, "read its figures", write=False) as connection:
        # No row is counted twice, or not at all, while it goes from one table to another.
        dialect_of(connection).read_one_moment(connection)
        version.check_present(connection, database)
        labels = labels_of(connection, topics)
        return [
            *backlog(connection),
            *activity(connection),
            *by_hand(connection),
            *totals(connection, labels),
        ]
