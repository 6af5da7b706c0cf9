"""Append many messages to a topic, fast, and be sure that they are there."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from tests.services.kafka_server import MESSAGE_BYTES

Header = tuple[str, bytes | None]
Produced = (
    tuple[bytes | None, bytes | None]
    | tuple[bytes | None, bytes | None, int | None]
    | tuple[bytes | None, bytes | None, int | None, int | None]
    | tuple[bytes | None, bytes | None, int | None, int | None, list[Header] | None]
)
"""Key, value, partition, timestamp in milliseconds, headers; what is left out is the client's."""

DELIVERY_SECONDS = 120.0


def produce(bootstrap: str, topic: str, messages: Iterable[Produced]) -> int:
    """Append ``messages`` in order, none lost and none twice; returns how many.

    Raises:
        RuntimeError: Messages were not delivered; how many, and the first one's error.
    """
    failed: list[KafkaError] = []

    def on_delivery(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failed.append(error)

    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "linger.ms": 20,
            "batch.size": 1 << 20,
            "message.max.bytes": MESSAGE_BYTES,
            "message.timeout.ms": round(DELIVERY_SECONDS * 1000),
            "delivery.report.only.error": True,
            "on_delivery": on_delivery,
            "log_level": 0,
        }
    )
    sent = 0
    for message in messages:
        _send(producer, topic, message)
        sent += 1
        if sent % 1_000 == 0:
            producer.poll(0)  # frees what is delivered
            if failed:
                break
    left = producer.flush(DELIVERY_SECONDS + 10)
    if failed or left:
        reason = failed[0].str() if failed else "no answer from the broker"
        raise RuntimeError(
            f"{len(failed) + left} of {sent} messages were not delivered to {topic} "
            f"at {bootstrap}: {reason}"
        )
    return sent


def _send(producer: Producer, topic: str, message: Produced) -> None:
    key, value, *rest = message
    options: dict[str, Any] = {
        name: given
        for name, given in zip(("partition", "timestamp", "headers"), rest, strict=False)
        if given is not None
    }
    deadline = time.monotonic() + DELIVERY_SECONDS
    while True:
        try:
            producer.produce(topic, value, key, **options)
            return
        except BufferError:  # the local queue is full: wait for deliveries
            if time.monotonic() > deadline:
                raise
            producer.poll(0.1)
