"""Produce the records of ``faults`` at a steady rate, and log where each one went.

A line is written when the broker has confirmed its record (acks=all), with the record's offset. The
final check knows only from this log what was produced.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaError, Message

from benchmarks.kafka.feed import DELIVERY_SECONDS, TICK_SECONDS, idempotent_producer
from benchmarks.stream.records import Record


@dataclass(frozen=True, slots=True)
class Produced:
    """A record, and its offset."""

    record: Record
    offset: int


def produced(log: Path) -> Iterator[Produced]:
    """The entries of the log, in the order of the confirmations."""
    with log.open() as lines:
        for line in lines:
            partition, offset, key, kind, raw = json.loads(line)
            yield Produced(Record(partition, key, kind, raw.encode("latin-1")), offset)


def feed(
    bootstrap: str,
    topic: str,
    stream: Iterable[Record],
    rate: float,
    log: Path,
    stop: threading.Event,
) -> int:
    """Produce ``stream``, each record to its partition; returns how many.

    Args:
        bootstrap: The broker; it may be away for a while.
        topic: An existing topic.
        stream: The records.
        rate: Records a second.
        log: A new file.
        stop: Ends it early.

    Raises:
        RuntimeError: Not all were confirmed.
    """
    failed: list[KafkaError] = []
    sent = confirmed = 0
    with log.open("w") as lines:

        def noted(record: Record) -> Callable[[KafkaError | None, Message], None]:
            def note(error: KafkaError | None, message: Message) -> None:
                nonlocal confirmed
                if error is not None:
                    failed.append(error)
                    return
                place = [message.partition(), message.offset()]
                entry = [*place, record.key, record.kind, record.raw.decode("latin-1")]
                lines.write(json.dumps(entry) + "\n")
                confirmed += 1

            return note

        producer = idempotent_producer(bootstrap)
        started = time.monotonic()
        for record in stream:
            while (early := started + sent / rate - time.monotonic()) > 0:
                producer.poll(min(early, TICK_SECONDS))
            producer.produce(
                topic, record.raw, record.key, record.partition, on_delivery=noted(record)
            )
            sent += 1
            if sent % 100 == 0:
                producer.poll(0)
            if stop.is_set():
                break
        left = producer.flush(DELIVERY_SECONDS)
    if failed or left or confirmed != sent:
        reason = failed[0].str() if failed else "no answer"
        raise RuntimeError(f"{sent - confirmed} of {sent} records were not confirmed: {reason}")
    return sent
