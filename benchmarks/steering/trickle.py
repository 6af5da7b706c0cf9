"""A producer in this process: numbered events at a steady rate, until it is stopped."""

from __future__ import annotations

import json
import random
import threading

from confluent_kafka import KafkaError

from benchmarks.kafka.feed import DELIVERY_SECONDS, failures_of, idempotent_producer
from examples.events import event


class Trickle(threading.Thread):
    """Sends events until it is stopped: number n is at offset n // P of partition n % P, of P partitions.

    Args:
        bootstrap: The broker.
        topic: A topic without records.
        partitions: How many it has.
        rate: Events a second.
    """

    def __init__(self, bootstrap: str, topic: str, partitions: int, rate: float) -> None:
        super().__init__(name="trickle", daemon=True)
        self._stopped = threading.Event()
        self._failed: list[KafkaError] = []
        self._producer = idempotent_producer(bootstrap, **failures_of(self._failed))
        self._topic = topic
        self._partitions = partitions
        self._rate = rate
        self._sent = 0
        self.start()

    def run(self) -> None:
        """Send until it is stopped."""
        rng = random.Random(11)
        while not self._stopped.wait(self._partitions / self._rate):
            for partition in range(self._partitions):
                value = {**event(rng, self._sent), "user_id": self._sent}
                raw = json.dumps(value, separators=(",", ":"))
                self._producer.produce(self._topic, raw, partition=partition)
                self._sent += 1
            self._producer.poll(0)

    def stop(self) -> None:
        """Send nothing more."""
        self._stopped.set()

    def finish(self) -> int:
        """Stop, and wait until all is delivered; returns how many there are."""
        self.stop()
        self.join()
        left = self._producer.flush(DELIVERY_SECONDS)
        lost = left + len(self._failed)
        assert not lost, f"{lost} events were not delivered: {self._failed[:1]}"
        return self._sent
