"""PostgreSQL: many writers, and COPY where the driver is psycopg2."""

# ruff: noqa: S608 - identifiers are quoted

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast
from uuid import UUID

import sqlalchemy as sa
from psycopg2.errors import UniqueViolation
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles

from sinks.database.backends import apart, grouped, on_conflict
from sinks.database.backends.apart import Apart
from sinks.database.backends.copying import copy, lines_of
from sinks.database.backends.generic import Generic
from sinks.database.backends.rehearsing_postgres import RehearsingPostgres
from sinks.database.catalogue import postgres as catalogue
from sinks.database.catalogue.figures import Need, Server, TableSize
from sinks.database.database import Database
from sinks.database.dialect import Group, Row, Writing
from sinks.text import encoding as text_encoding
from sinks.text.quoting import quote
from transforms.parse.columns.columnar import Form

LOCKS = 256
"""How many advisory locks all partitions of a target share: the server's lock table is finite."""

IDLE_IN_TRANSACTION = 600
"""Seconds after which a hung writer loses its transaction, and with it its locks."""

_NOW = sa.text("SELECT clock_timestamp()")
_LOCK = sa.text("SELECT pg_advisory_xact_lock(k) FROM unnest(CAST(:keys AS bigint[])) AS k")
_AWAITED = sa.text(
    "SELECT EXISTS (SELECT FROM pg_locks "
    "WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
)

_NUMBERS = sa.text(
    "SELECT array_agg(nextval(drawn_from)) FROM (SELECT CAST(pg_get_serial_sequence(:table, :column) "
    "AS regclass) AS drawn_from OFFSET 0) AS of_table, generate_series(1, :count)"
)
_INDEXES = sa.text(
    "SELECT relname, indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
    "WHERE indrelid = to_regclass(:of)"
)
# As the planner does: the rows of a page at the last ANALYZE, times the pages of now. A table that was
# too small then, or has never been analyzed, says nothing about its rows.
_ABOUT_ROWS = sa.text(
    "SELECT CAST(CASE WHEN relpages >= 10 AND reltuples > 0 "
    "THEN reltuples / relpages * pg_relation_size(oid) / CAST(current_setting('block_size') AS int) "
    "ELSE pg_relation_size(oid) / 200 END AS bigint) FROM pg_class WHERE oid = to_regclass(:of)"
)

_NO_SCANS = "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off"
_NO_SORTS = "SET LOCAL enable_sort = off"


_WRITTEN_JSON: Mapping[str, Form] = {
    "numeric": "number",
    "float4": "number",
    "float8": "number",
    "jsonb": "json",
}


@dataclass(frozen=True, slots=True)
class Postgres(Generic):
    """PostgreSQL 12 or later."""

    writing: Writing = "copy"
    checks_types: bool = True
    keeps_zones: bool = True
    builds_beside: bool = True
    own_clock: bool = False
    experimental: bool = False

    def apart(self, url: sa.URL, name: str) -> Apart | None:
        """A schema; None for a driver that takes no options of libpq."""
        takes_options = url.get_driver_name() in ("psycopg2", "psycopg")
        return apart.schema(url, name) if takes_options else None

    @property
    def rehearsing(self) -> RehearsingPostgres:
        return RehearsingPostgres()

    @property
    def written_json(self) -> Mapping[str, Form]:
        """Numbers, and JSON of which only the value is kept, where rows are copied."""
        return _WRITTEN_JSON if self.copies else {}

    @property
    def in_flight(self) -> int:
        """Three where rows are copied: while one is encoded and one is sent, the server writes."""
        return 3 if self.copies else 1

    def is_awaited(self, connection: sa.Connection) -> bool:
        """As it stands now."""
        return bool(connection.execute(_AWAITED).scalar_one())

    @property
    def copies(self) -> bool:
        """Whether the driver is psycopg2, whose cursors COPY."""
        return self.writing == "copy"

    def longest_name(self, connection: sa.Connection) -> tuple[int, Literal["bytes", "characters"]]:
        """63 bytes, unless the server was built otherwise."""
        longest = connection.execute(sa.text("SELECT current_setting('max_identifier_length')"))
        return int(longest.scalar_one()), "bytes"

    def folds_names(self, connection: sa.Connection) -> bool:
        """Not where they are quoted, and here they are."""
        return False

    def complete(self, url: sa.URL) -> sa.URL:
        """With the driver named: SQLAlchemy 2.1 takes another one for the bare name."""
        bare = url.drivername in ("postgresql", "postgres")
        return url.set(drivername="postgresql+psycopg2") if bare else url

    def engine_options(self, database: Database, url: sa.URL) -> dict[str, Any]:
        if not self.copies:
            return {}
        connect = {**_CONNECT, "connect_timeout": database.connect_timeout}
        return {
            # READ COMMITTED: the ledger is read again at the end of a commit and must then see
            # what others have committed meanwhile.
            "isolation_level": "READ COMMITTED",
            # Many statements a round trip; psycopg2's own ``executemany`` takes one for each row.
            "executemany_mode": "values_plus_batch",
            "connect_args": {
                **{name: value for name, value in connect.items() if name not in url.query},
                "client_encoding": "UTF8",
            },
        }

    def configure(self, engine: sa.Engine, database: Database) -> None:
        timeout = database.statement_timeout * 1000

        def set_up(connection: Any, _record: object) -> None:
            if self.copies:
                connection.set_client_encoding("UTF8")  # the driver keeps account of it
                _bound_waits(connection, timeout)
            text_encoding.learn(engine.dialect, _pin(connection))

        sa.event.listen(engine, "connect", set_up)

    def now(self, connection: sa.Connection) -> datetime:
        """A round trip."""
        time: datetime = connection.execute(_NOW).scalar_one()
        return time.astimezone(UTC)

    def lock(self, connection: sa.Connection, names: Sequence[tuple[str, ...]]) -> None:
        """Take advisory locks, in one order for all writers so that they cannot deadlock."""
        keys = sorted({_lock_key(name) for name in names})
        connection.execute(_LOCK, {"keys": keys})

    def is_one_of(
        self, column: sa.ColumnElement[Any], numbers: Sequence[int | UUID]
    ) -> sa.ColumnElement[bool]:
        # As one text: a driver that adapts a list looks at each number for a microsecond.
        text = sa.literal("{" + ",".join(map(str, numbers)) + "}", sa.Text)
        return column == sa.any_(sa.cast(text, sa.ARRAY(column.type)))

    def contains(self, column: sa.ColumnElement[bytes], part: bytes) -> sa.ColumnElement[bool]:
        needle = sa.literal(part, sa.LargeBinary)
        return sa.func.position(needle.op("IN")(column)) > 0

    def insert(
        self,
        connection: sa.Connection,
        table: sa.Table,
        columns: Mapping[str, Sequence[Any]],
        constants: Row,
    ) -> None:
        if not self.copies:
            Generic.insert(self, connection, table, columns, constants)
            return
        data = lines_of(connection.dialect, table, columns, constants)
        copy(connection.connection.cursor(), table.name, [*columns, *constants], data)

    def insert_new(
        self,
        connection: sa.Connection,
        table: sa.Table,
        columns: Mapping[str, Sequence[Any]],
        constants: Row,
        number: str,
    ) -> Sequence[int] | None:
        """By one COPY: it takes half of what it takes to look for each row, and to insert it."""
        count = len(next(iter(columns.values())))
        if not self.copies or count < 2:
            return None
        of = {"table": quote(table.name), "column": number, "count": count}
        numbers: list[int | None] = connection.execute(_NUMBERS, of).scalar_one()
        if numbers[0] is None:
            return None
        try:
            with connection.begin_nested():
                self.insert(connection, table, {number: numbers, **columns}, constants)
        except UniqueViolation:
            return None
        return cast("list[int]", numbers)

    def insert_absent(
        self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row], key: str
    ) -> int:
        """By COPY into a temporary table, if there are several rows."""
        if not self.copies or len(rows) < 2:
            return on_conflict.insert_absent(postgresql.insert, connection, table, rows, key)
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        names = ", ".join(map(quote, columns))
        staged = f"sluice_{table.name}"
        cursor = connection.connection.cursor()
        cursor.execute("SET LOCAL client_min_messages = warning")  # "already exists, skipping"
        cursor.execute(
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {staged} ON COMMIT DELETE ROWS AS "
            f"SELECT * FROM {quote(table.name)} WITH NO DATA"
        )
        copy(cursor, staged, columns, lines_of(connection.dialect, table, columns, {}))
        cursor.execute(
            f"INSERT INTO {quote(table.name)} ({names}) SELECT {names} FROM {staged} "
            f"ON CONFLICT ({quote(key)}) DO NOTHING"
        )
        inserted: int = cursor.rowcount
        cursor.execute(f"TRUNCATE {staged}")
        return inserted

    def upsert(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
        on_conflict.upsert(postgresql.insert, connection, table, rows)

    def add(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
        on_conflict.add(postgresql.insert, connection, table, rows)

    def take(
        self,
        connection: sa.Connection,
        key: sa.Column[int],
        first: Callable[[sa.ColumnElement[Any]], sa.Select[Any]],
    ) -> Sequence[int]:
        """In one statement, by where the rows are: to look each up again would cost twice as much."""
        place: sa.ColumnElement[Any] = sa.literal_column(f"{key.table.name}.ctid")
        places = first(place).scalar_subquery()
        out = sa.delete(key.table).where(place == sa.any_(sa.func.array(places)))
        taken = out.returning(key).cte("taken")
        # As one array: SQLAlchemy takes longer for a row than the server for all of this.
        numbers = sa.type_coerce(sa.func.array_agg(taken.c[key.name]), sa.types.NullType())
        return connection.scalar(sa.select(numbers)) or ()

    def groups(
        self,
        connection: sa.Connection,
        of: sa.ColumnElement[int],
        numbers: Sequence[int],
        shared: Sequence[sa.ColumnElement[Any]],
        cells: Sequence[sa.ColumnElement[Any]],
    ) -> Sequence[Group]:
        """As arrays, where the driver is psycopg2."""
        if not self.copies:
            return Generic.groups(self, connection, of, numbers, shared, cells)
        self.group_in_memory(connection)
        return grouped.groups(connection, self.is_one_of(of, numbers), shared, cells)

    def prefer_indexes(self, connection: sa.Connection, *, ordered: bool) -> None:
        """Of a table that changes fast the planner knows little: it would read or sort all of it."""
        connection.exec_driver_sql(f"{_NO_SCANS}; {_NO_SORTS}" if ordered else _NO_SCANS)

    def read_one_moment(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    def group_in_memory(self, connection: sa.Connection) -> None:
        """The planner takes each row for a group when it groups by an expression, and would sort."""
        connection.exec_driver_sql("SET LOCAL enable_sort = off; SET LOCAL work_mem = '64MB'")

    def defer_flush(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")

    def only_one(self, connection: sa.Connection, name: tuple[str, ...]) -> bool:
        # Never a lock that is waited for: a session that waits has a snapshot, and an index that is
        # built beside waits for all of those.
        key = {"key": _lock_key(name)}
        return bool(connection.scalar(sa.text("SELECT pg_try_advisory_lock(:key)"), key))

    def lock_wait(self, seconds: int) -> Sequence[str]:
        # A statement that waits for a table keeps everybody behind it waiting too.
        return [f"SET LOCAL lock_timeout = '{seconds:d}s'"]

    def indexes(self, connection: sa.Connection, table: str) -> dict[str, bool]:
        rows = connection.execute(_INDEXES, {"of": quote(table)})
        return {row.relname: row.indisvalid for row in rows}

    def about_rows(self, connection: sa.Connection, table: str) -> int:
        """By the table's size."""
        return connection.scalar(_ABOUT_ROWS, {"of": quote(table)}) or 0

    def about_matches(self, connection: sa.Connection, query: sa.Select[Any]) -> int | None:
        """As the planner sees it, by statistics as old as the last ANALYZE."""
        plan = connection.execute(_Explained(query)).scalar_one()
        return int(plan[0]["Plan"]["Plan Rows"])

    def limit_statements(self, connection: sa.Connection, seconds: float) -> None:
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(seconds * 1_000):d}")

    def server(self, connection: sa.Connection) -> Server:
        return catalogue.server(connection)

    def sizes(self, connection: sa.Connection, tables: Sequence[str]) -> Mapping[str, TableSize]:
        return catalogue.sizes(connection, tables)

    def lacking(
        self, connection: sa.Connection, needs: Sequence[Need], role: str
    ) -> Sequence[Need]:
        return catalogue.lacking(connection, needs, role)


class _Explained(sa.Executable, sa.ClauseElement):
    """The plan of a query, which is not run."""

    inherit_cache = False

    def __init__(self, query: sa.Select[Any]) -> None:
        self.query = query


@compiles(_Explained)
def _explain(explained: _Explained, compiler: Any, **options: Any) -> str:
    return f"EXPLAIN (FORMAT JSON) {compiler.process(explained.query, **options)}"


# Seconds, except tcp_user_timeout (milliseconds). PostgreSQL manual, 34.1.2. Without them
# a peer that vanished is noticed only after the kernel's two hours.
_CONNECT: dict[str, Any] = {
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
    "application_name": "sluice",
}


def _bound_waits(connection: Any, statement_timeout: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = {statement_timeout:d}")
        cursor.execute(f"SET idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION * 1000:d}")
        # For the server to notice that we are gone, and to release our locks.
        cursor.execute("SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10")
        cursor.execute("SET tcp_keepalives_count = 3; SET tcp_user_timeout = 60000")
        if connection.server_version >= 140_000:  # and that we were killed during a statement
            cursor.execute("SET client_connection_check_interval = 2000")
    connection.commit()  # a SET is undone by the rollback that ends a first failed transaction


# Whatever PGCLIENTENCODING, PGTZ, the role or the database say: the same text must become the same
# value everywhere. COPY is sent as UTF-8, and a time without a zone is in UTC.
_PIN = (
    "SELECT set_config('client_encoding', 'UTF8', false), set_config('TimeZone', 'UTC', false), "
    "set_config('DateStyle', 'ISO, MDY', false), set_config('IntervalStyle', 'postgres', false), "
    "current_setting('server_encoding')"
)


def _pin(connection: Any) -> str:
    """Set what decides how texts are read; returns the encoding of the database."""
    cursor = connection.cursor()
    cursor.execute(_PIN)
    *_, encoding = cursor.fetchone()
    cursor.close()
    connection.commit()
    return str(encoding)


def _lock_key(name: tuple[str, ...]) -> int:
    """One of ``LOCKS`` 64-bit keys of the target (the first part of ``name``)."""
    target = hashlib.blake2b(name[0].encode(), digest_size=8).digest()
    rest = hashlib.blake2b("\x00".join(name[1:]).encode(), digest_size=8).digest()
    base = int.from_bytes(target, "big", signed=True)
    return base // LOCKS * LOCKS + int.from_bytes(rest, "big") % LOCKS
