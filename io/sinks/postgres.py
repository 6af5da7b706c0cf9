"""PostgreSQL: describe and create the target, lock partitions; the writing is in ``postgres_copy``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import sqlalchemy as sa

from sinks import postgres_copy
from sinks.config import TableName
from sinks.dialect import Records, Written
from sinks.quoting import quote, quoted
from sinks.schema import LogicalType, NewColumn
from sinks.target import Column, Description, Target

_TYPES: dict[LogicalType, str] = {
    "text": "text",
    "uuid": "uuid",
    "timestamp": "timestamptz",
    "date": "date",
    "time": "time",
    "integer": "bigint",
    "numeric": "numeric",
    "boolean": "boolean",
    "json": "jsonb",
}

LOCKS = 256
"""How many advisory locks all partitions of a target share: the server's lock table is finite."""

_FIND = sa.text(
    """
    SELECT c.oid, c.relkind = 'p' AS partitioned,
           EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.condeferrable)
           OR EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND g.tgdeferrable)
             AS deferrable
    FROM pg_class c WHERE c.oid = to_regclass(:name)
    """
)
# A domain is read as the type beneath it; its own checks are the database's business.
_COLUMNS = sa.text(
    """
    SELECT a.attname AS name, COALESCE(b.typname, t.typname) AS type,
           a.atthasdef OR a.attidentity <> '' AS has_default,
           a.attgenerated <> '' OR a.attidentity = 'a' AS generated
    FROM pg_attribute a
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype
    WHERE a.attrelid = :oid AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum
    """
)
# Partial, expression and deferrable indexes cannot settle an ON CONFLICT (manual, INSERT).
_UNIQUE = sa.text(
    """
    SELECT array_agg(a.attname::text)
    FROM pg_index i
    CROSS JOIN LATERAL unnest(i.indkey[0:i.indnkeyatts - 1]) AS k(attnum)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    WHERE i.indrelid = :oid AND i.indisunique AND i.indimmediate AND i.indisvalid
      AND i.indpred IS NULL AND i.indexprs IS NULL
    GROUP BY i.indexrelid
    """
)


class Postgres:
    """PostgreSQL 12 or later by psycopg2."""

    def describe(self, connection: sa.Connection, table: TableName) -> Description | None:
        """Read the catalogue."""
        found = connection.execute(_FIND, {"name": quoted(table)}).one_or_none()
        if found is None:
            return None
        oid = {"oid": found.oid}
        columns = tuple(
            Column(row.name, row.type, row.has_default, row.generated)
            for row in connection.execute(_COLUMNS, oid)
        )
        unique = tuple(frozenset(row[0]) for row in connection.execute(_UNIQUE, oid))
        return Description(columns, unique, found.deferrable, found.partitioned)

    def create(
        self,
        connection: sa.Connection,
        table: TableName,
        columns: Sequence[NewColumn],
        key: Sequence[str],
    ) -> None:
        """Create the table."""
        lines = [
            f"{quote(column.name)} {_TYPES[column.type]}" + ("" if column.nullable else " NOT NULL")
            for column in columns
        ]
        lines.append(f"PRIMARY KEY ({', '.join(map(quote, key))})")
        # The driver's cursor leaves percent signs in names alone.
        cursor = connection.connection.cursor()
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {quoted(table)} ({', '.join(lines)})")

    def lock(self, connection: sa.Connection, names: Sequence[tuple[str, ...]]) -> None:
        """Take advisory locks, in one order for all writers so that they cannot deadlock."""
        keys = sorted({_lock_key(name) for name in names})
        connection.execute(_LOCK, {"keys": keys})

    def write(self, connection: sa.Connection, target: Target, records: Records) -> Written:
        """Write by COPY."""
        return postgres_copy.write(connection, target, records)

    def committed(self, target: Target, written: Written) -> None:
        """Remember whether keys collided."""
        postgres_copy.committed(target, written)


_LOCK = sa.text("SELECT pg_advisory_xact_lock(k) FROM unnest(CAST(:keys AS bigint[])) AS k")


def _lock_key(name: tuple[str, ...]) -> int:
    """One of ``LOCKS`` 64-bit keys of the target (the first part of ``name``)."""
    target = hashlib.blake2b(name[0].encode(), digest_size=8).digest()
    rest = hashlib.blake2b("\x00".join(name[1:]).encode(), digest_size=8).digest()
    base = int.from_bytes(target, "big", signed=True)
    return base // LOCKS * LOCKS + int.from_bytes(rest, "big") % LOCKS
