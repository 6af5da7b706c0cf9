"""Which dialect serves which database."""

from __future__ import annotations

import sqlalchemy as sa

from sinks.config import SqlConfig
from sinks.dialect import Dialect
from sinks.generic import Generic
from sinks.postgres import Postgres
from sinks.sqlite import Sqlite


def dialect_of(config: SqlConfig, connection: sa.Connection) -> Dialect:
    """The dialect for a connection; ``generic`` for databases without one of their own."""
    name = config.dialect or connection.dialect.name
    if name == "postgresql" and connection.dialect.driver == "psycopg2":
        return Postgres()
    if name == "sqlite":
        return Sqlite()
    return Generic()
