"""Publishing on a real broker: every row acknowledged before it is marked."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from sinks.outbox.queue import SqlOutboxQueue
from sinks.outbox.topic import OutboxTopic
from tests.io.sinks.tested_database import Database, make_batch
from tests.services.kafka_broker import KafkaBroker, Topics
from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits
from transforms.errors import ConfigError, Contention, SinkFailed, SinkUnavailable

pytestmark = pytest.mark.integration


@pytest.fixture(params=["sqlite_database", "postgres"])
def database(request: pytest.FixtureRequest) -> Database:
    chosen: Database = request.getfixturevalue(request.param)
    return chosen


def fill(database: Database, *values: dict[str, Any], **options: Any) -> SqlOutboxQueue:
    """Make a change of each value, in one commit."""
    database.run("CREATE TABLE events (id integer PRIMARY KEY, name text)")
    sink = replace(database.sink(key=["id"], **options), outbox=True)
    sink.commit([make_batch(values)])
    return SqlOutboxQueue(sink.config.database, sink.config.table_name)


def waiting(queue: SqlOutboxQueue) -> RecordBatch:
    batch, _ = queue.read(0, 1, BatchLimits(), ())
    assert batch is not None
    return batch


def consumed(broker: KafkaBroker, topic: str, partitions: int = 1) -> list[Any]:
    """Every message there is, partition by partition."""
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap, "group.id": "test", "enable.auto.commit": False}
    )
    try:
        messages: list[Any] = []
        for number in range(partitions):
            place = TopicPartition(topic, number, 0)
            _, end = consumer.get_watermark_offsets(place, timeout=30)
            consumer.assign([place])
            deadline = time.monotonic() + 30
            arrived = 0
            while arrived < end:
                assert time.monotonic() < deadline
                message = consumer.poll(1.0)
                if message is not None and message.error() is None:
                    messages.append(message)
                    arrived += 1
        return messages
    finally:
        consumer.close()


def names(messages: list[Any]) -> list[bytes]:
    return [dict(message.headers())["idempotence-id"].rpartition(b":")[0] for message in messages]


def test_a_change_becomes_a_message_and_is_marked(
    database: Database, kafka_broker: KafkaBroker, topic: Topics
) -> None:
    queue = fill(database, {"id": 1, "name": "a"}, {"id": 2, "name": "b"})
    name = topic()
    sink = OutboxTopic(queue, kafka_broker.bootstrap, name)
    sink.check()
    batch = waiting(queue)
    (settled,) = sink.commit([batch])
    assert (settled.counts.read, settled.counts.inserted) == (2, 2)
    assert queue.waiting() == 0
    messages = consumed(kafka_broker, name)
    assert [(m.key(), m.value()) for m in messages] == [
        (b'{"id":1}', b'{"id":1,"name":"a"}'),
        (b'{"id":2}', b'{"id":2,"name":"b"}'),
    ]
    assert names(messages) == [b"events:1", b"events:2"]
    assert batch.headers is not None
    assert messages[1].headers() == list(batch.headers[1])


def test_published_again_after_a_crash_it_has_the_same_id(
    sqlite_database: Database, kafka_broker: KafkaBroker, topic: Topics
) -> None:
    queue = fill(sqlite_database, {"id": 1})
    name = topic()
    sink = OutboxTopic(queue, kafka_broker.bootstrap, name)
    sink.commit([waiting(queue)])
    sqlite_database.run("UPDATE ingest_outbox SET published_at = NULL")
    sink.commit([waiting(queue)])
    first, second = consumed(kafka_broker, name)
    assert first.headers() == second.headers()


def test_what_the_topic_has_is_not_sent_again_when_the_database_was_away(
    sqlite_database: Database, kafka_broker: KafkaBroker, topic: Topics
) -> None:
    queue = fill(sqlite_database, {"id": 1}, {"id": 2}, statement_timeout=1)
    name = topic()
    sink = OutboxTopic(queue, kafka_broker.bootstrap, name)
    batch = waiting(queue)
    with closing(sqlite_database.connect()) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Contention):
            sink.commit([batch])
    assert queue.waiting() == 2
    sink.commit([batch])
    assert queue.waiting() == 0
    assert names(consumed(kafka_broker, name)) == [b"events:1", b"events:2"]


def test_a_message_that_is_too_large_fails_by_name_and_the_others_are_marked(
    database: Database, kafka_broker: KafkaBroker, topic: Topics
) -> None:
    large = {"id": 2, "name": "x" * 50_000}
    queue = fill(database, {"id": 1}, large, {"id": 3})
    name = topic(config={"max.message.bytes": "20000"})
    sink = OutboxTopic(queue, kafka_broker.bootstrap, name)
    with pytest.raises(SinkFailed, match=r"row 2 of ingest_outbox \(50,0.. bytes\).*max\.message"):
        sink.commit([waiting(queue)])
    assert list(waiting(queue).offsets) == [2]
    assert names(consumed(kafka_broker, name)) == [b"events:1", b"events:3"]


def test_changes_behind_one_that_failed_wait_with_it(
    sqlite_database: Database, kafka_broker: KafkaBroker, topic: Topics
) -> None:
    queue = fill(sqlite_database, {"id": 1, "name": "x" * 50_000}, on_conflict="update")
    sink = replace(sqlite_database.sink(key=["id"], on_conflict="update"), outbox=True)
    sink.commit([make_batch([{"id": 1, "name": "small"}, {"id": 2}], 1)])
    name = topic(config={"max.message.bytes": "20000"})
    publisher = OutboxTopic(queue, kafka_broker.bootstrap, name)
    with pytest.raises(SinkFailed, match="row 1 "):
        publisher.commit([waiting(queue)])
    assert list(waiting(queue).offsets) == [1, 2]
    assert names(consumed(kafka_broker, name)) == [b"events:3"]


def test_a_missing_topic_is_said_before_anything_runs(
    sqlite_database: Database, kafka_broker: KafkaBroker, topic: Topics
) -> None:
    kafka_broker.start()
    queue = fill(sqlite_database, {"id": 1})
    with pytest.raises(ConfigError, match="no topic nowhere"):
        OutboxTopic(queue, kafka_broker.bootstrap, "nowhere").check()


def test_brokers_that_are_away_leave_all_unmarked(sqlite_database: Database) -> None:
    queue = fill(sqlite_database, {"id": 1})
    sink = OutboxTopic(queue, "127.0.0.1:1", "topic", timeout=1.0)
    with pytest.raises(SinkUnavailable, match=r"127\.0\.0\.1:1"):
        sink.commit([waiting(queue)])
    assert queue.waiting() == 1
