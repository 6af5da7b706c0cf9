"""What a source does with the settings of librdkafka."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from clients.kafka.config import parse
from sources.by_uri import SourceOptions, source_for
from sources.kafka.source import MOST_SPLITS, KafkaSource
from tests.fakes import NoLedger
from tests.services.kafka_broker import KafkaBroker, Topics
from transforms.errors import ConfigError, SourceUnavailable


class TestCheck:
    def test_a_setting_of_the_source_itself_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"group\.id cannot be set"):
            KafkaSource("kafka://a/t", config=(("group.id", "x"),))

    def test_an_unknown_setting_is_named(self) -> None:
        source = KafkaSource("kafka://127.0.0.1:9/t", config=parse(["fetch.min.bites=5"]))
        with pytest.raises(ConfigError, match=r"fetch\.min\.bites"):
            source.check()

    def test_a_wrong_value_is_named(self) -> None:
        source = KafkaSource("kafka://127.0.0.1:9/t", config=parse(["isolation.level=some"]))
        with pytest.raises(ConfigError, match=r"isolation\.level"):
            source.check()

    def test_a_reference_to_nothing_is_named(self) -> None:
        source = KafkaSource(
            "kafka://127.0.0.1:9/t", config=parse(["sasl.password=${env:SLUICE_NOT_SET}"])
        )
        with pytest.raises(ConfigError, match="SLUICE_NOT_SET"):
            source.check()

    def test_no_secret_is_in_the_error_of_the_client(self) -> None:
        source = KafkaSource(
            "kafka://127.0.0.1:9/t",
            config=parse(
                [
                    "security.protocol=SSL",
                    "ssl.key.pem=hunter22-key",
                    "ssl.key.password=hunter22-pw",
                ]
            ),
        )
        with pytest.raises(ConfigError) as caught:
            source.check()
        assert "hunter22" not in str(caught.value)


def test_a_secret_is_neither_shown_nor_pickled() -> None:
    source = KafkaSource("kafka://a/t", config=parse(["sasl.password=open-sesame-1"]))
    assert "open-sesame-1" not in repr(source)
    assert b"open-sesame-1" not in pickle.dumps(source)


class TestSplits:
    """A broker must not be asked if the number is known."""

    def test_one_reader_has_one_split(self) -> None:
        source = source_for("kafka://127.0.0.1:9/t", SourceOptions(parallel=False))
        assert source.fixed() == source

    def test_a_number_that_the_uri_gives_wins(self) -> None:
        source = source_for("kafka://127.0.0.1:9/t?splits=3").fixed()
        assert isinstance(source, KafkaSource)
        streaming = replace(source, streaming=True)
        names = [split.name for split in streaming.splits(NoLedger())]
        assert names == ["0/3", "1/3", "2/3"]

    def test_no_broker_at_the_submission_is_one_line(self) -> None:
        source = KafkaSource("kafka://127.0.0.1:9/t", parallel=True, answer_timeout=1.0)
        with pytest.raises(SourceUnavailable, match=r"^cannot reach Kafka at 127\.0\.0\.1:9"):
            source.fixed()

    @pytest.mark.integration
    def test_otherwise_there_are_as_many_as_partitions_at_the_submission(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic(partitions=3)
        source = KafkaSource(f"kafka://{kafka_broker.bootstrap}/{name}", parallel=True)
        fixed = source.fixed()
        kafka_broker.add_partitions(name, 5)
        assert [split.name for split in fixed.splits(NoLedger())] == ["0/3", "1/3", "2/3"]
        assert [split.name for split in source.splits(NoLedger())] == ["0/1"]

    @pytest.mark.integration
    def test_never_more_than_flink_has_groups_of_keys(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic(partitions=MOST_SPLITS + 2)
        source = KafkaSource(f"kafka://{kafka_broker.bootstrap}/{name}", parallel=True)
        assert source.fixed().split_count == MOST_SPLITS


class TestAcknowledger:
    def test_a_group_is_told_what_is_settled(self) -> None:
        assert KafkaSource("kafka://127.0.0.1:9/t?group=g").acknowledger() is not None

    def test_without_a_group_nobody_is_told(self) -> None:
        assert KafkaSource("kafka://127.0.0.1:9/t").acknowledger() is None


class TestSourceFor:
    def test_a_kafka_uri_is_a_kafka_source(self) -> None:
        options = SourceOptions(streaming=True, kafka=(("client.id", "x"),), outage_budget=7)
        source = source_for("kafka://a/t", options)
        assert source == KafkaSource(
            "kafka://a/t",
            config=(("client.id", "x"),),
            streaming=True,
            outage_budget=7,
            parallel=True,
        )

    @pytest.mark.parametrize("format_", ["csv", "parquet"])
    def test_formats_of_files_are_refused(self, format_: str) -> None:
        with pytest.raises(ConfigError, match=format_):
            source_for("kafka://a/t", SourceOptions(format=format_))

    def test_until_latest_contradicts_streaming(self) -> None:
        assert source_for("kafka://a/t?until=latest")
        with pytest.raises(ConfigError, match="until=latest"):
            source_for("kafka://a/t?until=latest", SourceOptions(streaming=True))

    def test_it_owns_its_topics_and_nothing_else(self) -> None:
        source = source_for("kafka://a/t,u")
        assert source.owns("kafka://t")
        assert source.owns("kafka://u")
        assert not source.owns("kafka://v")
        assert not source.owns("file:///t")

    def test_it_travels_by_pickle(self) -> None:
        source = source_for("kafka://a/^t.*?group=g")
        assert pickle.loads(pickle.dumps(source)) == source
