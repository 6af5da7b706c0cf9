"""Two processes commit overlapping routes and keys at once: Postgres must not detect any deadlock.

    python -m benchmarks.routes.deadlock [--minutes 10] [--rate 4000] [--seed 1]

Two pipelines read one topic of ten types into the same ten tables, which have few keys. Their routes
stand in opposite order and have different bounds, so their transactions hold different tables. Every
record overwrites the row of its key. Deadlocks are counted by ``pg_stat_database``, since the pipelines
would only try again. That it counts them, and that the two do wait for each other, is shown too. With
``--twins`` the first pipeline has two processes.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from benchmarks.kafka.feed import DELIVERY_SECONDS, TICK_SECONDS, failures_of, idempotent_producer
from benchmarks.kafka.ingestion import Ingestion
from benchmarks.routes.event_types import EVENT_TYPES, SCHEMA_NAME, Destinations, write_routes
from benchmarks.routes.records import Plan, records
from benchmarks.routes.stage import RETRIES, Stage, stage
from benchmarks.routes.tables import deadlocks, new_database
from tests.waiting import wait_until

TOPIC = "contended"
PIPELINES = ("forwards", "backwards")
SAMPLE_SECONDS = 0.05
PATIENCE_SECONDS = 120.0
UNBOUNDED_RECORDS = 1 << 40

WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


def main() -> None:
    """Run both pipelines for some minutes, and count."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=4_000.0)
    parser.add_argument("--twins", action="store_true", help="two processes of the first pipeline")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    plan = Plan(UNBOUNDED_RECORDS, seed=arguments.seed, broken=0.001, late=0.0, keys=50)
    with stage("routes-deadlock", objects=False) as services:
        control(new_database(services.servers.dsn, "control"))
        url = new_database(services.servers.dsn, "contended")
        services.servers.broker.create_topic(TOPIC, plan.partitions)
        with running(services, url, twins=arguments.twins) as pipelines:
            sent, waits = load(services.servers.broker.bootstrap, url, plan, arguments, pipelines)
            for each in pipelines:
                each.stop()
        count = deadlocks(url)
        commits = written(url)
    if count:
        raise SystemExit(f"{count} deadlocks in {arguments.minutes:.0f} minutes")
    assert waits, "the two never waited for each other, so this proves nothing"
    print(
        f"no deadlock in {arguments.minutes:.0f} minutes: {sent:,} records, read by two pipelines, "
        f"{commits}; one waited for a lock of the other in {waits:,} samples"
    )


@contextmanager
def running(services: Stage, url: str, *, twins: bool) -> Iterator[Sequence[Ingestion]]:
    """The processes, one after the other, since each creates the tables beside the targets."""
    root, source = services.servers.root, services.servers.uri(TOPIC)
    flags = {
        name: [
            "--pipeline",
            name,
            "--routes",
            str(write_routes(root / f"{name}-routes", routes(at))),
        ]
        for at, name in enumerate(PIPELINES)
    }
    names = (*PIPELINES, *(PIPELINES[:1] if twins else ()))
    processes = [
        Ingestion(root / f"{name}-{number}", source, url, None, [*flags[name], *RETRIES])
        for number, name in enumerate(names)
    ]
    try:
        for name, process in zip(names, processes, strict=True):
            process.start()
            wait_until(lambda name=name: settled_by(url, name) is not None, f"{name} has started")  # type: ignore[misc]
        yield processes
    finally:
        for process in processes:
            process.close()


def routes(number: int) -> Destinations:
    """The routes of one of the pipelines."""
    names = [kind.name for kind in EVENT_TYPES]
    return Destinations(
        on_conflict="update",
        bounds={each: bounds(index + number) for index, each in enumerate(names)},
        reversed=bool(number),
    )


def bounds(number: int) -> Mapping[str, Any]:
    """Bounds of a route, so that transactions begin at different tables."""
    choices: tuple[Mapping[str, Any], ...] = (
        {"batch_records": 50, "batch_age": "1s"},
        {"batch_records": 500, "batch_age": "2s"},
        {},
    )
    return choices[number % len(choices)]


def load(
    bootstrap: str,
    url: str,
    plan: Plan,
    arguments: argparse.Namespace,
    processes: Sequence[Ingestion],
) -> tuple[int, int]:
    """Produce for some minutes; returns the number of records, and of samples with a wait."""
    stop = threading.Event()
    waits = 0
    with ThreadPoolExecutor(1) as pool, psycopg.connect(url, autocommit=True) as connection:
        producing = pool.submit(produce, bootstrap, plan, arguments.rate, stop)
        deadline = time.monotonic() + 60 * arguments.minutes
        try:
            while time.monotonic() < deadline and not producing.done():
                waits += _number(connection, WAITING) > 0
                for process in processes:
                    process.check()
                time.sleep(SAMPLE_SECONDS)
        finally:
            stop.set()
        sent = producing.result()
        for name in PIPELINES:
            wait_until(
                lambda name=name: settled_by(url, name) == sent,  # type: ignore[misc]
                f"{name} has settled all",
                seconds=PATIENCE_SECONDS,
            )
    return sent, waits


def produce(bootstrap: str, plan: Plan, rate: float, stop: threading.Event) -> int:
    """Produce records at a steady rate until ``stop``; returns how many."""
    failed: list[Any] = []
    producer = idempotent_producer(bootstrap, **failures_of(failed))
    started = time.monotonic()
    sent = 0
    for record in records(plan):
        while (early := started + sent / rate - time.monotonic()) > 0:
            producer.poll(min(early, TICK_SECONDS))
        if stop.is_set():
            break
        producer.produce(TOPIC, record.raw, partition=record.partition)
        sent += 1
        if sent % 100 == 0:
            producer.poll(0)
    left = producer.flush(DELIVERY_SECONDS)
    assert len(failed) + left == 0, f"{len(failed) + left} of {sent} records were not delivered"
    return sent


def settled_by(url: str, pipeline: str) -> int | None:
    """How many records a pipeline has settled; None before it has started."""
    with psycopg.connect(url) as connection, suppress(psycopg.errors.UndefinedTable):
        started = "SELECT count(*) FROM ingest_pipelines WHERE name = %s"
        if _number(connection, started, pipeline):
            query = "SELECT coalesce(sum(read), 0) FROM ingest_progress WHERE pipeline = %s"
            return _number(connection, query, pipeline)
    return None


def written(url: str) -> str:
    """How many rows were inserted and updated, and in how many transactions."""
    counts: Counter[str] = Counter()
    with psycopg.connect(url) as connection:
        for name in ("inserted", "updated"):
            query = f"SELECT coalesce(sum({name}), 0) FROM ingest_counts"
            counts[name] = _number(connection, query)
        commits = _number(
            connection,
            "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()",
        )
    return f"{counts['inserted']:,} inserted, {counts['updated']:,} updated, {commits:,} commits"


def control(url: str) -> None:
    """Let two transactions lock two tables in opposite order: the deadlock must be counted."""
    assert deadlocks(url) == 0
    names = ("logins", "refunds")
    held = threading.Barrier(2)

    def lock(order: tuple[str, ...]) -> None:
        with psycopg.connect(url) as connection, suppress(psycopg.errors.DeadlockDetected):
            connection.execute(f"LOCK TABLE {SCHEMA_NAME}.{order[0]}".encode())
            held.wait()
            connection.execute(f"LOCK TABLE {SCHEMA_NAME}.{order[1]}".encode())

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(lock, names), pool.submit(lock, names[::-1])]:
            done.result()
    wait_until(lambda: deadlocks(url) == 1, "the server counts the deadlock")
    print("a deadlock made on purpose is counted", flush=True)


def _number(connection: psycopg.Connection, query: str, *bound: str) -> int:
    row = connection.execute(query.encode(), bound).fetchone()
    assert row is not None
    return int(row[0])


if __name__ == "__main__":
    main()
