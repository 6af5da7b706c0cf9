"""A rehearsal in DuckDB: it keeps other writers of the process waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from transforms.route.table_name import TableName


class RehearsingDuckdb:
    """No other process has the file, so only this program's own transactions wait for the trial."""

    seconds: int = 5

    def begin(self, connection: sa.Connection) -> None:
        """Nothing: a transaction that writes waits for its turn as long as a statement may take."""

    def session(self, connection: sa.Connection) -> None:
        """None."""
        return

    def obstacle(self, watcher: sa.Connection, session: int) -> str:
        """Nothing says so."""
        return ""

    def obstacle_of(self, error: BaseException) -> str:
        """Nothing: whoever waits in vain says for what."""
        return ""

    def is_awaited(self, watcher: sa.Connection, session: int) -> bool:
        """Nothing says so."""
        return False

    def cancel(self, watcher: sa.Connection, session: int) -> None:
        """Nothing: the rehearsal ends by itself."""

    def check_deferred(self, connection: sa.Connection) -> None:
        """Nothing: constraints are checked at once."""

    def sequences(self, connection: sa.Connection) -> Mapping[str, int | None]:
        """The last number of each sequence."""
        rows = connection.exec_driver_sql(
            "SELECT schema_name, sequence_name, last_value FROM duckdb_sequences() "
            "WHERE database_name = current_database()"
        )
        return {f"{schema}.{name}": last for schema, name, last in rows}

    def triggers(self, connection: sa.Connection, table: TableName) -> Sequence[str]:
        """None: there are no triggers."""
        return ()
