"""A producer whose records are late, broken or refused, in shares that can be changed while it sends."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from confluent_kafka import KafkaError

from benchmarks.kafka.feed import failures_of, idempotent_producer

LATE_SECONDS = 300
"""How old records are that are late."""

ORPHANS_FROM = 1_000_000
"""Users from this number on are not in the table of users."""


@dataclass(slots=True)
class Feed:
    """What is sent from now on.

    Attributes:
        rate: Records a second.
        broken: Share of records that are no JSON.
        late: Share of records whose event time is long ago.
        orphans: Share of records whose user is not there yet.
        sent: How many were sent.
    """

    rate: float = 300.0
    broken: float = 0.0
    late: float = 0.0
    orphans: float = 0.0
    sent: int = 0

    def record(self, rng: random.Random) -> tuple[bytes, int]:
        """The next record, and its time in milliseconds."""
        number, self.sent = self.sent, self.sent + 1
        at = round(1000 * (time.time() - (LATE_SECONDS if rng.random() < self.late else 0)))
        if rng.random() < self.broken:
            return b'{"event_id":"%d","user_id' % number, at
        user = ORPHANS_FROM + number if rng.random() < self.orphans else 1
        return b'{"event_id":"%d","user_id":%d}' % (number, user), at


@contextmanager
def feeding(bootstrap: str, topic: str) -> Iterator[Feed]:
    """Send records while the block runs; all of them have been delivered at its end."""
    feed, stop = Feed(), threading.Event()
    failed: list[KafkaError] = []
    producer = idempotent_producer(bootstrap, **failures_of(failed))
    rng = random.Random(15)

    def loop() -> None:
        due, before = 0.0, time.monotonic()
        while not stop.wait(0.01):
            now = time.monotonic()
            due, before = due + (now - before) * feed.rate, now
            while due >= 1:
                value, at = feed.record(rng)
                producer.produce(topic, value, timestamp=at)
                due -= 1
            producer.poll(0)

    thread = threading.Thread(target=loop, name="feed", daemon=True)
    thread.start()
    try:
        yield feed
    finally:
        stop.set()
        thread.join()
        left = producer.flush(60)
    assert not failed, failed
    assert not left, f"{left} records were not delivered"
