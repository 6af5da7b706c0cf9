"""Databases that the program knows nothing about, in portable SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa

from sinks.database.backends.apart import Apart
from sinks.database.catalogue.figures import Need, Server, TableSize
from sinks.database.database import Database
from sinks.database.dialect import Group, Row, Writing
from sinks.database.rehearsing import Rehearsing
from transforms.errors import Contention
from transforms.parse.columns.columnar import Form


@dataclass(frozen=True, slots=True)
class Generic:
    """SQL that every database has.

    Attributes:
        writing: As in ``Dialect``.
        checks_types: As in ``Dialect``.
        keeps_zones: As in ``Dialect``.
        builds_beside: As in ``Dialect``.
        own_clock: As in ``Dialect``.
        commits_tables: As in ``Dialect``.
        experimental: As in ``Dialect``.
        in_process: As in ``Dialect``.
        one_process: As in ``Dialect``.
        statement_limit: As in ``Dialect``.
    """

    writing: Writing = "portable"
    checks_types: bool = False
    keeps_zones: bool = False
    builds_beside: bool = False
    own_clock: bool = True
    commits_tables: bool = False
    experimental: bool = True
    in_process: bool = False
    one_process: bool = False
    statement_limit: str = ""

    def apart(self, url: sa.URL, name: str) -> Apart | None:
        """None: that a connection finds another schema by itself is not portable."""
        return None

    @property
    def written_json(self) -> Mapping[str, Form]:
        """No type: values are bound."""
        return {}

    @property
    def in_flight(self) -> int:
        """One: whether keys are equal, only the database knows."""
        return 1

    @property
    def rehearsing(self) -> Rehearsing | None:
        """None: many databases commit before they create a table."""
        return None

    def is_awaited(self, connection: sa.Connection) -> bool:
        """No: there is one transaction at a time."""
        return False

    def longest_name(self, connection: sa.Connection) -> tuple[int, Literal["bytes", "characters"]]:
        """As SQLAlchemy knows it."""
        return connection.dialect.max_identifier_length, "characters"

    def folds_names(self, connection: sa.Connection) -> bool:
        """As most do, quoted or not."""
        return True

    def complete(self, url: sa.URL) -> sa.URL:
        return url

    def exists(self, url: sa.URL) -> bool:
        """Its server knows."""
        return True

    def engine_options(self, database: Database, url: sa.URL) -> dict[str, Any]:
        return {}

    def configure(self, engine: sa.Engine, database: Database) -> None:
        """Nothing that every database takes."""

    def now(self, connection: sa.Connection) -> datetime:
        """This host's clock, which others are trusted to agree with."""
        return datetime.now(UTC)

    def lock(self, connection: sa.Connection, names: Sequence[tuple[str, ...]]) -> None:
        """Nothing: no lock is portable."""

    def only_one(self, connection: sa.Connection, name: tuple[str, ...]) -> bool:
        return True

    def lock_wait(self, seconds: int) -> Sequence[str]:
        return ()

    def indexes(self, connection: sa.Connection, table: str) -> dict[str, bool]:
        return {str(index["name"]): True for index in sa.inspect(connection).get_indexes(table)}

    def about_rows(self, connection: sa.Connection, table: str) -> int:
        """All of them, counted: nothing else is portable."""
        return connection.scalar(sa.select(sa.func.count()).select_from(sa.table(table))) or 0

    def about_matches(self, connection: sa.Connection, query: sa.Select[Any]) -> int | None:
        """None: SQLite's planner gives no figures, and others give theirs in ways of their own."""
        return None

    def is_one_of(
        self, column: sa.ColumnElement[Any], numbers: Sequence[int | UUID]
    ) -> sa.ColumnElement[bool]:
        """Written into the statement: parameters are bounded to a few thousand or fewer."""
        listed = sa.bindparam(
            "numbers",
            list(numbers),
            column.type,
            unique=True,
            expanding=True,
            literal_execute=True,
        )
        return column.in_(listed)

    def matches(self, column: sa.ColumnElement[str], pattern: str) -> sa.ColumnElement[bool]:
        escaped = pattern.replace("!", "!!").replace("%", "!%").replace("_", "!_")
        return column.like(escaped.replace("*", "%"), escape="!")

    def contains(self, column: sa.ColumnElement[bytes], part: bytes) -> sa.ColumnElement[bool]:
        return sa.func.instr(column, sa.literal(part, sa.LargeBinary)) > 0

    def insert(
        self,
        connection: sa.Connection,
        table: sa.Table,
        columns: Mapping[str, Sequence[Any]],
        constants: Row,
    ) -> None:
        rows = [
            dict(zip(columns, cells, strict=True), **constants)
            for cells in zip(*columns.values(), strict=True)
        ]
        if rows:
            connection.execute(sa.insert(table), rows)

    def insert_new(
        self,
        connection: sa.Connection,
        table: sa.Table,
        columns: Mapping[str, Sequence[Any]],
        constants: Row,
        number: str,
    ) -> Sequence[int] | None:
        return None

    def insert_absent(
        self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row], key: str
    ) -> int:
        column = table.c[key]
        query = sa.select(column).where(column.in_([row[key] for row in rows]))
        present = set(connection.execute(query).scalars())
        absent = [row for row in rows if row[key] not in present]
        if absent:
            _insert(connection, table, absent)
        return len(absent)

    def upsert(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
        names = [column.name for column in table.primary_key]
        same = (table.c[name] == sa.bindparam(f"of_{name}") for name in names)
        keys = [{f"of_{name}": row[name] for name in names} for row in rows]
        connection.execute(sa.delete(table).where(*same), keys)
        connection.execute(sa.insert(table), rows)

    def add(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
        key = [column.name for column in table.primary_key]
        sums = {
            column.name: column + sa.bindparam(f"more_{column.name}")
            for column in table.columns
            if not column.primary_key
        }
        same = (table.c[name] == sa.bindparam(f"of_{name}") for name in key)
        statement = sa.update(table).where(*same).values(sums)
        for row in rows:
            bounds = {f"{'of' if name in key else 'more'}_{name}": row[name] for name in row}
            if not connection.execute(statement, bounds).rowcount:
                _insert(connection, table, [row])

    def take(
        self,
        connection: sa.Connection,
        key: sa.Column[int],
        first: Callable[[sa.ColumnElement[Any]], sa.Select[Any]],
    ) -> Sequence[int]:
        numbers: Sequence[int] = connection.execute(first(key)).scalars().all()
        if numbers:
            connection.execute(sa.delete(key.table).where(self.is_one_of(key, numbers)))
        return numbers

    def groups(
        self,
        connection: sa.Connection,
        of: sa.ColumnElement[int],
        numbers: Sequence[int],
        shared: Sequence[sa.ColumnElement[Any]],
        cells: Sequence[sa.ColumnElement[Any]],
    ) -> Sequence[Group]:
        query = sa.select(*shared, *cells).where(self.is_one_of(of, numbers))
        rows_of: dict[tuple[Any, ...], list[tuple[Any, ...]]] = defaultdict(list)
        for row in connection.execute(query):
            rows_of[tuple(row[: len(shared)])].append(tuple(row[len(shared) :]))
        return [Group(common, list(zip(*rows, strict=True))) for common, rows in rows_of.items()]

    def prefer_indexes(self, connection: sa.Connection, *, ordered: bool) -> None:
        """Nothing that every database takes."""

    def read_one_moment(self, connection: sa.Connection) -> None:
        """Nothing: SQLite and MySQL do so by themselves."""

    def group_in_memory(self, connection: sa.Connection) -> None:
        """Nothing: only Postgres needs to be told."""

    def defer_flush(self, connection: sa.Connection) -> None:
        """Nothing that every database takes."""

    def limit_statements(self, connection: sa.Connection, seconds: float) -> None:
        """Nothing that every database takes."""

    def server(self, connection: sa.Connection) -> Server:
        """Its name and version, as SQLAlchemy knows them."""
        version = getattr(connection.dialect, "server_version_info", None) or ()
        return Server(connection.dialect.name, ".".join(map(str, version)))

    def sizes(
        self, connection: sa.Connection, tables: Sequence[str]
    ) -> Mapping[str, TableSize] | None:
        return None

    def lacking(
        self, connection: sa.Connection, needs: Sequence[Need], role: str
    ) -> Sequence[Need] | None:
        return None


def _insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Insert rows that were absent a moment ago."""
    try:
        connection.execute(sa.insert(table), rows)
    except sa.exc.IntegrityError as error:
        raise Contention(
            f"another writer entered the same rows of {table.name} at the same time; trying again"
        ) from error
