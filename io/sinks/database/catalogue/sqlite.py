"""What SQLite says of itself: its version, and how large its file is."""

# ruff: noqa: S608 - identifiers are quoted, values bound

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from sinks.database.catalogue.figures import Need, Server
from sinks.text.quoting import quote
from transforms.route.table_name import TableName

OLDEST = (3, 25)
"""The oldest version that this program supports."""

_STEPS = 10_000
"""How many of SQLite's instructions pass between two looks at the clock."""


def server(connection: sa.Connection) -> Server:
    """The library, and the file that ``connection`` has open."""
    page, pages, free = (
        connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
        for name in ("page_size", "page_count", "freelist_count")
    )
    return Server(
        "SQLite",
        sqlite3.sqlite_version,
        too_old=sqlite3.sqlite_version_info < OLDEST,
        bytes=page * pages,
        free_bytes=page * free,
    )


def lacking(connection: sa.Connection, needs: Sequence[Need]) -> list[Need]:
    """All of ``needs`` that write, where the file, or the folder for its journal, may not be written."""
    path = next(row[2] for row in connection.exec_driver_sql("PRAGMA database_list"))
    folder = os.path.dirname(path) or "."
    if not path or (os.access(path, os.W_OK) and os.access(folder, os.W_OK)):
        return []
    return [need for need in needs if need.right != "SELECT"]


def limit_statements(connection: sa.Connection, seconds: float) -> None:
    """Interrupt whatever statement of this transaction runs ``seconds`` from now."""
    ends = time.monotonic() + seconds
    _raw(connection).set_progress_handler(lambda: int(time.monotonic() > ends), _STEPS)


def lift_limit(connection: sa.Connection) -> None:
    """Interrupt nothing any more."""
    _raw(connection).set_progress_handler(None, 0)


def _raw(connection: sa.Connection) -> Any:
    return connection.connection.driver_connection


def has_triggers(cursor: sqlite3.Cursor, table: TableName) -> bool:
    """Whether a statement on ``table``, or on a view of that name, may do more than it says."""
    row = cursor.execute(
        f"""SELECT EXISTS (SELECT 1 FROM {quote(table.schema or "main")}.sqlite_master
                           WHERE type = 'trigger' AND tbl_name = :name COLLATE NOCASE)
            OR EXISTS (SELECT 1 FROM sqlite_temp_master
                       WHERE type = 'trigger' AND tbl_name = :name COLLATE NOCASE)""",
        {"name": table.name},
    ).fetchone()
    return bool(row[0])
