"""The yardstick: the least code that loads a topic as fast as one connection allows.

confluent-kafka, orjson, COPY into a temporary table, INSERT … ON CONFLICT DO NOTHING, 10,000 records
a batch, offsets committed after the rows. It reads from the beginning of every partition to the end
seen at the start. It has no ledger, no dead letters and no retries: one bad message ends it.

    python -m benchmarks.kafka.plain_loop DSN BOOTSTRAP TOPIC
"""

from __future__ import annotations

import json
import sys
import time

import orjson
import psycopg
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

BATCH = 10_000
COLUMNS = ("event_id", "user_id", "type", "occurred_at", "amount", "currency")


def assign_all(consumer: Consumer, topic: str) -> tuple[dict[int, int], int]:
    """Read every partition from its beginning.

    Returns the ends of the partitions that have messages, and the number of messages.
    """
    metadata = consumer.list_topics(topic, timeout=30).topics[topic]
    if metadata.error is not None:
        raise KafkaException(metadata.error)
    starts: list[TopicPartition] = []
    ends: dict[int, int] = {}
    held = 0
    for partition in metadata.partitions:
        marks = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)
        assert marks is not None
        starts.append(TopicPartition(topic, partition, marks[0]))
        if marks[0] < marks[1]:
            ends[partition] = marks[1]
            held += marks[1] - marks[0]
    consumer.assign(starts)
    return ends, held


def settle(connection: psycopg.Connection, messages: list[Message]) -> None:
    """Write the messages in one transaction."""
    with connection.cursor().copy("COPY staging FROM STDIN") as copy:
        for message in messages:
            error = message.error()
            if error is not None:
                raise KafkaException(error)
            event = orjson.loads(message.value() or b"")
            copy.write_row(
                (*(event[name] for name in COLUMNS), orjson.dumps(event["props"]).decode())
            )
    connection.execute("INSERT INTO events SELECT * FROM staging ON CONFLICT DO NOTHING")
    connection.commit()


def load(dsn: str, bootstrap: str, topic: str) -> int:
    """Load the topic; returns the number of messages."""
    loaded = 0
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "kafka-plain-loop",
            "enable.auto.commit": False,
            # By default a partition whose queue was full is not fetched for a whole second,
            # which would hold the yardstick back (librdkafka, CONFIGURATION.md).
            "fetch.queue.backoff.ms": 10,
        }
    )
    try:
        ends, held = assign_all(consumer, topic)
        with psycopg.connect(dsn) as connection:
            connection.execute(
                "CREATE TEMP TABLE staging (LIKE events) ON COMMIT DELETE ROWS",
            )
            connection.commit()
            while ends:
                # consume() waits for as many as it is asked for: ask for no more than there are.
                messages = consumer.consume(max(1, min(BATCH, held - loaded)), 1.0)
                if messages:
                    settle(connection, messages)
                    consumer.commit(asynchronous=True)
                    loaded += len(messages)
                # The consumer's position also passes what is never delivered (transaction markers).
                for at in consumer.position([TopicPartition(topic, each) for each in ends]):
                    if at.offset >= ends[at.partition]:
                        del ends[at.partition]
    finally:
        consumer.close()
    return loaded


def main() -> None:
    """Load, and print how long it took."""
    dsn, bootstrap, topic = sys.argv[1:]
    started = time.perf_counter()
    loaded = load(dsn, bootstrap, topic)
    seconds = time.perf_counter() - started
    print(json.dumps({"records": loaded, "seconds": seconds}))


if __name__ == "__main__":
    main()
