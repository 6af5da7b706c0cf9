"""Measure the time from produce to committed row, while events arrive at a steady rate.

    python -m benchmarks.kafka.latency [--rate 2000] [--seconds 60] [--runners DirectRunner PrismRunner]

Three times are compared, all of one machine: ``occurred_at`` in the event, taken when it is handed to
the producer; Kafka's timestamp, which the broker sets when it appends (LogAppendTime); and the commit
timestamp of Postgres (``track_commit_timestamp``). Postgres takes it just before the commit is flushed
to disk, so the duration of a flush is measured and printed too.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from uuid import UUID

import orjson
import psycopg
from confluent_kafka import Consumer, KafkaException, TopicPartition

from benchmarks.events_table import fresh
from benchmarks.kafka.checks import Offsets, audited, await_settled, each_once, ends
from benchmarks.kafka.feed import Feed
from benchmarks.kafka.ingestion import Ingestion
from benchmarks.kafka.services import Services, services
from examples.events import event
from runners.runner import NAMES
from tests.services.kafka_broker import Produced

PARTITIONS = 4
FLUSHES = 200


def main() -> None:
    """Measure each runner; fails if a p99 is above the goal."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--rate", type=float, default=2_000.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--goal", type=float, default=1.0, help="greatest p99, in seconds")
    parser.add_argument("--runners", nargs="+", default=["DirectRunner", "PrismRunner"])
    arguments = parser.parse_args()
    missed: list[str] = []
    for runner in arguments.runners:
        if runner not in NAMES:
            print(f"{runner}: pipelines.ingest does not offer it: NOT MEASURED", flush=True)
            continue
        with services("latency", {"track_commit_timestamp": "on"}) as servers:
            if trial(arguments, servers, runner) > arguments.goal:
                missed.append(runner)
    if missed:
        raise SystemExit(f"p99 above {arguments.goal:g} s on {', '.join(missed)}")


def trial(arguments: argparse.Namespace, servers: Services, runner: str) -> float:
    """Measure one runner and print it; returns the p99 from produce to commit, in seconds."""
    topic = "latency"
    servers.broker.create_topic(topic, PARTITIONS, {"message.timestamp.type": "LogAppendTime"})
    fresh(servers.dsn)
    records = round(arguments.seconds * arguments.rate)
    ingestion = Ingestion(
        *(servers.root / "ingest", servers.uri(topic), servers.dsn, "events"),
        ("--key", "event_id"),
        runner,
    )
    try:
        ingestion.start()
        # These end the start-up, so that a running stream is measured.
        servers.broker.produce(topic, probes())
        await_settled(servers.dsn, topic, ends(servers.broker.bootstrap, topic), ingestion)
        before, started = ingestion.cpu_seconds(), time.monotonic()
        feed = Feed(servers.root / "feed", servers.broker.bootstrap, topic, records, arguments.rate)
        try:
            report = feed.finish()
        finally:
            feed.close()
        until = ends(servers.broker.bootstrap, topic)
        await_settled(servers.dsn, topic, until, ingestion)
        share = (ingestion.cpu_seconds() - before) / (time.monotonic() - started)
        resident = ingestion.resident_mib()
        ingestion.stop()
    finally:
        ingestion.close()
    assert report["sent"] == records, report
    audited(servers.dsn, topic, until)
    each_once(servers.dsn, "(SELECT * FROM events WHERE user_id >= 0) e", "user_id", records)
    appended = append_times(servers.broker.bootstrap, topic, until)
    rows = committed_rows(servers.dsn)
    assert len(rows) == records, f"{len(rows)} rows, {records} sent"
    produce = [commit - occurred for _, occurred, commit in rows]
    append = [commit - appended[str(key)] for key, _, commit in rows]
    rate = records / report["seconds"]
    print(
        f"{runner}: {records:,} events at {rate:,.0f}/s ({share:.0%} of a core, {resident:.0f} MiB)"
    )
    print(f"  produce to commit: {shown(produce)}")
    print(f"  append to commit:  {shown(append)}")
    print(
        f"  a flush of a commit takes {1000 * flush_seconds(servers.dsn):.1f} ms here; "
        f"load average of the last minute {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
        flush=True,
    )
    return percentile(produce, 99)


def probes() -> Iterator[Produced]:
    """One event for each partition, with a negative number."""
    rng = random.Random(13)
    for partition in range(PARTITIONS):
        yield None, orjson.dumps({**event(rng, 0), "user_id": -1 - partition}), partition


def append_times(bootstrap: str, topic: str, until: Offsets) -> dict[str, float]:
    """Kafka's timestamp of every event, by its key, in seconds since the epoch."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "latency", "enable.auto.commit": False}
    )
    times: dict[str, float] = {}
    try:
        consumer.assign([TopicPartition(topic, each, 0) for each in until])
        left = sum(until.values())
        while left:
            messages = consumer.consume(min(left, 10_000), 10.0)
            assert messages, f"{left} messages could not be read back"
            for message in messages:
                error = message.error()
                if error is not None:
                    raise KafkaException(error)
                kind, milliseconds = message.timestamp()
                assert kind == 2, "not the time of the append"
                times[(message.key() or b"").decode()] = milliseconds / 1000
            left -= len(messages)
    finally:
        consumer.close()
    return times


def committed_rows(dsn: str) -> list[tuple[UUID, float, float]]:
    """Key, time of the event and time of the commit of every row, in seconds."""
    with psycopg.connect(dsn) as connection:
        return connection.execute(
            "SELECT event_id, extract(epoch FROM occurred_at)::float8, "
            "extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 "
            "FROM events WHERE user_id >= 0"
        ).fetchall()


def flush_seconds(dsn: str) -> float:
    """Median duration of one small transaction, from its start to the answer."""
    taken: list[float] = []
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE flushes (n integer)")
        for number in range(FLUSHES):
            started = time.perf_counter()
            connection.execute("INSERT INTO flushes VALUES (%s)", (number,))
            taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def percentile(seconds: Sequence[float], percent: int) -> float:
    """The value that ``percent`` percent do not exceed."""
    return statistics.quantiles(seconds, n=100, method="inclusive")[percent - 1]


def shown(seconds: Sequence[float]) -> str:
    """Percentiles and maximum, as text."""
    parts = [f"p{each} {1000 * percentile(seconds, each):,.0f} ms" for each in (50, 90, 99)]
    return ", ".join((*parts, f"max {1000 * max(seconds):,.0f} ms"))


if __name__ == "__main__":
    main()
