"""A broker that asks for a password, with and without TLS, and knows who may read what."""

from __future__ import annotations

import logging
import pickle

import pytest

from clients.kafka.config import parse
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

    def test_a_listener_without_tls_is_named(self, guarded: Guarded) -> None:
        source = under_tls(guarded.address, f"ssl.ca.location={guarded.authority}")
        with pytest.raises(SourceUnavailable, match="connecting to a PLAINTEXT broker listener"):
            source.check()


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
