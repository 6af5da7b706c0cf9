"""SQLite: one writer at a time, in a file of this host."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from sinks.database.backends import apart, on_conflict, place
from sinks.database.backends.apart import Apart
from sinks.database.backends.generic import Generic
from sinks.database.backends.rehearsing_sqlite import RehearsingSqlite
from sinks.database.catalogue import sqlite as catalogue
from sinks.database.catalogue.figures import Need, Server
from sinks.database.database import Database
from sinks.database.dialect import WRITES, Row, Writing
from transforms.errors import ConfigError

CACHE_KIB = 64 << 10
"""Memory for pages of each connection, of which a process has few at work. With SQLite's own 2 MiB, the pages
of an index over random keys are read again and again: about a sixth of the CPU time of a run."""

_OF_DRIVER = frozenset(
    ("uri", "timeout", "isolation_level", "detect_types", "check_same_thread", "cached_statements")
)
"""What SQLAlchemy hands to ``sqlite3.connect``. It leaves out all else, with a warning."""


@dataclass(frozen=True, slots=True)
class Sqlite(Generic):
    """SQLite 3.25 or later, by the standard library.

    A transaction that writes is the only one that does: it needs no other lock.
    """

    writing: Writing = "sqlite"
    experimental: bool = False
    in_process: bool = True

    def apart(self, url: sa.URL, name: str) -> Apart | None:
        """A file beside; None for the parameters of a URI, which may name any file."""
        return None if _is_uri(url) else apart.file(url, name, ("-wal", "-shm", "-journal"))

    @property
    def rehearsing(self) -> RehearsingSqlite:
        return RehearsingSqlite()

    def complete(self, url: sa.URL) -> sa.URL:
        if url.database in (None, "", ":memory:"):
            raise ConfigError("an in-memory SQLite database ends with the process; name a file")
        if _is_uri(url):
            return url
        if unknown := sorted(set(url.query) - _OF_DRIVER):
            raise ConfigError(
                f"the URL of a SQLite database takes no option {', '.join(unknown)}; leave it out"
            )
        place.check(Path(str(url.database)), "SQLite", ("-wal", "-shm"))
        return url

    def exists(self, url: sa.URL) -> bool:
        """Whether the file exists: SQLite would create it."""
        return _is_uri(url) or Path(str(url.database)).is_file()

    def engine_options(self, database: Database, url: sa.URL) -> dict[str, Any]:
        return {"connect_args": {"timeout": database.statement_timeout, "check_same_thread": False}}

    def configure(self, engine: sa.Engine, database: Database) -> None:
        sa.event.listen(engine, "do_connect", _create_private)
        sa.event.listen(engine, "connect", _set_up)
        if not database.rehearsal:  # it would stay
            sa.event.listen(engine, "connect", _set_journal)
        sa.event.listen(engine, "begin", _begin)

    def matches(self, column: sa.ColumnElement[str], pattern: str) -> sa.ColumnElement[bool]:
        """By GLOB: LIKE does not tell a from A (https://sqlite.org/lang_expr.html, "LIKE")."""
        escaped = "".join(f"[{c}]" if c in "?[" else c for c in pattern)
        return column.op("GLOB", is_comparison=True)(escaped)

    def about_rows(self, connection: sa.Connection, table: str) -> int:
        """The number of the last row: at least as many as there are."""
        last = sa.func.max(sa.literal_column("rowid", sa.BigInteger))
        return connection.scalar(sa.select(last).select_from(sa.table(table))) or 0

    def insert_absent(
        self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row], key: str
    ) -> int:
        return on_conflict.insert_absent(sqlite.insert, connection, table, rows, key)

    def upsert(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
        on_conflict.upsert(sqlite.insert, connection, table, rows)

    def add(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
        on_conflict.add(sqlite.insert, connection, table, rows)

    def limit_statements(self, connection: sa.Connection, seconds: float) -> None:
        catalogue.limit_statements(connection, seconds)

    def server(self, connection: sa.Connection) -> Server:
        return catalogue.server(connection)

    def lacking(
        self, connection: sa.Connection, needs: Sequence[Need], role: str
    ) -> Sequence[Need]:
        """What may not be written; there are no roles."""
        if role:
            raise ConfigError("SQLite has no roles; leave --role out")
        return catalogue.lacking(connection, needs)


def _is_uri(url: sa.URL) -> bool:
    """Whether it names a URI of SQLite's, which may be of any file, with options of its own."""
    return str(url.database).startswith("file:") and "uri" in url.query


def _create_private(
    _dialect: object, _record: object, arguments: Sequence[Any], _options: object
) -> None:
    """Create a missing file so that only its owner may read it: it will hold dead letters.

    SQLite gives its ``-wal`` file the same rights (https://sqlite.org/src/file/src/os_unix.c,
    ``findCreateFileMode``). What prevents it from being created is reported by the connection.
    """
    path = arguments[0] if arguments else ""
    if isinstance(path, str) and not path.startswith("file:"):
        with suppress(OSError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _set_up(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin by itself; see _begin
    connection.execute("PRAGMA synchronous = FULL")  # a commit must survive a power cut
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")


def _set_journal(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA journal_mode = WAL")


def _begin(connection: sa.Connection) -> None:
    catalogue.lift_limit(connection)  # of the transaction before
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.info.get(WRITES, True) else "BEGIN")
