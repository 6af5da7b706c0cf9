"""The producer of a process: what it reports, and when another one takes its place.

What it does against brokers that refuse or are away is shown by the sinks that use it.
"""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from clients.kafka.producer import KafkaProducer, Message, producer
from tests.services.kafka_broker import KafkaBroker, Topics
from tests.services.kafka_mock import mock_cluster
from tests.transforms.forks import in_child
from transforms.errors import ConfigError, SinkUnavailable

NOWHERE = "127.0.0.1:9"


def values(bootstrap: str, topic: str) -> list[bytes | None]:
    """All values of the only partition of a topic."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "x", "log_level": 0})
    try:
        place = TopicPartition(topic, 0, 0)
        end = consumer.get_watermark_offsets(place, timeout=30)[1]
        consumer.assign([place])
        return [message.value() for message in consumer.consume(end, 30)]
    finally:
        consumer.close()


class TestSharing:
    def test_a_process_has_one_for_each_cluster_and_its_settings(self) -> None:
        first = producer(NOWHERE, (), 5.0)
        assert producer(NOWHERE, (), 5.0) is first
        assert producer(NOWHERE, (("client.id", "x"),), 5.0) is not first
        assert producer(NOWHERE, (), 6.0) is not first

    def test_one_that_was_abandoned_is_followed_by_a_new_one(self) -> None:
        first = producer(NOWHERE, (), 7.0)
        first.abandon()
        second = producer(NOWHERE, (), 7.0)
        assert second is not first
        first.abandon()
        assert producer(NOWHERE, (), 7.0) is second, "the new one was not abandoned"

    def test_a_wrong_setting_is_named(self) -> None:
        with pytest.raises(ConfigError, match=r"linger\.msss"):
            producer(NOWHERE, (("linger.msss", "1"),), 5.0)

    @pytest.mark.integration
    @pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
    def test_a_forked_process_has_one_of_its_own(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic()

        def delivers() -> bool:
            of_process = producer(kafka_broker.bootstrap, (), 20.0)
            return of_process.deliver(name, [Message(None, b"x")]) == {}

        assert delivers()
        assert in_child(delivers)
        assert delivers()
        assert values(kafka_broker.bootstrap, name) == [b"x", b"x", b"x"]


class TestOutcome:
    def test_messages_that_were_not_stored_are_named_by_index(self) -> None:
        with mock_cluster() as bootstrap:
            one = KafkaProducer(bootstrap, (("message.max.bytes", "2000"),), 10.0)
            messages = [Message(None, b"x"), Message(None, b"x" * 3_000), Message(None, b"x")]
            errors = one.deliver("t", messages)
            assert [(index, error.code()) for index, error in errors.items()] == [
                (1, KafkaError.MSG_SIZE_TOO_LARGE)
            ]
            assert one.deliver("t", []) == {}

    def test_the_topics_of_a_cluster_are_named(self) -> None:
        with mock_cluster() as bootstrap:
            one = KafkaProducer(bootstrap, (), 10.0)
            one.deliver("orders", [Message(b"k", b"v")])
            assert "orders" in one.topics()

    def test_a_topic_that_does_not_exist_is_named(self) -> None:
        with mock_cluster() as bootstrap:
            one = KafkaProducer(bootstrap, (), 10.0)
            one.deliver("orders", [Message(b"k", b"v")])
            one.check_topic("orders")
            with pytest.raises(ConfigError, match=r"no topic nowhere at .*create it first"):
                one.check_topic("nowhere")

    @pytest.mark.parametrize(
        ("code", "text"),
        [
            (KafkaError._UNKNOWN_TOPIC, f"no topic t at {NOWHERE}; create it"),
            (KafkaError.TOPIC_AUTHORIZATION_FAILED, f"{NOWHERE} refuses to write t"),
        ],
    )
    def test_a_topic_that_cannot_be_written_is_a_refusal(self, code: int, text: str) -> None:
        refusal = producer(NOWHERE, (), 8.0).refusal("t", KafkaError(code))
        assert text in str(refusal)

    def test_any_other_error_is_no_refusal(self) -> None:
        assert producer(NOWHERE, (), 8.0).refusal("t", KafkaError(KafkaError._TRANSPORT)) is None

    def test_a_cluster_that_does_not_answer_is_unavailable(self) -> None:
        one = KafkaProducer(NOWHERE, (), 1.0)
        with pytest.raises(SinkUnavailable, match=f"cannot reach Kafka at {NOWHERE}"):
            one.topics()
        (error,) = one.deliver("t", [Message(None, b"x")]).values()
        assert error.code() == KafkaError._MSG_TIMED_OUT
