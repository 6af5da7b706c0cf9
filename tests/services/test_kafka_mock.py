from __future__ import annotations

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.services.kafka_mock import PARTITIONS, mock_cluster


def test_other_clients_produce_consume_and_commit() -> None:
    with mock_cluster(brokers=2) as bootstrap:
        assert len(bootstrap.split(",")) == 2
        producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
        producer.produce("events", b"value", b"key", partition=3)
        assert producer.flush(10) == 0
        reader = Consumer({"bootstrap.servers": bootstrap, "group.id": "g", "log_level": 0})
        try:
            topic = reader.list_topics("events", timeout=10).topics["events"]
            assert set(topic.partitions) == set(range(PARTITIONS))
            reader.assign([TopicPartition("events", 3, 0)])
            (message,) = reader.consume(1, 10)
            assert (message.key(), message.value(), message.error()) == (b"key", b"value", None)
            reader.commit(message=message, asynchronous=False)
            (committed,) = reader.committed([TopicPartition("events", 3)], timeout=10)
            assert committed.offset == 1
        finally:
            reader.close()


def test_the_cluster_ends_with_its_context() -> None:
    with mock_cluster() as bootstrap:
        pass
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    with pytest.raises(KafkaException, match="_TRANSPORT"):
        client.list_topics(timeout=1)
