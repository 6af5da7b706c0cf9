from __future__ import annotations

import pickle
from typing import Any

import pytest

from clients.kafka.config import (
    admin_settings,
    consumer_settings,
    parse,
    producer_settings,
)
from transforms.errors import ConfigError
from transforms.secrets import is_secret, redact


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
            "enable.idempotence",
            "acks",
            "transactional.id",
            "delivery.timeout.ms",
            "message.timeout.ms",
            "delivery.report.only.error",
        ],
    )
    def test_they_cannot_be_overridden(self, name: str) -> None:
        with pytest.raises(ConfigError, match=f"{name} cannot be set"):
            parse([f"{name}=x"])

    def test_the_reader_depends_on_them(self) -> None:
        settings = consumer_settings("a:1", (), None)
        assert settings["enable.auto.commit"] is False
        assert settings["enable.partition.eof"] is True
        assert settings["auto.offset.reset"] == "error"
        assert settings["isolation.level"] == "read_committed"

    def test_the_producer_waits_for_all_replicas_within_a_bound(self) -> None:
        settings = producer_settings("a:1", (), 30.0)
        assert settings["enable.idempotence"] is True
        assert settings["acks"] == "all"
        assert settings["delivery.timeout.ms"] == 30_000
        assert int(settings["queue.buffering.max.messages"]) <= 10_000
        assert int(settings["queue.buffering.max.kbytes"]) <= 65_536


class TestUserSettings:
    def test_they_override_defaults(self) -> None:
        config = parse(["isolation.level=read_uncommitted", "fetch.wait.max.ms=7"])
        settings = consumer_settings("a:1", config, "g")
        assert (settings["isolation.level"], settings["fetch.wait.max.ms"]) == (
            "read_uncommitted",
            "7",
        )
        assert settings["group.id"] == "g"
        config = parse(["compression.type=zstd", "partitioner=random"])
        settings = producer_settings("a:1", config, 1.0)
        assert (settings["compression.type"], settings["partitioner"]) == ("zstd", "random")

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
        settings = admin_settings("a:1", config)
        assert settings["security.protocol"] == "SSL"
        assert settings["ssl.ca.location"] == "/x"
        assert not [name for name in settings if name.startswith(("fetch", "queued", "isolation"))]


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
        config = parse([f"{name}={word}"])
        assert word not in repr(config)
        assert word.encode() not in pickle.dumps(config)
        of_clients: list[dict[str, Any]] = [
            consumer_settings("a:1", config, None),
            producer_settings("a:1", config, 1.0),
        ]
        assert [settings[name] for settings in of_clients] == [word, word]
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
        assert producer_settings("a:1", config, 1.0)["sasl.password"] == "word-of-the-day"

    def test_no_secret_is_in_the_error_about_a_pair(self) -> None:
        with pytest.raises(ConfigError) as caught:
            parse(["hunter22hunter22"])
        assert "hunter22" not in str(caught.value)


class TestTokens:
    OAUTH = ("security.protocol=SASL_SSL", "sasl.mechanism=OAUTHBEARER")

    def test_a_login_that_can_never_get_a_token_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"needs sasl\.oauthbearer\.method=oidc"):
            parse(self.OAUTH)

    @pytest.mark.parametrize(
        "way",
        [
            "sasl.oauthbearer.method=oidc",
            "enable.sasl.oauthbearer.unsecure.jwt=true",
            "sasl.oauthbearer.metadata.authentication.type=azure_imds",
        ],
    )
    def test_each_way_to_get_one_passes(self, way: str) -> None:
        assert parse([*self.OAUTH, way])

    def test_without_a_login_nothing_is_asked(self) -> None:
        assert parse(["sasl.mechanism=OAUTHBEARER"])
