from __future__ import annotations

import pickle

import pytest

from sources import SourceOptions, source_for
from sources.kafka import KafkaSource
from sources.kafka_config import admin_settings, consumer_settings, is_secret, parse
from transforms.errors import ConfigError
from transforms.secrets import redact


class TestOwnSettings:
    @pytest.mark.parametrize(
        "name",
        [
            "enable.auto.commit",
            "enable.auto.offset.store",
            "enable.partition.eof",
            "auto.offset.reset",
            "group.id",
            "group.instance.id",
            "bootstrap.servers",
            "partition.assignment.strategy",
        ],
    )
    def test_they_cannot_be_overridden(self, name: str) -> None:
        with pytest.raises(ConfigError, match=f"{name} cannot be set"):
            parse([f"{name}=x"])
        with pytest.raises(ConfigError, match=f"{name} cannot be set"):
            KafkaSource("kafka://a/t", config=((name, "x"),))

    def test_the_reader_depends_on_them(self) -> None:
        made = consumer_settings("a:1", (), None)
        assert made["enable.auto.commit"] is False
        assert made["enable.partition.eof"] is True
        assert made["auto.offset.reset"] == "error"
        assert made["isolation.level"] == "read_committed"


class TestUserSettings:
    def test_they_override_defaults(self) -> None:
        config = parse(["isolation.level=read_uncommitted", "fetch.wait.max.ms=7"])
        made = consumer_settings("a:1", config, "g")
        assert (made["isolation.level"], made["fetch.wait.max.ms"]) == ("read_uncommitted", "7")
        assert made["group.id"] == "g"

    def test_a_value_may_hold_an_equals_sign(self) -> None:
        config = parse(["sasl.oauthbearer.extensions=a=b"])
        assert dict(config)["sasl.oauthbearer.extensions"] == "a=b"

    @pytest.mark.parametrize("pair", ["sasl.password", "=x", ""])
    def test_a_pair_without_name_or_sign_is_refused(self, pair: str) -> None:
        with pytest.raises(ConfigError, match="NAME=VALUE"):
            parse([pair])

    def test_a_name_given_twice_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"client\.id is given twice"):
            parse(["client.id=a", "client.id=b"])

    def test_only_what_concerns_the_connection_goes_to_the_admin_client(self) -> None:
        config = parse(["fetch.min.bytes=5", "security.protocol=SSL", "ssl.ca.location=/x"])
        made = admin_settings("a:1", config)
        assert made["security.protocol"] == "SSL"
        assert made["ssl.ca.location"] == "/x"
        assert not [name for name in made if name.startswith(("fetch", "queued", "isolation"))]

    def test_an_unknown_setting_is_named(self) -> None:
        source = KafkaSource("kafka://127.0.0.1:9/t", config=parse(["fetch.min.bites=5"]))
        with pytest.raises(ConfigError, match=r"fetch\.min\.bites"):
            source.check()

    def test_a_wrong_value_is_named(self) -> None:
        source = KafkaSource("kafka://127.0.0.1:9/t", config=parse(["isolation.level=some"]))
        with pytest.raises(ConfigError, match=r"isolation\.level"):
            source.check()


SECRETS = [
    "sasl.password",
    "ssl.key.password",
    "ssl.keystore.password",
    "ssl.key.pem",
    "sasl.jaas.config",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.assertion.private.key.passphrase",
]


class TestSecrets:
    @pytest.mark.parametrize("name", SECRETS)
    def test_an_inline_secret_stays_in_this_process(self, name: str) -> None:
        word = "open-sesame-1"
        source = KafkaSource("kafka://a/t", config=parse([f"{name}={word}"]))
        assert word not in repr(source)
        assert word.encode() not in pickle.dumps(source)
        assert consumer_settings("a:1", source.config, None)[name] == word
        assert word not in redact(f"error: {word}")

    @pytest.mark.parametrize(
        "name",
        [
            "ssl.key.location",
            "sasl.oauthbearer.token.endpoint.url",
            "client.id",
            "sasl.username",
            "sasl.oauthbearer.assertion.private.key.file",
        ],
    )
    def test_what_is_no_secret_travels(self, name: str) -> None:
        assert not is_secret(name)
        assert parse([f"{name}=v"]) == ((name, "v"),)

    def test_a_reference_is_resolved_where_the_client_is_made(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config = parse(["sasl.password=${env:SLUICE_TEST_KAFKA}"])
        assert config == (("sasl.password", "${env:SLUICE_TEST_KAFKA}"),)
        monkeypatch.setenv("SLUICE_TEST_KAFKA", "word-of-the-day")
        assert consumer_settings("a:1", config, None)["sasl.password"] == "word-of-the-day"

    def test_a_reference_to_nothing_is_named_by_the_check(self) -> None:
        source = KafkaSource(
            "kafka://127.0.0.1:9/t", config=parse(["sasl.password=${env:SLUICE_NOT_SET}"])
        )
        with pytest.raises(ConfigError, match="SLUICE_NOT_SET"):
            source.check()

    def test_no_secret_is_in_the_error_about_a_pair(self) -> None:
        with pytest.raises(ConfigError) as caught:
            parse(["hunter22hunter22"])
        assert "hunter22" not in str(caught.value)

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
