"""DuckDB: one process at a time, in a file of this host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sinks.database.backends import apart, place
from sinks.database.backends.apart import Apart
from sinks.database.backends.duckdb import rows as rows_of
from sinks.database.backends.duckdb.connection import Connection
from sinks.database.backends.duckdb.rehearsing import RehearsingDuckdb
from sinks.database.backends.generic import Generic
from sinks.database.catalogue import duckdb as catalogue
from sinks.database.catalogue.figures import Need, Server
from sinks.database.database import Database
from sinks.database.dialect import WRITES, Row, Writing
from transforms.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Duckdb(Generic):
    """DuckDB 1.4 or later, by its own module.

    The transactions of a process that write take turns, and no other process has the file: there is no other lock.
    """

    writing: Writing = "arrow"
    checks_types: bool = True
    keeps_zones: bool = True
    experimental: bool = False
    in_process: bool = True
    one_process: bool = True

    def apart(self, url: sa.URL, name: str) -> Apart:
        """A file beside."""
        return apart.file(url, name, (".wal",))

    @property
    def rehearsing(self) -> RehearsingDuckdb:
        return RehearsingDuckdb()

    def complete(self, url: sa.URL) -> sa.URL:
        if url.database in (None, "", ":memory:"):
            raise ConfigError("an in-memory DuckDB database ends with the process; name a file")
        place.check(Path(str(url.database)), "DuckDB")
        return url

    def exists(self, url: sa.URL) -> bool:
        """Whether the file exists: DuckDB would create it."""
        return Path(str(url.database)).is_file()

    def engine_options(self, database: Database, url: sa.URL) -> dict[str, Any]:
        return {"connect_args": {"patience": float(database.statement_timeout)}}

    def configure(self, engine: sa.Engine, database: Database) -> None:
        sa.event.listen(engine, "begin", _begin)

    def contains(self, column: sa.ColumnElement[bytes], part: bytes) -> sa.ColumnElement[bool]:
        """By their digits: it looks for texts in texts only."""
        whole_bytes = f"^(?:..)*{part.hex().upper()}"
        return sa.func.regexp_matches(sa.func.hex(column), whole_bytes, type_=sa.Boolean)

    def insert(
        self,
        connection: sa.Connection,
        table: sa.Table,
        columns: Mapping[str, Sequence[Any]],
        constants: Row,
    ) -> None:
        count = len(next(iter(columns.values()), ()))
        if count:
            whole = {name: [value] * count for name, value in constants.items()}
            rows_of.insert(connection, table, {**columns, **whole})

    def insert_absent(
        self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row], key: str
    ) -> int:
        if not rows:
            return 0
        tail = f" ON CONFLICT ({_quoted(connection, key)}) DO NOTHING"
        return rows_of.insert(connection, table, rows_of.columns_of(rows), tail)

    def upsert(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
        _merge(connection, table, rows, "excluded.{0}")

    def add(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
        _merge(connection, table, rows, f"{_quoted(connection, table.name)}.{{0}} + excluded.{{0}}")

    def limit_statements(self, connection: sa.Connection, seconds: float) -> None:
        _own(connection).limit(seconds)

    def server(self, connection: sa.Connection) -> Server:
        return catalogue.server(connection)

    def lacking(
        self, connection: sa.Connection, needs: Sequence[Need], role: str
    ) -> Sequence[Need]:
        """Nothing: whoever has opened the file may write it; there are no roles."""
        if role:
            raise ConfigError("DuckDB has no roles; leave --role out")
        return ()


def _merge(connection: sa.Connection, table: sa.Table, rows: Sequence[Row], change: str) -> None:
    """Insert rows, or change those of their key; the last of a key wins."""
    key = [column.name for column in table.primary_key]
    distinct = list({tuple(row[name] for name in key): row for row in rows}.values())
    if not distinct:
        return
    names = [_quoted(connection, c.name) for c in table.columns if not c.primary_key]
    changes = ", ".join(f"{name} = {change.format(name)}" for name in names)
    listed = ", ".join(_quoted(connection, name) for name in key)
    tail = f" ON CONFLICT ({listed}) DO UPDATE SET {changes}"
    rows_of.insert(connection, table, rows_of.columns_of(distinct), tail)


def _quoted(connection: sa.Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote(name)


def _begin(connection: sa.Connection) -> None:
    _own(connection).begin(writes=connection.info.get(WRITES, True))


def _own(connection: sa.Connection) -> Connection:
    own: Any = connection.connection.dbapi_connection
    assert isinstance(own, Connection)  # noqa: S101 - the dialect makes no other
    return own
