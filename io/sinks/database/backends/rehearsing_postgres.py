"""A rehearsal in PostgreSQL: a second session sees whom it waits for, and who waits for it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from sinks.database.classify import original_of, sqlstate_of
from sinks.database.rehearsing import LOCK_SECONDS
from sinks.text.quoting import quoted
from transforms.route.table_name import TableName

_LOCK_NOT_AVAILABLE = "55P03"

_BOUNDS = f"SET LOCAL lock_timeout = '{LOCK_SECONDS:d}s'"
_SESSION = sa.text("SELECT pg_backend_pid()")
_OBSTACLE = sa.text(
    """
    SELECT coalesce(
             CAST(CAST(w.relation AS regclass) AS text),
             (SELECT CAST(CAST(t.relation AS regclass) AS text) FROM pg_locks t
              WHERE t.pid = w.pid AND t.locktype = 'tuple' AND t.granted LIMIT 1), '') AS name,
           w.locktype AS kind, b.pid AS by, coalesce(a.application_name, '') AS program
    FROM pg_locks w
    CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS b(pid)
    LEFT JOIN pg_stat_activity a ON a.pid = b.pid
    WHERE w.pid = :session AND NOT w.granted LIMIT 1
    """
)
_AWAITED = sa.text(
    "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND :session = ANY (pg_blocking_pids(pid)))"
)
_CANCEL = sa.text("SELECT pg_cancel_backend(:session)")
_SEQUENCES = sa.text(
    "SELECT format('%I.%I', schemaname, sequencename), last_value FROM pg_sequences ORDER BY 1"
)
_TRIGGERS = sa.text(
    "SELECT CAST(tgname AS text) FROM pg_trigger "
    "WHERE tgrelid = to_regclass(:name) AND NOT tgisinternal ORDER BY 1"
)
_RELATION = re.compile(r'relation "(.*)"')


class RehearsingPostgres:
    """DDL is part of a transaction, as rows are; sequences are not."""

    seconds: int = 5

    def begin(self, connection: sa.Connection) -> None:
        """Have a statement wait for a lock for a second at most."""
        connection.exec_driver_sql(_BOUNDS)

    def session(self, connection: sa.Connection) -> int:
        """The number of its process."""
        return int(connection.execute(_SESSION).scalar_one())

    def obstacle(self, watcher: sa.Connection, session: int) -> str:
        """From the table of locks."""
        row = watcher.execute(_OBSTACLE, {"session": session}).one_or_none()
        if row is None:
            return ""
        what = f"table {row.name}" if row.name else _KINDS.get(row.kind, f"a lock ({row.kind})")
        program = f" ({row.program})" if row.program else ""
        return f"{what}, which session {row.by}{program} holds,"

    def obstacle_of(self, error: BaseException) -> str:
        """The context of the error, which names a table or an index."""
        original = original_of(error)
        if sqlstate_of(original) != _LOCK_NOT_AVAILABLE:
            return ""
        diagnostics: Any = getattr(original, "diag", None)
        relation = _RELATION.search(getattr(diagnostics, "context", None) or "")
        return f"a row of {relation[1]}" if relation else "what another session holds"

    def is_awaited(self, watcher: sa.Connection, session: int) -> bool:
        """As it stands now."""
        return bool(watcher.execute(_AWAITED, {"session": session}).scalar_one())

    def cancel(self, watcher: sa.Connection, session: int) -> None:
        """As the same role may."""
        watcher.execute(_CANCEL, {"session": session})

    def check_deferred(self, connection: sa.Connection) -> None:
        """By an order of its own."""
        connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")

    def sequences(self, connection: sa.Connection) -> Mapping[str, int | None]:
        """Of all schemas; a trigger may use any of them."""
        return {str(name): last for name, last in connection.execute(_SEQUENCES)}

    def triggers(self, connection: sa.Connection, table: TableName) -> Sequence[str]:
        """Read the system catalogue."""
        rows = connection.execute(_TRIGGERS, {"name": quoted(table)})
        return [str(name) for (name,) in rows]


_KINDS = {
    "transactionid": "a row",
    "advisory": "a lock that programs of this project take",
    "virtualxid": "a transaction",
}
"""What is waited for where no table is named."""
