"""A database under test, batches to write into it, and what became of them."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg2
import sqlalchemy as sa

import sinks.database.database
from sinks.sql import SqlConfig, SqlSink
from transforms.batch.record import JSON, Failure, Origin, RecordBatch, Span
from transforms.settle.sink import Settled

encode = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode


@dataclass(frozen=True)
class Database:
    """A database under test."""

    kind: str
    url: str

    def config(self, table: str = "events", **options: Any) -> SqlConfig:
        return SqlConfig.of(self.url, table, **options)

    @property
    def database(self) -> sinks.database.database.Database:
        return self.config().database

    def sink(self, table: str = "events", **options: Any) -> SqlSink:
        sink = SqlSink(self.config(table, **options))
        sink.prepare()
        return sink

    def connect(self) -> Any:
        if self.kind == "postgres":
            return psycopg2.connect(self.url)
        if self.kind == "mariadb":
            return connect_to_mariadb(self.url)
        if self.kind == "duckdb":
            import duckdb

            return duckdb.connect(self.url.partition(":///")[2])
        return sqlite3.connect(self.url.partition(":///")[2], timeout=10)

    def run(self, *statements: str) -> None:
        with closing(self.connect()) as connection:
            # A cursor of DuckDB is a connection of its own, which commits by itself.
            for statement in statements:
                connection.cursor().execute(self._written(statement))
            if self.kind != "duckdb":
                connection.commit()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(self.connect()) as connection:
            cursor = connection.cursor()
            cursor.execute(self._written(query))
            rows = [tuple(row) for row in cursor.fetchall()]
        return _with_texts(cursor.description, rows) if self.kind == "mariadb" else rows

    def _written(self, statement: str) -> str:
        """``statement`` as the database reads it.

        MariaDB and DuckDB reserve words that are names elsewhere. MariaDB has other types, with texts of a length in keys.
        """
        if self.kind == "duckdb":
            return _WORDS.sub(lambda match: '"at"' if match[0] == "at" else match[0], statement)
        if self.kind != "mariadb":
            return statement
        words = {name: f'"{name}"' for name in ("key", "lines", "partition", "read", "rows")}
        if statement.startswith(("CREATE TABLE", "ALTER TABLE")):
            words |= _TYPES_OF_MARIADB
        else:
            words["text"] = "char"  # of a CAST
        if "ingest_" in statement:
            statement = _UUID.sub(lambda match: f"X'{match[1].replace('-', '')}'", statement)
        return _WORDS.sub(lambda match: words.get(match[0], match[0]), statement)


_WORDS = re.compile(r"""'[^']*'|"[^"]*"|\w+""")
_UUID = re.compile(r"'([0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12})'")
_TYPES_OF_MARIADB = {
    "text": "varchar(200)",
    "timestamptz": "datetime(6)",
    "jsonb": "json",
    "bytea": "longblob",
}


def _with_texts(
    description: Sequence[Sequence[Any]], rows: Sequence[tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    """``rows`` with texts for the bytes as which names are stored (``ByteText``); a BLOB stays bytes."""
    from pymysql.constants import FIELD_TYPE

    names = [column[1] == FIELD_TYPE.VAR_STRING for column in description]
    return [
        tuple(
            cell.decode() if is_name and isinstance(cell, bytes) else cell
            for is_name, cell in zip(names, row, strict=True)
        )
        for row in rows
    ]


def connect_to_mariadb(url: str) -> Any:
    """A plain connection, in UTC and strict."""
    import pymysql

    parts = sa.make_url(url)
    connection: Any = pymysql.connect(
        host=str(parts.host),
        port=parts.port or 3306,
        user=str(parts.username),
        database=parts.database,
        charset="utf8mb4",
    )
    # Names in double quotes, as tests of other databases have them.
    connection.cursor().execute(
        "SET time_zone = '+00:00', sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES', "
        "max_recursive_iterations = 100000000"
    )
    return connection


def make_batch(
    values: Sequence[Mapping[str, Any]],
    start: int = 0,
    *,
    source: str = "file:///a",
    partition: str = "p",
    final: bool = False,
    failures: Sequence[Failure] = (),
    filtered: int = 0,
    end: int | None = None,
) -> RecordBatch:
    """A batch whose records have the offsets ``start``, ``start + 1`` and so on.

    The last ``filtered`` offsets are those of records that a step dropped.
    """
    stop = start + len(values) + len(failures) + filtered if end is None else end
    return RecordBatch(
        span=Span(source, partition, start, stop, final),
        format=JSON,
        offsets=list(range(start, start + len(values))),
        raws=[encode(dict(value)) for value in values],
        values=list(values),
        failures=tuple(failures),
        filtered=tuple(range(stop - filtered, stop)),
    )


def make_failure(offset: int, *, transient: bool = False) -> Failure:
    """The failure of the record at ``offset`` of the batches of ``make_batch``."""
    return Failure(
        origin=Origin("file:///a", "p", offset),
        raw=b"{",
        format=JSON,
        stage="parse",
        category="malformed",
        exception="DecodeError",
        message="not JSON",
        stack="",
        transient=transient,
    )


def counts(settled: Settled) -> dict[str, int]:
    """What a commit made of a batch, without the zeros."""
    numbers = {
        **{name: number for name, number in settled.counts if name != "retrying"},
        "trimmed": settled.trimmed,
        "retry": len(settled.retry),
    }
    return {name: number for name, number in numbers.items() if number}


def await_lock(postgres: Database) -> None:
    """Wait until somebody waits for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    deadline = time.monotonic() + 30
    while postgres.rows(query) == [(0,)]:
        assert time.monotonic() < deadline
