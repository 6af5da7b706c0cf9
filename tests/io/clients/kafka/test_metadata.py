from __future__ import annotations

import pytest
from confluent_kafka import KafkaException, Producer

from clients.kafka.metadata import all_topics
from tests.services.kafka_mock import mock_cluster
from tests.services.kafka_produce import produce


def test_every_topic_is_named() -> None:
    with mock_cluster() as bootstrap:
        for topic in ("orders", "clicks"):
            produce(bootstrap, topic, [(None, b"x")])
        client = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
        assert {"orders", "clicks"} <= set(all_topics(client, 10.0, lambda: False).topics)


def test_it_gives_up_without_an_answer() -> None:
    client = Producer({"bootstrap.servers": "127.0.0.1:9", "log_level": 0})
    with pytest.raises(KafkaException):
        all_topics(client, 0.2, lambda: False)


def test_a_refused_login_is_not_waited_for() -> None:
    client = Producer({"bootstrap.servers": "127.0.0.1:9", "log_level": 0})
    questions: list[None] = []

    def is_refused() -> bool:
        questions.append(None)
        return True

    with pytest.raises(KafkaException):
        all_topics(client, 3_600.0, is_refused)
    assert len(questions) == 1
