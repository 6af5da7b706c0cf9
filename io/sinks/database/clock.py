"""What time it is: the database's clock where there is a server, since several hosts must agree."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

_NOW = sa.text("SELECT clock_timestamp()")


def now(connection: sa.Connection) -> datetime:
    """The time, aware, in UTC; a round trip on Postgres."""
    if connection.dialect.name == "postgresql":
        found: datetime = connection.execute(_NOW).scalar_one()
        return found.astimezone(UTC)
    # SQLite is this host; other servers are trusted to agree with it.
    return datetime.now(UTC)
