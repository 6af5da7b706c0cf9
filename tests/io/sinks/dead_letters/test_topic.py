from __future__ import annotations

import logging
import os
import pickle
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from clients.kafka.config import parse
from sinks.dead_letters import topic as dead_letter_topic
from sinks.dead_letters.headers import PREFIX, TRUNCATED
from sinks.dead_letters.topic import Cut, DeadLetterTopic, message_of
from tests.io.sinks.dead_letters.dead_letter import failure
from tests.services.kafka_broker import KafkaBroker, Topics
from tests.services.kafka_guarded import PASSWORD, Guarded, guarded_broker
from transforms.batch.record import Headers
from transforms.errors import ConfigError, SinkFailed, SinkUnavailable

SECONDS = 30.0


def read(broker: KafkaBroker, topic: str, count: int | None) -> list[Message]:
    """All messages of a topic of one partition; there are ``count``, where it is known."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "x", "log_level": 0})
    try:
        place = TopicPartition(topic, 0, 0)
        end = consumer.get_watermark_offsets(place, timeout=SECONDS)[1]
        assert count is None or end == count
        consumer.assign([place])
        found: list[Message] = []
        deadline = time.monotonic() + SECONDS
        while len(found) < end and time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is not None:
                assert message.error() is None
                found.append(message)
        return found
    finally:
        consumer.close()


def headers_of(message: Message) -> Headers:
    headers: Any = message.headers()
    return tuple(headers)


@pytest.fixture
def kept(topic: Topics) -> Topics:
    """Creates topics that keep what is older than a week: event times are."""

    def create(partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        return topic(partitions, {"retention.ms": "-1", **(config or {})})

    return create


def sink_for(broker: KafkaBroker, topic: str, timeout: float = 30.0) -> DeadLetterTopic:
    return DeadLetterTopic(broker.bootstrap, topic, timeout=timeout)


@pytest.mark.integration
class TestDelivery:
    def test_the_message_is_as_it_was_with_connects_headers_behind(
        self, kafka_broker: KafkaBroker, kept: Topics
    ) -> None:
        name = kept()
        sink = pickle.loads(pickle.dumps(sink_for(kafka_broker, name)))
        sink.check()
        raw, key = bytes(range(256)), b"\x00\xff"
        original = (("trace", b"\xff\x00"), ("trace", None), ("é", b""))
        sink.deliver("orders", [failure(raw=raw, key=key, headers=original)])
        (message,) = read(kafka_broker, name, 1)
        assert (message.value(), message.key()) == (raw, key)
        assert message.timestamp()[1] == 1_700_000_000_123
        assert headers_of(message) == (
            *original,
            ("__connect.errors.topic", b"orders"),
            ("__connect.errors.partition", b"3"),
            ("__connect.errors.offset", b"7"),
            ("__connect.errors.connector.name", b"orders"),
            ("__connect.errors.task.id", str(os.getpid()).encode()),
            ("__connect.errors.stage", b"validate"),
            ("__connect.errors.class.name", b"transforms.parse.validate.Validate"),
            ("__connect.errors.exception.class.name", b"Reject"),
            ("__connect.errors.exception.message", b"id is no string"),
            ("__connect.errors.exception.stacktrace", "Traceback: …".encode()),
        )

    def test_nothing_differs_from_empty(self, kafka_broker: KafkaBroker, kept: Topics) -> None:
        name = kept()
        sink_for(kafka_broker, name).deliver(
            "t",
            [
                failure(raw=b"", category="tombstone", key=b"k"),
                failure(raw=b"", category="malformed", key=b""),
                failure(raw=b"x", key=None, event_time=None),
            ],
        )
        before = time.time() * 1000
        found = read(kafka_broker, name, 3)
        by_value = {message.value(): message.key() for message in found}
        assert by_value == {None: b"k", b"": b"", b"x": None}
        (now,) = (each.timestamp()[1] for each in found if each.value() == b"x")
        assert before - 60_000 < now < before + 60_000

    def test_more_than_the_queue_holds_arrives_in_order_once(
        self, kafka_broker: KafkaBroker, kept: Topics
    ) -> None:
        name = kept()
        config = (("queue.buffering.max.messages", "100"),)
        sink = DeadLetterTopic(kafka_broker.bootstrap, name, config)
        sink.deliver("t", [failure(raw=b"%d" % n) for n in range(1_000)])
        values = [message.value() for message in read(kafka_broker, name, 1_000)]
        assert values == [b"%d" % n for n in range(1_000)]

    def test_a_header_of_the_message_is_not_overwritten_and_that_is_said_once(
        self,
        kafka_broker: KafkaBroker,
        kept: Topics,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(dead_letter_topic, "_warned", set())
        name = kept()
        original = ((f"{PREFIX}topic", b"first"), (f"{PREFIX}topic", b"again"))
        with caplog.at_level(logging.WARNING, "sinks"):
            for _ in range(2):
                sink_for(kafka_broker, name).deliver("t", [failure(headers=original)])
        for message in read(kafka_broker, name, 2):
            headers = headers_of(message)
            assert headers[:2] == original
            assert [each for each, _ in headers].count(f"{PREFIX}topic") == 2
            assert dict(headers)[f"{PREFIX}offset"] == b"7"
        assert [each.message for each in caplog.records if each.name.startswith("sinks")] == [
            "headers kept as they were in dead letters: __connect.errors.topic"
        ]

    def test_a_topic_with_times_of_its_own_keeps_what_is_older_than_its_retention(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic(config={"message.timestamp.type": "LogAppendTime", "retention.ms": "60000"})
        sink_for(kafka_broker, name).deliver("t", [failure(raw=b"old", event_time=86_400.0)])
        (message,) = read(kafka_broker, name, 1)
        assert message.value() == b"old"
        assert abs(message.timestamp()[1] / 1000 - time.time()) < 60

    def test_a_time_that_the_broker_refuses_is_replaced_by_now(
        self, kafka_broker: KafkaBroker, kept: Topics
    ) -> None:
        name = kept(config={"message.timestamp.after.max.ms": "3600000"})
        year_3000 = 32_503_680_000.0
        sink_for(kafka_broker, name).deliver(
            "t", [failure(raw=b"1"), failure(raw=b"2", event_time=year_3000), failure(raw=b"3")]
        )
        found = {message.value(): message for message in read(kafka_broker, name, 3)}
        assert set(found) == {b"1", b"2", b"3"}
        assert found[b"1"].timestamp()[1] == found[b"3"].timestamp()[1] == 1_700_000_000_123
        assert abs(found[b"2"].timestamp()[1] / 1000 - time.time()) < 60


@pytest.mark.integration
class TestTooLarge:
    def test_each_gives_up_no_more_than_it_must_and_the_others_nothing(
        self, kafka_broker: KafkaBroker, kept: Topics
    ) -> None:
        name = kept(config={"max.message.bytes": "10000"})
        noise = os.urandom(20_000)
        sink_for(kafka_broker, name).deliver(
            "t",
            [
                failure(raw=b"small"),
                failure(raw=noise[:9_000], offset=2, stack="s" * 8_000),
                failure(raw=noise, offset=3, headers=(("trace", b"x"),)),
                failure(raw=b"v" * 10, offset=4, key=noise, headers=(("trace", b"xyz"),)),
                failure(raw=b"", category="tombstone", offset=5, stack="s" * 12_000),
                failure(raw=b"last"),
            ],
        )
        found = sorted(
            read(kafka_broker, name, 6),
            key=lambda message: dict(headers_of(message))[f"{PREFIX}offset"] or b"",
        )
        stack = f"{PREFIX}exception.stacktrace"
        by_offset: dict[bytes | None, list[Message]] = {}
        for message in found:
            offset = dict(headers_of(message))[f"{PREFIX}offset"]
            by_offset.setdefault(offset, []).append(message)
        for message in by_offset[b"7"]:
            assert message.value() in (b"small", b"last")
            assert dict(headers_of(message))[stack]
        (two,), (three,), (four,), (five,) = (by_offset[b"%d" % n] for n in (2, 3, 4, 5))
        assert two.value() == noise[:9_000]
        assert stack not in dict(headers_of(two))
        assert TRUNCATED not in dict(headers_of(two))
        assert (three.value(), three.key()) == (None, b"k")
        assert dict(headers_of(three))[TRUNCATED] == b"20000"
        assert dict(headers_of(three))["trace"] == b"x"
        assert (four.value(), four.key()) == (None, None)
        assert dict(headers_of(four))[TRUNCATED] == b"%d" % (10 + 20_000 + len("tracexyz"))
        assert dict(headers_of(four))[f"{PREFIX}exception.message"] == b"id is no string"
        assert five.value() is None
        assert TRUNCATED not in dict(headers_of(five))

    def test_many_that_are_too_large_only_together_arrive_whole(
        self, kafka_broker: KafkaBroker, kept: Topics
    ) -> None:
        name = kept(config={"max.message.bytes": "10000"})
        raws = [bytes([n]) * 3_000 for n in range(20)]
        sink_for(kafka_broker, name).deliver("t", [failure(raw=raw) for raw in raws])
        found = read(kafka_broker, name, 20)
        assert sorted(message.value() or b"" for message in found) == raws
        assert all(f"{PREFIX}exception.stacktrace" in dict(headers_of(each)) for each in found)

    def test_more_than_a_megabyte_is_the_brokers_to_judge(
        self, kafka_broker: KafkaBroker, kept: Topics
    ) -> None:
        name = kept()
        raw = os.urandom(3 << 20)
        sink_for(kafka_broker, name).deliver("t", [failure(raw=raw)])
        assert read(kafka_broker, name, 1)[0].value() == raw

    def test_more_than_the_client_takes_is_shortened(
        self, kafka_broker: KafkaBroker, kept: Topics
    ) -> None:
        name = kept()
        sink_for(kafka_broker, name).deliver("t", [failure(raw=bytes(40 << 20))])
        (message,) = read(kafka_broker, name, 1)
        assert message.value() is None
        assert dict(headers_of(message))[TRUNCATED] == b"%d" % (40 << 20)


class TestMessage:
    @pytest.mark.parametrize("moment", [None, -1.0, 0.0])
    def test_a_time_that_kafka_cannot_hold_is_left_to_the_client(
        self, moment: float | None
    ) -> None:
        assert message_of("t", failure(event_time=moment)).milliseconds is None

    def test_every_step_leaves_out_more(self) -> None:
        dead = failure(raw=b"v" * 1_000, key=b"k" * 100, headers=(("h", b"x" * 50),))
        sizes = []
        for cut in Cut:
            made = message_of("t", dead, cut)
            size = len(made.key or b"") + len(made.value or b"")
            sizes.append(size + sum(len(n) + len(v or b"") for n, v in made.headers))
        assert sizes == sorted(sizes, reverse=True)
        assert len(set(sizes)) == len(sizes)


@pytest.mark.integration
class TestFaults:
    def test_a_topic_that_is_not_there_is_named(
        self, kafka_broker: KafkaBroker, kept: Topics
    ) -> None:
        kept()  # starts the broker if need be
        sink = sink_for(kafka_broker, "no-such-topic", timeout=6)
        with pytest.raises(ConfigError, match=r"no topic no-such-topic at .*create it"):
            sink.check()
        with pytest.raises(SinkFailed, match=r"no topic no-such-topic at .*create it"):
            sink.deliver("t", [failure()])
        # The record is old: a broker that has a retention may have deleted it before it is read.
        kafka_broker.create_topic("no-such-topic", config={"retention.ms": "-1"})
        try:
            sink.deliver("t", [failure(raw=b"now")])
            assert read(kafka_broker, "no-such-topic", 1)[0].value() == b"now"
        finally:
            kafka_broker.delete_topic("no-such-topic")

    @pytest.mark.timeout(120)  # without its own time-out, each delivery would take five minutes
    def test_a_broker_that_is_away_is_unavailable_within_the_time_out_until_it_is_back(
        self, kafka_broker: KafkaBroker, kept: Topics
    ) -> None:
        name = kept()
        sink = sink_for(kafka_broker, name, timeout=2)
        sink.deliver("t", [failure(raw=b"1")])
        kafka_broker.stop()
        with pytest.raises(
            SinkUnavailable, match=f"cannot reach Kafka at {kafka_broker.bootstrap}"
        ):
            sink.deliver("t", [failure(raw=b"2"), failure(raw=b"3")])
        with pytest.raises(SinkUnavailable, match="cannot reach Kafka"):
            sink.check()
        kafka_broker.start()
        for attempt in range(10):
            try:
                sink.deliver("t", [failure(raw=b"4")])
                break
            except SinkUnavailable:
                assert attempt < 9
        values = [each.value() for each in read(kafka_broker, name, None)]
        assert list(dict.fromkeys(values)) == [b"1", b"4"], "perhaps more than once"

    def test_a_record_that_the_topic_refuses_for_another_reason_stops_the_run(
        self, kafka_broker: KafkaBroker, kept: Topics
    ) -> None:
        name = kept(config={"cleanup.policy": "compact"})
        with pytest.raises(SinkFailed, match=rf"no dead letters on {name}.*INVALID_RECORD"):
            sink_for(kafka_broker, name).deliver("t", [failure(key=None)])

    @pytest.mark.parametrize(
        ("setting", "said"),
        [
            (("linger.msss", "1"), r"linger\.msss"),
            (("batch.size", "many"), r"batch\.size"),
            (("sasl.password", "${env:SLUICE_NOT_SET}"), "SLUICE_NOT_SET"),
        ],
    )
    def test_a_wrong_setting_is_named_by_the_check(
        self, setting: tuple[str, str], said: str
    ) -> None:
        with pytest.raises(ConfigError, match=said):
            DeadLetterTopic("127.0.0.1:9", "t", (setting,)).check()


@pytest.fixture(scope="module")
def guarded(kafka_broker: KafkaBroker) -> Iterator[Guarded]:
    """A broker that asks for a password, and where (``kafka_broker`` skips without Java)."""
    with guarded_broker() as served:
        yield served


@pytest.mark.integration
class TestAccess:
    def sink(self, address: str, topic: str, password: str) -> DeadLetterTopic:
        config = parse(
            [
                "security.protocol=SASL_PLAINTEXT",
                "sasl.mechanism=PLAIN",
                "sasl.username=reader",
                f"sasl.password={password}",
            ]
        )
        return DeadLetterTopic(address, topic, config, timeout=10)

    def test_with_password_and_right_it_is_written(self, guarded: Guarded) -> None:
        broker = guarded.broker
        sink = self.sink(guarded.address, "open", PASSWORD)
        sink.check()
        sink.deliver("t", [failure(raw=b"dead")])
        assert [each.value() for each in read(broker, "open", 2)] == [b"x", b"dead"]

    def test_a_wrong_password_is_refused_and_not_repeated(
        self, guarded: Guarded, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        sink = self.sink(guarded.address, "open", "wrong-word-0815")
        with pytest.raises(ConfigError, match="refuses") as early:
            sink.check()
        with pytest.raises(SinkFailed, match="refuses") as late:
            sink.deliver("t", [failure()])
        said = f"{early.value} {late.value} {sink!r} {caplog.text}"
        assert "wrong-word-0815" not in said

    def test_a_topic_that_may_not_be_written_is_named(self, guarded: Guarded) -> None:
        with pytest.raises(SinkFailed, match=r"refuses to write closed.*AUTHORIZATION_FAILED"):
            self.sink(guarded.address, "closed", PASSWORD).deliver("t", [failure()])


def test_nothing_to_deliver_needs_no_broker() -> None:
    DeadLetterTopic("127.0.0.1:9", "t", (("linger.msss", "no producer is made"),)).deliver("t", [])
