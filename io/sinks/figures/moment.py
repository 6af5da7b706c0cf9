"""The database as of one moment, for figures that have to agree with each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.migrations import version
from sinks.figures.labels import Labels, labels_of


@contextmanager
def one_moment(database: Database, topics: str) -> Iterator[tuple[sa.Connection, Labels]]:
    """A connection that sees one moment, and how sources are labelled.

    No row is counted twice, or not at all, while it goes from one table to another.

    Args:
        database: Which database.
        topics: A pattern of those names of sources in the ledger that are labels themselves.

    Raises:
        ConfigError: The tables are missing, or have another version.
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(database, "read its figures", write=False) as connection:
        dialect_of(connection).read_one_moment(connection)
        version.check_present(connection, database)
        yield connection, labels_of(connection, topics)
