"""What a run has written into the database: rows, dead letters and counts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

import psycopg
from psycopg import sql

from benchmarks.kafka.checks import partition_of
from benchmarks.routes.event_types import EVENT_TYPES, SCHEMA_NAME, EventType
from benchmarks.routes.expected import Contents, Dead, contents
from transforms.batch.counts import COUNTS

_ORDERED = sorted(EVENT_TYPES, key=lambda kind: "FOREIGN KEY" in " ".join(kind.constraints))
"""Parents first."""


def database_url(dsn: str, name: str) -> str:
    """The URL of another database of the server of ``dsn``."""
    return re.sub(r"(?<=/)\w+(?=\?|$)", name, dsn, count=1)


def new_database(dsn: str, name: str) -> str:
    """Make an empty database with the ten tables; returns its URL. One of that name is dropped."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        identifier = sql.Identifier(name)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(identifier))
        connection.execute("CHECKPOINT")
    url = database_url(dsn, name)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {SCHEMA_NAME}")
        for kind in _ORDERED:
            connection.execute(kind.ddl.encode())
    return url


def table_contents(connection: psycopg.Connection, kind: EventType, *, whole: bool) -> Contents:
    """The rows of one table.

    Args:
        connection: To the database.
        kind: The type whose table it is.
        whole: Compare all columns, not only those whose values follow from the record alone.
    """
    names = list(kind.compared)
    if whole:
        names += [each.split()[0] for each in kind.more]
    columns = ", ".join(f'"{name}"' for name in names)
    with connection.cursor(f"read_{kind.name}") as cursor:
        cursor.itersize = 20_000
        cursor.execute(f"SELECT {columns} FROM {kind.label}".encode())
        return contents(names, cursor)


def dead_letters(connection: psycopg.Connection, objects: str = "") -> Counter[Dead]:
    """All dead letters, and every job that still waits, as one of the stage that it waits at.

    Args:
        connection: To the database.
        objects: The URL of the sink of objects, whose datasets are labelled by it; empty for none.
    """
    dead: Counter[Dead] = Counter()
    query = (
        'SELECT partition, "offset", target, stage, category FROM ingest_jobs '
        "WHERE state <> 'completed'"
    )
    for partition, offset, target, stage, category in connection.execute(query):
        label = unprefixed(target, objects)
        dead[partition_of(partition), offset, label, stage, category] += 1
    return dead


def unprefixed(label: str, objects: str) -> str:
    """The label of a target, of a dataset of ``objects`` without the URL of the sink."""
    return label.removeprefix(f"{objects}/") if objects else label


def counts(connection: psycopg.Connection, objects: str = "") -> Mapping[str, Mapping[str, int]]:
    """By the label of each target, its counts by their names; targets without any are left out.

    ``objects`` is that of ``dead_letters``.
    """
    sums = ", ".join(f"sum({name})::bigint" for name in COUNTS)
    rows = connection.execute(f"SELECT target, {sums} FROM ingest_counts GROUP BY target".encode())
    by_target = {
        unprefixed(target, objects): dict(zip(COUNTS, numbers, strict=True))
        for target, *numbers in rows
    }
    return {target: numbers for target, numbers in by_target.items() if any(numbers.values())}


def ledger_sums(connection: psycopg.Connection) -> Mapping[str, int]:
    """The sums of the ledger over all partitions."""
    sums = ", ".join(f"coalesce(sum({name}), 0)::bigint" for name in COUNTS)
    row = connection.execute(f"SELECT {sums} FROM ingest_progress".encode()).fetchone()
    assert row is not None
    return dict(zip(COUNTS, row, strict=True))


def counts_differ_from_ledger(connection: psycopg.Connection) -> list[str]:
    """Where the counts of all targets together are not those of the ledger, or not conserved."""
    by_target, ledger = counts(connection), ledger_sums(connection)
    lines = []
    for name in COUNTS:
        total = sum(numbers[name] for numbers in by_target.values())
        if total != ledger[name]:
            lines.append(f"{name}: {total:,} over all targets, {ledger[name]:,} in the ledger")
    for target, numbers in (*by_target.items(), ("the ledger", ledger)):
        records = numbers["read"] + numbers["expanded"]
        outcomes = sum(numbers[name] for name in COUNTS if name not in ("read", "expanded"))
        if records != outcomes:
            lines.append(f"{target}: {records:,} records have {outcomes:,} outcomes")
    return lines


def jobs_left(url: str) -> int:
    """How many jobs wait for an attempt or are being tried."""
    query = "SELECT count(*) FROM ingest_jobs WHERE state NOT IN ('completed', 'discarded', 'cancelled')"
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def deadlocks(url: str) -> int:
    """How many deadlocks the server has detected in the database."""
    query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])
