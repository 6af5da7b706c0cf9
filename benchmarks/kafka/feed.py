"""A producer in its own process: events at a steady rate, none lost and none sent twice.

    python -m benchmarks.kafka.feed BOOTSTRAP TOPIC REPORT --records 360000 --rate 2000

Event number n has ``user_id`` n, so that one query tells whether all are there. ``occurred_at`` is
the time at which it was handed to the client; its key is its ``event_id``.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from examples.events import event
from tests.services.process import ServiceProcess

TICK_SECONDS = 0.005
DELIVERY_SECONDS = 300.0
GRACE_SECONDS = 120.0


class Feed:
    """The running producer. It ends with this process, however this process ends.

    Args:
        folder: A new folder for its log and its report.
        bootstrap: The broker.
        topic: An existing topic.
        records: How many events to send.
        rate: Events a second.
        first: The number of the first event.
        small: Every so manieth event has the type ``small`` and the others ``flood``; 0 leaves types as
            they are.
    """

    def __init__(
        self,
        folder: Path,
        bootstrap: str,
        topic: str,
        records: int,
        rate: float,
        *,
        first: int = 0,
        small: int = 0,
    ) -> None:
        folder.mkdir()
        self._log = folder / "feed.log"
        self._report = folder / "report.json"
        self._deadline = time.monotonic() + records / rate + GRACE_SECONDS
        self._process = ServiceProcess(
            [
                *(sys.executable, "-m", "benchmarks.kafka.feed"),
                *(bootstrap, topic, str(self._report)),
                *("--records", str(records), "--rate", str(rate), "--first", str(first)),
                *("--small", str(small)),
            ],
            folder,
            self._log,
        )

    @property
    def running(self) -> bool:
        """Whether it is still sending."""
        return self._process.exit_status is None

    def finish(self) -> dict[str, Any]:
        """Wait for its end; returns ``sent`` (all of them delivered) and ``seconds``."""
        while self.running:
            if time.monotonic() > self._deadline:
                self.close()
                raise SystemExit(f"the producer did not end in time: {self._log.read_text()}")
            time.sleep(0.1)
        if self._process.exit_status:
            raise SystemExit(f"the producer failed: {self._log.read_text()}")
        self.close()
        report: dict[str, Any] = json.loads(self._report.read_text())
        return report

    def close(self) -> None:
        """End it now."""
        self._process.kill()


def idempotent_producer(bootstrap: str, **settings: Any) -> Producer:
    """A producer that loses nothing, sends nothing twice, and waits for a broker that is away."""
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,  # and acks=all with it
            "linger.ms": 5,
            # Room for what is due while a broker is away for a minute.
            "queue.buffering.max.messages": 1_000_000,
            "message.timeout.ms": round(DELIVERY_SECONDS * 1000),
            "reconnect.backoff.max.ms": 1000,
            "log_level": 0,
            **settings,
        }
    )


def failures_of(errors: list[KafkaError]) -> dict[str, Any]:
    """Settings of a producer that reports only failed deliveries, into ``errors``."""

    def on_delivery(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            errors.append(error)

    return {"delivery.report.only.error": True, "on_delivery": on_delivery}


def feed(
    bootstrap: str, topic: str, records: int, rate: float, first: int, small: int
) -> dict[str, Any]:
    """Send the events; returns the report. Fails unless all are delivered."""
    failed: list[KafkaError] = []
    settings = {
        **failures_of(failed),
        "topic.metadata.refresh.interval.ms": 1000,  # to see new partitions soon
    }
    producer = idempotent_producer(bootstrap, **settings)
    rng = random.Random(11 + first)
    started = time.perf_counter()
    sent = 0
    latest = 0.0
    while sent < records:
        elapsed = time.perf_counter() - started
        due = min(records, int(elapsed * rate) + 1)
        latest = max(latest, elapsed - sent / rate)
        for number in range(first + sent, first + due):
            numbered = event(rng, number)
            numbered["user_id"] = number
            numbered["occurred_at"] = datetime.now(UTC).isoformat()
            if small:
                numbered["type"] = "flood" if number % small else "small"
            producer.produce(
                topic, json.dumps(numbered, separators=(",", ":")), numbered["event_id"]
            )
        sent = due
        producer.poll(TICK_SECONDS)
    seconds = time.perf_counter() - started
    left = producer.flush(DELIVERY_SECONDS)
    if failed or left:
        reason = failed[0].str() if failed else "no answer"
        raise SystemExit(f"{len(failed) + left} of {sent} events were not delivered: {reason}")
    return {"sent": sent, "seconds": seconds, "latest_seconds": latest}


def main() -> None:
    """Be the producer."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("bootstrap")
    parser.add_argument("topic")
    parser.add_argument("report", type=Path)
    parser.add_argument("--records", type=int, default=360_000)
    parser.add_argument("--rate", type=float, default=2_000.0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--small", type=int, default=0)
    arguments = parser.parse_args()
    report = feed(
        *(arguments.bootstrap, arguments.topic, arguments.records, arguments.rate),
        *(arguments.first, arguments.small),
    )
    arguments.report.write_text(json.dumps(report))


if __name__ == "__main__":
    main()
