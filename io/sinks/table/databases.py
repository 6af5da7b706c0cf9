"""Which dialect serves which database."""

from __future__ import annotations

import sqlalchemy as sa

from sinks.database import dialects
from sinks.database.dialect import Writing
from sinks.table.dialect import Dialect
from sinks.table.generic import Generic
from sinks.table.postgres.dialect import Postgres
from sinks.table.sqlite import Sqlite


def dialect_of(connection: sa.Connection) -> Dialect:
    """The dialect for a connection; ``generic`` for databases without one of their own."""
    return _DIALECTS[dialects.dialect_of(connection).writing]


_DIALECTS: dict[Writing, Dialect] = {
    "copy": Postgres(),
    "sqlite": Sqlite(),
    "portable": Generic(),
}
