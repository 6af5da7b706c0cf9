"""What a database has before a step of a migration."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from sinks.database.dialects import dialect_of


@dataclass(frozen=True, slots=True)
class Present:
    """Answers which tables, columns and indexes are there.

    Attributes:
        connection: To the database.
    """

    connection: sa.Connection

    def has(self, table: str, column: str | None = None) -> bool:
        """Whether there is such a table, and in it such a column."""
        inspector = sa.inspect(self.connection)  # a new one: inspectors remember
        if not inspector.has_table(table):
            return False
        return column is None or column in {each["name"] for each in inspector.get_columns(table)}

    def indexes(self, table: str) -> dict[str, bool]:
        """By the name of each index of a table, whether it is complete; empty without the table."""
        return (
            dialect_of(self.connection).indexes(self.connection, table) if self.has(table) else {}
        )
