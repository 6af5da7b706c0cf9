"""All figures that are cheap to read, as of one moment."""

from __future__ import annotations

from sinks.database.database import Database
from sinks.figures.activity import activity
from sinks.figures.asked import asked
from sinks.figures.backlog import backlog
from sinks.figures.by_hand import by_hand
from sinks.figures.limits import limits
from sinks.figures.moment import one_moment
from sinks.figures.sample import Sample
from sinks.figures.totals import totals


def figures(database: Database, topics: str) -> list[Sample]:
    """Everything that docs/metrics.md lists as from the database, apart from the audit.

    Args:
        database: Which database.
        topics: A pattern of those names of sources in the ledger that are labels themselves.

    Raises:
        ConfigError: The tables are missing, or have another version.
        SinkUnavailable: The database cannot be reached.
    """
    with one_moment(database, topics) as (connection, labels):
        return [
            *backlog(connection),
            *activity(connection),
            *asked(connection),
            *limits(connection),
            *by_hand(connection),
            *totals(connection, labels),
        ]
