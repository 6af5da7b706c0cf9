"""A broker that asks for a password, with and without TLS, and knows who may read what."""

from __future__ import annotations

import logging
import pickle

import pytest

from clients.kafka.config import parse
from clients.kafka.listener import Listener, probe
from sources.kafka.source import KafkaSource
from tests.io.sources.kafka.reading import read_to_end, reading, until
from tests.services.kafka_guarded import PASSWORD, Guarded, reader_settings
from transforms.batch.splits import Split
from transforms.errors import ConfigError, SourceUnavailable

pytestmark = pytest.mark.integration

WRONG = "wrong-word-0815"


def source_of(address: str, topic: str, password: str = PASSWORD, query: str = "") -> KafkaSource:
    config = parse(reader_settings(password))
    return KafkaSource(f"kafka://{address}/{topic}{query}", config=config)


def under_tls(address: str, *settings: str) -> KafkaSource:
    config = parse([*reader_settings(protocol="SASL_SSL"), *settings])
    return KafkaSource(f"kafka://{address}/open", config=config)


class TestTls:
    def test_with_the_authority_s_certificate_it_is_read(self, guarded: Guarded) -> None:
        source = under_tls(guarded.tls, f"ssl.ca.location={guarded.authority}")
        source.check()
        assert read_to_end(source).all_values() == [b"x"]

    def test_a_broker_that_nobody_vouches_for_is_refused(self, guarded: Guarded) -> None:
        with pytest.raises(ConfigError, match=r"refuses.*certificate verify failed"):
            under_tls(guarded.tls).check()

    def test_a_certificate_for_another_name_is_refused(self, guarded: Guarded) -> None:
        address = guarded.tls.replace("127.0.0.1", "localhost")
        with pytest.raises(ConfigError, match=r"refuses.*certificate verify failed"):
            under_tls(address, f"ssl.ca.location={guarded.authority}").check()

    def test_a_file_that_is_not_there_is_a_mistake(self, guarded: Guarded) -> None:
        with pytest.raises(ConfigError, match=r"is ssl\.ca\.location a file of certificates"):
            under_tls(guarded.tls, "ssl.ca.location=/nowhere/ca.pem").check()


class TestProtocol:
    """A client that does not speak as the listener expects: a mistake, named with the remedy."""

    @pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL", "SASL_PLAINTEXT"])
    def test_on_a_listener_with_tls_and_login(self, guarded: Guarded, protocol: str) -> None:
        self.refused(guarded, guarded.tls, protocol, "SASL_SSL")

    @pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_SSL"])
    def test_on_a_listener_with_login(self, guarded: Guarded, protocol: str) -> None:
        self.refused(guarded, guarded.address, protocol, "SASL_PLAINTEXT")

    @pytest.mark.parametrize("protocol", ["SSL", "SASL_PLAINTEXT"])
    def test_on_an_open_listener(self, guarded: Guarded, protocol: str) -> None:
        self.refused(guarded, guarded.broker.bootstrap, protocol, "PLAINTEXT")

    def test_its_listeners_are_told_apart(self, guarded: Guarded) -> None:
        plain = guarded.broker.bootstrap
        login = ("PLAIN",)
        assert probe(plain) == Listener(plain, tls=False, mechanisms=())
        assert probe(guarded.address) == Listener(guarded.address, tls=False, mechanisms=login)
        assert probe(guarded.tls) == Listener(guarded.tls, tls=True, mechanisms=login)

    def refused(self, guarded: Guarded, address: str, protocol: str, right: str) -> None:
        authority = f"ssl.ca.location={guarded.authority}"
        config = parse([*reader_settings(protocol=protocol), authority])
        with pytest.raises(ConfigError) as caught:
            KafkaSource(f"kafka://{address}/open", config=config, answer_timeout=60).check()
        assert str(caught.value).endswith(f"set --kafka_config security.protocol={right}")
        assert f"security.protocol is {protocol}" in str(caught.value)

    def test_a_mechanism_that_the_broker_does_not_offer(self, guarded: Guarded) -> None:
        settings = [*reader_settings(), "sasl.mechanism=SCRAM-SHA-256"]
        config = parse([setting for setting in settings if setting != "sasl.mechanism=PLAIN"])
        with pytest.raises(ConfigError, match=r"a login by PLAIN, but sasl\.mechanism is SCRAM"):
            KafkaSource(f"kafka://{guarded.address}/open", config=config).check()


class TestAccess:
    def test_with_password_and_right_it_is_read(self, guarded: Guarded) -> None:
        source = source_of(guarded.address, "open")
        source.check()
        assert read_to_end(source).all_values() == [b"x"], "without any right to a group"

    def test_a_wrong_password_is_a_mistake_of_the_user_and_is_not_repeated(
        self, guarded: Guarded, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        source = source_of(guarded.address, "open", WRONG)
        with pytest.raises(ConfigError, match="refuses") as caught:
            source.check()
        split = Split(source.uri, "0/1")
        with (
            reading(source, split=split) as reader,
            pytest.raises(SourceUnavailable, match="refuses") as later,
        ):
            until(reader, lambda read: read.done)
        texts = f"{caught.value} {later.value} {source!r} {caplog.text}"
        assert WRONG not in texts
        assert WRONG.encode() not in pickle.dumps(source)

    def test_a_topic_that_may_not_be_read_is_named(self, guarded: Guarded) -> None:
        with pytest.raises(ConfigError, match=r"refuses.*TOPIC_AUTHORIZATION_FAILED"):
            source_of(guarded.address, "closed").check()

    def test_a_group_that_may_not_be_used_is_a_mistake_of_the_user(self, guarded: Guarded) -> None:
        with pytest.raises(ConfigError, match="GROUP_AUTHORIZATION_FAILED"):
            source_of(guarded.address, "open", query="?group=g").check()
