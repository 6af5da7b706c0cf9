"""A rehearsal in SQLite: it keeps every other writer waiting, so it is short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from sinks.database.classify import original_of
from sinks.database.rehearsing import LOCK_SECONDS
from sinks.text.quoting import quote
from transforms.route.table_name import TableName


class RehearsingSqlite:
    """Nobody can see who waits for a transaction, so it ends before anybody has waited for long."""

    seconds: int = LOCK_SECONDS

    def begin(self, connection: sa.Connection) -> None:
        """Nothing: the time-out of the driver bounds waits."""

    def session(self, connection: sa.Connection) -> None:
        """None."""
        return

    def obstacle(self, watcher: sa.Connection, session: int) -> str:
        """Nothing says so."""
        return ""

    def obstacle_of(self, error: BaseException) -> str:
        """The file, which another connection writes to."""
        busy = "locked" in str(original_of(error))
        return "the file, which another process writes to," if busy else ""

    def is_awaited(self, watcher: sa.Connection, session: int) -> bool:
        """Nothing says so."""
        return False

    def cancel(self, watcher: sa.Connection, session: int) -> None:
        """Nothing: statements interrupt themselves."""

    def check_deferred(self, connection: sa.Connection) -> None:
        """Nothing: only a commit checks what is deferred."""

    def sequences(self, connection: sa.Connection) -> Mapping[str, int | None]:
        """None: the numbers of AUTOINCREMENT are rows of a table."""
        return {}

    def triggers(self, connection: sa.Connection, table: TableName) -> Sequence[str]:
        """Read the schema's table; SQLite does not tell capitals apart in names."""
        rows = connection.execute(
            sa.text(
                f"SELECT name FROM {quote(table.schema or 'main')}.sqlite_master "  # noqa: S608 - quoted
                "WHERE type = 'trigger' AND lower(tbl_name) = lower(:table) ORDER BY name"
            ),
            {"table": table.name},
        )
        return [str(name) for (name,) in rows]
