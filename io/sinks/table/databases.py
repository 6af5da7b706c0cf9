"""Which dialect serves which database."""

from __future__ import annotations

import sqlalchemy as sa

from sinks.table.dialect import Dialect
from sinks.table.generic import Generic
from sinks.table.postgres.dialect import Postgres
from sinks.table.sqlite import Sqlite


def dialect_of(connection: sa.Connection) -> Dialect:
    """The dialect for a connection; ``generic`` for databases without one of their own."""
    name = connection.dialect.name
    if name == "postgresql" and connection.dialect.driver == "psycopg2":
        return Postgres()
    if name == "sqlite":
        return Sqlite()
    return Generic()
