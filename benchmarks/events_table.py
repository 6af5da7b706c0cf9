"""The table that most measurements load, and its return to the state before the first record."""

from __future__ import annotations

import psycopg

DDL = """CREATE TABLE events (event_id uuid PRIMARY KEY, user_id bigint, type text,
occurred_at timestamptz, amount numeric, currency text, props jsonb)"""
LEDGER = ("ingest_progress", "ingest_jobs")


def fresh(dsn: str) -> None:
    """Leave the database with an empty table and no ledger."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for table in ("events", *LEDGER):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
        connection.execute(DDL)
        connection.execute("CHECKPOINT")


def check(dsn: str, records: int) -> None:
    """Fail unless there are as many rows as records."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT count(*) FROM events").fetchone()
    if row != (records,):
        raise SystemExit(f"expected {records} rows, found {row}")
