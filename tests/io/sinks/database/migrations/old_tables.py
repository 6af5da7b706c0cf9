"""Tables of earlier versions, what they hold, and what shape tables have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.database.migrations import version_1
from sinks.database.tables import metadata
from tests.io.sinks.tested_database import Database

DUMPS = Path(__file__).parent / "fixtures"
RENAMED = {("ingest_progress", "target"): "pipeline", ("ingest_claims", "target"): "pipeline"}
"""Columns of version 1 that have another name in version 2."""

_NOISE = re.compile(r"::[a-z ]+(\[\])?|[()\s]")
"""Casts and brackets of a check, which Postgres writes otherwise after a dump and its restoration."""

USERS = {"people": ("id", "name"), "orders": ("id", "payload")}
"""The target tables of the dumps."""


def restore_version_1(database: Database, folder: str = "/tmp/sluice") -> None:
    """Fill an empty database with the dump; ``folder`` is where it says that the files are."""
    _skip_younger(database)
    kind = "postgres" if database.kind == "postgres" else "sqlite"
    text = (DUMPS / f"version_1.{kind}.sql").read_text().replace("/tmp/sluice", folder)
    if database.kind == "generic":
        text = text.replace("BIGINT", "INTEGER")  # as that dialect calls it
    with closing(database.connect()) as connection:
        if kind == "postgres":
            connection.cursor().execute(text)
        else:
            connection.executescript(text)
        connection.commit()


def create_version_0(database: Database) -> None:
    """What a version before version 1 made, with a retry that is due and a dead letter."""
    _skip_younger(database)
    database.run(
        "CREATE TABLE events (id integer PRIMARY KEY, name text)",
        *_version_0(database.kind),
        *_job(database.kind, 1, "retryable"),
        *_job(database.kind, 2, "discarded"),
    )


def _skip_younger(database: Database) -> None:
    if database.kind in ("mariadb", "duckdb"):
        pytest.skip("there were no such tables in MariaDB and DuckDB")


def contents(database: Database, names: Mapping[tuple[str, str], str]) -> dict[str, list[str]]:
    """The rows of every table of version 1, and of the user's; ``names`` are those of columns now."""
    columns = {table.name: tuple(table.c.keys()) for table in version_1.metadata.sorted_tables}
    rows = {}
    for table, present in {**columns, **USERS}.items():
        listed = ", ".join(f'"{names.get((table, name), name)}"' for name in present)
        rows[table] = sorted(map(repr, map(plain, database.rows(f"SELECT {listed} FROM {table}"))))
    return rows


def shape(database: Database) -> dict[str, Any]:
    """Of each table beside the user's: columns, keys, indexes and checks."""
    with transaction(database.database, "test", write=False) as connection:
        inspector = sa.inspect(connection)
        return {
            table: {
                "columns": [
                    (column["name"], str(column["type"]), column["nullable"])
                    for column in inspector.get_columns(table)
                ],
                "key": inspector.get_pk_constraint(table)["constrained_columns"],
                "unique": [
                    each["column_names"] for each in inspector.get_unique_constraints(table)
                ],
                "indexes": sorted(
                    (str(index["name"]), index["column_names"], bool(index["unique"]))
                    for index in inspector.get_indexes(table)
                ),
                "checks": sorted(
                    (str(check["name"]), _NOISE.sub("", str(check["sqltext"])))
                    for check in inspector.get_check_constraints(table)
                ),
            }
            for table in inspector.get_table_names()
            if table.startswith("ingest_")
        }


def drop_all(database: Database) -> None:
    """Empty the database."""
    with transaction(database.database, "test") as connection:
        reflected = sa.MetaData()
        reflected.reflect(connection)
        reflected.drop_all(connection)


def fresh_shape(database: Database) -> dict[str, Any]:
    """The shape of new tables, for which the database is emptied."""
    drop_all(database)
    with transaction(database.database, "test") as connection:
        metadata.create_all(connection)
    return shape(database)


def plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """The row with bytes that can be compared."""
    return tuple(bytes(cell) if isinstance(cell, memoryview) else cell for cell in row)


def _version_0(kind: str) -> list[str]:
    postgres = kind == "postgres"
    types = {
        "BIGSERIAL": "BIGSERIAL NOT NULL" if postgres else "INTEGER NOT NULL",
        "BYTES": "BYTEA" if postgres else "BLOB",
        "TIME": "TIMESTAMP WITH TIME ZONE" if postgres else "DATETIME",
        "UUID": "UUID" if postgres else "CHAR(32)",
        "REAL": "DOUBLE PRECISION" if postgres else "DOUBLE",
        "FALSE": "false" if postgres else "0",
    }
    tables = """
        CREATE TABLE ingest_progress (
            target TEXT NOT NULL, source TEXT NOT NULL, partition TEXT NOT NULL,
            start_offset BIGINT NOT NULL, end_offset BIGINT NOT NULL, final BOOLEAN NOT NULL,
            read BIGINT NOT NULL, inserted BIGINT NOT NULL, updated BIGINT NOT NULL,
            duplicates BIGINT NOT NULL, filtered BIGINT NOT NULL, dead BIGINT NOT NULL,
            retrying BIGINT NOT NULL, updated_at <TIME> NOT NULL,
            PRIMARY KEY (target, source, partition, start_offset),
            CONSTRAINT ingest_progress_range CHECK (end_offset >= start_offset)
        );
        CREATE TABLE ingest_jobs (
            id <BIGSERIAL>, target TEXT NOT NULL, source TEXT NOT NULL, partition TEXT NOT NULL,
            "offset" BIGINT NOT NULL, state VARCHAR(16) NOT NULL, stage TEXT NOT NULL,
            category TEXT NOT NULL, sqlstate VARCHAR(5), exception TEXT NOT NULL,
            message TEXT NOT NULL, stack TEXT NOT NULL, raw <BYTES> NOT NULL, format TEXT NOT NULL,
            event_time <REAL>, key <BYTES>, headers TEXT, attempt INTEGER NOT NULL,
            max_attempts INTEGER NOT NULL, replays INTEGER NOT NULL, errors JSON NOT NULL,
            run VARCHAR(36) NOT NULL, attempted_by TEXT, inserted_at <TIME> NOT NULL,
            scheduled_at <TIME> NOT NULL, attempted_at <TIME>, completed_at <TIME>,
            cancelled_at <TIME>, discarded_at <TIME>, origin <UUID> NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT ingest_jobs_state CHECK (state IN ('suspended', 'available', 'scheduled', 'retryable', 'completed', 'cancelled', 'discarded')),
            UNIQUE (origin)
        );
        CREATE TABLE ingest_queue (
            job BIGINT NOT NULL, target TEXT NOT NULL, bytes BIGINT NOT NULL,
            due_at <TIME> NOT NULL, PRIMARY KEY (job)
        );
        CREATE INDEX ingest_queue_due ON ingest_queue (target, due_at);
        CREATE TABLE ingest_claims (
            id <UUID> NOT NULL, target TEXT NOT NULL, lease TEXT NOT NULL, jobs JSON NOT NULL,
            count INTEGER NOT NULL, attempted_at <TIME> NOT NULL, PRIMARY KEY (id)
        );
        INSERT INTO ingest_progress VALUES
            ('events', 'file:///a', 'p', 0, 3, <FALSE>, 3, 1, 0, 0, 0, 1, 1, '2026-03-01 12:00:00')
    """
    for name, written in types.items():
        tables = tables.replace(f"<{name}>", written)
    if kind == "generic":
        tables = tables.replace("BIGINT", "INTEGER")  # as that dialect calls it
    return tables.split(";")


def _job(kind: str, number: int, state: str) -> list[str]:
    """The ``number``th failed record as that version stored it; one that waits is in the queue."""
    raw = "'{}'" if kind == "postgres" else "X'7B7D'"
    job = f"""
        INSERT INTO ingest_jobs (target, source, partition, "offset", state, stage, category,
            exception, message, stack, raw, format, attempt, max_attempts, replays, errors, run,
            inserted_at, scheduled_at, origin)
        VALUES ('events', 'file:///a', 'p', {number}, '{state}', 'Hide', 'retry_later',
            'RetryLater', 'away', '', {raw}, '{{"name":"json"}}', 1, 10, 0, '[]', 'run-0',
            '2026-03-01 12:00:00', '2026-03-01 12:00:00', '{number:032x}')
    """
    queued = f"INSERT INTO ingest_queue VALUES ({number}, 'events', 2, '2026-03-01 12:00:00')"
    return [job] if state == "discarded" else [job, queued]
