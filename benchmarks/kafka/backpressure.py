"""Slow the database down: reading must slow down too, lag grow in Kafka, and memory stay.

    python -m benchmarks.kafka.backpressure [--rate 1000] [--fast 15] [--slow 45] [--svg FILE]

A producer sends at a steady rate. In mid-run the table is slowed to a tenth of it (by a trigger that
sleeps before each row, as long as a control table says), then it is fast again. Samples are taken
every half second: records received from the broker (from the kernel's count of bytes), rows that the
database has taken, lag, and the memory of the process.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
from confluent_kafka import KafkaError

from benchmarks.kafka.chart import Chart, Points, svg
from benchmarks.kafka.checks import audited, await_settled, each_once, ends
from benchmarks.kafka.feed import failures_of, idempotent_producer
from benchmarks.kafka.ingestion import Ingestion
from benchmarks.kafka.services import services
from benchmarks.kafka.watch import Sample, Watch
from tests.services.kafka_broker import KafkaBroker

RECORD_BYTES = 8_000
"""Large, so that what may wait in memory (bounded in bytes) is seconds of the stream, not minutes."""

QUEUE_KBYTES = 1_024
"""librdkafka's fetch queue; for the same reason."""

WARM_UP = 10_000
"""Records that are there at the start and are read at full speed, so that buffers fill up."""

PARTITIONS = 2
EVERY_SECONDS = 0.5

SETUP = """
CREATE TABLE events (event_id text PRIMARY KEY, user_id bigint, pad text);
CREATE TABLE throttle (seconds double precision);
INSERT INTO throttle VALUES (0);
CREATE SEQUENCE taken;
CREATE FUNCTION take() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  PERFORM pg_sleep((SELECT seconds FROM throttle));
  PERFORM nextval('taken');
  RETURN NEW;
END $$;
CREATE TRIGGER take BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION take();
"""
# A sequence ignores transactions, so it counts rows of a transaction that is still open. Each read of
# the control table sees what is committed by then, even in mid-statement.
TAKEN = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM taken"


@dataclass(frozen=True, slots=True)
class Phase:
    """One of the three phases: its samples, and its rates in records a second.

    Attributes:
        samples: In order.
        produced: What the producer sent.
        received: What the process took from the broker; None where ``ss`` is missing.
        taken: Rows that the database took.
        peak: The most memory of the process, in MiB.
    """

    samples: Sequence[Sample]
    produced: float
    received: float | None
    taken: float
    peak: float

    @classmethod
    def of(cls, samples: Sequence[Sample], record_bytes: float) -> Phase:
        """The phase between the first and the last of ``samples``."""
        first, last = samples[0], samples[-1]
        seconds = last.at - first.at
        received = None
        if first.received is not None and last.received is not None:
            received = (last.received - first.received) / record_bytes / seconds
        return cls(
            samples,
            (last.produced - first.produced) / seconds,
            received,
            (last.extra - first.extra) / seconds,
            max(each.resident for each in samples),
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of the experiment.

    Attributes:
        fast: The database at full speed.
        slow: The database at a tenth of the producer's rate.
        after: At full speed again, until there was no lag.
        drained_seconds: How long that took, while the producer went on.
        record_bytes: Bytes of a record on the wire.
    """

    fast: Phase
    slow: Phase
    after: Phase
    drained_seconds: float
    record_bytes: float


def experiment(
    broker: KafkaBroker, dsn: str, folder: Path, *, rate: float, fast: float, slow: float
) -> Outcome:
    """Run it against an empty database; fails unless every record is there once in the end.

    Args:
        broker: A running broker.
        dsn: An empty database.
        folder: For files.
        rate: Records a second.
        fast: Seconds before the database is slowed down.
        slow: Seconds for which it is slow.
    """
    topic = "backpressure"
    broker.create_topic(topic, PARTITIONS)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SETUP)
        ingestion = Ingestion(
            *(folder / "ingest", f"kafka://{broker.bootstrap}/{topic}", dsn, "events"),
            (
                *("--key", "event_id"),
                *("--kafka_config", f"queued.max.messages.kbytes={QUEUE_KBYTES}"),
                *("--kafka_config", f"max.partition.fetch.bytes={QUEUE_KBYTES << 10}"),
            ),
        )
        broker.produce(topic, (record(number) for number in range(WARM_UP)))
        watch = Watch(*(ingestion, broker.bootstrap, topic, PARTITIONS, dsn, EVERY_SECONDS, TAKEN))
        try:
            ingestion.start()
            await_settled(dsn, topic, ends(broker.bootstrap, topic), ingestion)
            with (
                steady(broker.bootstrap, topic, rate) as sent,
                watch.running() as samples,
            ):
                time.sleep(fast)
                slowed = len(samples)
                connection.execute("UPDATE throttle SET seconds = %s", [10 / rate])
                time.sleep(slow)
                restored = len(samples)
                connection.execute("UPDATE throttle SET seconds = 0")
                drained = _await_no_lag(samples, restored, rate, ingestion)
            until = ends(broker.bootstrap, topic)
            await_settled(dsn, topic, until, ingestion)
            ingestion.stop()
        finally:
            ingestion.close()
    audited(dsn, topic, until)
    each_once(dsn, "events", "user_id", WARM_UP + sent[0])
    return _outcome(list(samples), slowed, restored, drained)


def _await_no_lag(
    samples: Sequence[Sample], restored: int, rate: float, ingestion: Ingestion
) -> float:
    """Wait until less than half a second of the stream is unsettled; returns the seconds."""
    started = time.monotonic()
    while len(samples) <= restored + 1 or samples[-1].lag > rate / 2:
        ingestion.check()
        waited = time.monotonic() - started
        assert waited < 120, f"lag still {samples[-1].lag} after {waited:.0f} s"
        time.sleep(EVERY_SECONDS / 5)
    return samples[-1].at - samples[restored].at


def _outcome(samples: list[Sample], slowed: int, restored: int, drained: float) -> Outcome:
    # By the end, the process has received all that was produced.
    received = samples[-1].received
    record_bytes = float(RECORD_BYTES)
    if received is not None:
        record_bytes = received / samples[-1].settled
    phases = (samples[:slowed], samples[slowed:restored], samples[restored:])
    fast, slow, after = (Phase.of(each, record_bytes) for each in phases)
    return Outcome(fast, slow, after, drained, record_bytes)


def record(number: int) -> tuple[None, bytes, int]:
    """Record ``number``, of RECORD_BYTES, as ``KafkaBroker.produce`` takes it."""
    head = b'{"event_id":"%d","user_id":%d,"pad":"' % (number, number)
    return None, head + b"x" * (RECORD_BYTES - len(head) - 2) + b'"}', number % PARTITIONS


@contextmanager
def steady(bootstrap: str, topic: str, rate: float) -> Iterator[list[int]]:
    """Send records from WARM_UP on while the block runs; yields a list with their number so far."""
    failed: list[KafkaError] = []
    sent = [0]
    stop = threading.Event()
    producer = idempotent_producer(bootstrap, **failures_of(failed))

    def loop() -> None:
        started = time.monotonic()
        while not stop.wait(0.01):
            while sent[0] < (time.monotonic() - started) * rate:
                _, value, partition = record(WARM_UP + sent[0])
                producer.produce(topic, value, partition=partition)
                sent[0] += 1
            producer.poll(0)

    thread = threading.Thread(target=loop, name="producer")
    thread.start()
    try:
        yield sent
    finally:
        stop.set()
        thread.join()
        left = producer.flush(60)
    assert not failed, failed
    assert not left, f"{left} records were not delivered"


def picture(outcome: Outcome) -> str:
    """The curves as SVG."""
    samples = [*outcome.fast.samples, *outcome.slow.samples, *outcome.after.samples]
    begin, end = outcome.slow.samples[0].at, outcome.after.samples[0].at
    rates: list[tuple[str, Points]] = [
        ("taken by the database", per_second(samples, [float(each.extra) for each in samples]))
    ]
    received = [
        each.received / outcome.record_bytes for each in samples if each.received is not None
    ]
    if len(received) == len(samples):
        rates.insert(0, ("read from Kafka", per_second(samples, received)))
    return svg(
        "Backpressure: the database slowed to a tenth, then fast again",
        [
            Chart("records a second", rates),
            Chart("lag in Kafka, records", [("lag", [(s.at, float(s.lag)) for s in samples])]),
            Chart("memory of the process, MiB", [("RSS", [(s.at, s.resident) for s in samples])]),
        ],
        [(begin, end, "the database takes a tenth")],
    )


def per_second(samples: Sequence[Sample], totals: Sequence[float]) -> Points:
    """The rate at which ``totals`` grew, over the second before each sample."""
    back = round(1 / EVERY_SECONDS)
    return [
        (
            samples[n].at,
            (totals[n] - totals[n - back]) / (samples[n].at - samples[n - back].at),
        )
        for n in range(back, len(samples))
    ]


def main() -> None:
    """Run the experiment; print its phases and draw its curves."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--rate", type=float, default=1_000.0, help="records a second")
    parser.add_argument("--fast", type=float, default=15.0, help="seconds")
    parser.add_argument("--slow", type=float, default=45.0, help="seconds")
    parser.add_argument("--svg", type=Path, default=Path("docs/backpressure.svg"), metavar="FILE")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample")
    arguments = parser.parse_args()
    with services("backpressure") as servers:
        outcome = experiment(
            *(servers.broker, servers.dsn, servers.root),
            rate=arguments.rate,
            fast=arguments.fast,
            slow=arguments.slow,
        )
    arguments.svg.write_text(picture(outcome))
    if arguments.json is not None:
        every = [*outcome.fast.samples, *outcome.slow.samples, *outcome.after.samples]
        arguments.json.write_text(json.dumps([asdict(each) for each in every]))
    print("| phase | produced/s | read/s | taken/s | lag at its end | peak MiB |")
    print("|---|---|---|---|---|---|")
    for name, phase in (("fast", outcome.fast), ("slow", outcome.slow), ("after", outcome.after)):
        read = "?" if phase.received is None else f"{phase.received:,.0f}"
        print(
            f"| {name} | {phase.produced:,.0f} | {read} | {phase.taken:,.0f} | "
            f"{phase.samples[-1].lag:,} | {phase.peak:.0f} |"
        )
    print(f"lag drained {outcome.drained_seconds:.1f} s after the database was fast again")


if __name__ == "__main__":
    main()
