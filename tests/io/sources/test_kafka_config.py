"""What a source makes of the settings of librdkafka that it is given."""

from __future__ import annotations

import pickle

import pytest

from clients.kafka_config import parse
from sources import SourceOptions, source_for
from sources.kafka import KafkaSource
from transforms.errors import ConfigError


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


class TestSourceFor:
    def test_a_kafka_uri_is_a_kafka_source(self) -> None:
        options = SourceOptions(streaming=True, kafka=(("client.id", "x"),), outage_budget=7)
        source = source_for("kafka://a/t", options)
        assert source == KafkaSource(
            "kafka://a/t", config=(("client.id", "x"),), streaming=True, outage_budget=7
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
