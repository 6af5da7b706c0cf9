"""A topic that does not exist: one rule at the start, in mid-stream and at a restart."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from sources.by_uri import SourceOptions, source_for
from sources.kafka.source import KafkaSource
from tests.io.sources.kafka.reading import Read, reading, source_of, until
from tests.io.sources.reading import MemoryLedger
from tests.services.kafka_broker import KafkaBroker, Topics
from transforms.errors import ConfigError, SourceUnavailable


def streaming(broker: KafkaBroker, topic: str, **more: Any) -> KafkaSource:
    return source_of(broker, topic, streaming=True, discovery_interval=0.2, **more)


@pytest.fixture
def missing() -> str:
    """The name of a topic that does not exist."""
    return f"missing-{uuid.uuid4().hex[:12]}"


@pytest.mark.integration
class TestWait:
    def test_at_the_start_the_other_topics_are_read_meanwhile(
        self,
        kafka_broker: KafkaBroker,
        topic: Topics,
        missing: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        name = topic()
        kafka_broker.produce(name, [(None, b"here")])
        source = streaming(kafka_broker, f"{name},{missing}")
        source.check()
        with reading(source) as reader:
            read = until(reader, lambda read: read.records == 1)
            until(reader, lambda _: "waiting for it" in caplog.text, read)
            kafka_broker.create_topic(missing)
            kafka_broker.produce(missing, [(None, b"there")])
            until(reader, lambda read: read.records == 2, read)
        assert read.all_values() == [b"here", b"there"]
        said = [text for text in caplog.messages if missing in text]
        assert said == [f"topic {missing} does not exist; waiting for it"]

    def test_at_a_restart_it_goes_on_as_in_mid_stream(
        self, kafka_broker: KafkaBroker, topic: Topics, caplog: pytest.LogCaptureFixture
    ) -> None:
        name, ledger = topic(), MemoryLedger()
        kafka_broker.produce(name, [(None, b"old")] * 3)
        source = streaming(kafka_broker, name)
        with reading(source, ledger) as reader:
            ledger.settle(until(reader, lambda read: read.records == 3).batches)
        kafka_broker.delete_topic(name)
        source.check()
        with reading(source, ledger) as reader:
            read = until(reader, lambda _: "waiting for it" in caplog.text)
            kafka_broker.create_topic(name)
            kafka_broker.produce(name, [(None, b"new")] * 2)
            until(reader, lambda read: read.records == 2, read)
        assert read.all_values() == [b"new", b"new"]


@pytest.mark.integration
class TestFail:
    def test_at_the_start(self, kafka_broker: KafkaBroker, missing: str) -> None:
        with pytest.raises(ConfigError, match=f"no topic {missing} .*create it first"):
            streaming(kafka_broker, missing, missing_topic="fail").check()

    def test_a_read_that_ends_always_fails(self, kafka_broker: KafkaBroker, missing: str) -> None:
        with pytest.raises(ConfigError, match=f"no topic {missing} .*create it first"):
            source_of(kafka_broker, missing).check()

    def test_in_mid_stream_what_was_read_is_settled_first(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name, other = topic(), topic()
        kafka_broker.produce(name, [(None, b"old")] * 3)
        read = Read()
        with reading(streaming(kafka_broker, f"{name},{other}", missing_topic="fail")) as reader:
            until(reader, lambda read: read.records == 3, read)
            kafka_broker.delete_topic(name)
            with pytest.raises(SourceUnavailable) as caught:
                until(reader, lambda read: False, read)
        assert str(caught.value) == (
            f"topic {name} was deleted; everything seen of it was read; it is not waited for"
        )
        assert read.all_values() == [b"old"] * 3


class TestOption:
    URI = "kafka://127.0.0.1:9/t"

    @pytest.mark.parametrize("choice", ["wait", "fail"])
    def test_a_stream_takes_it(self, choice: Any) -> None:
        source = source_for(self.URI, SourceOptions(streaming=True, missing_topic=choice))
        assert isinstance(source, KafkaSource)
        assert source.missing_topic == choice

    def test_a_stream_waits_unless_told(self) -> None:
        source = source_for(self.URI, SourceOptions(streaming=True))
        assert isinstance(source, KafkaSource)
        assert source.missing_topic == "wait"

    def test_a_read_that_ends_cannot_wait(self) -> None:
        with pytest.raises(ConfigError, match="--missing_topic wait is for --streaming"):
            source_for(self.URI, SourceOptions(missing_topic="wait"))
