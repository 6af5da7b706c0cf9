"""The database as of one moment, for a screen whose numbers have to agree with each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.migrations import version


@contextmanager
def moment(database: Database, doing: str) -> Iterator[sa.Connection]:
    """A connection that sees one moment and does not write.

    Args:
        database: Which database.
        doing: What is read, for messages: after "to", e.g. ``read the outbox``.

    Raises:
        ConfigError: The tables are missing, or have another version.
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(database, doing, write=False) as connection:
        dialect_of(connection).read_one_moment(connection)
        version.check_present(connection, database)
        yield connection
