"""A broker that asks for a password and knows who may read what."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # not declared as exported
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from sources.kafka import KafkaSource
from sources.kafka_config import parse
from tests.io.sources.kafka_reading import read_to_end, reading, until
from tests.services.kafka_broker import KafkaBroker, available
from tests.services.kafka_server import free_ports
from transforms.errors import ConfigError, SourceUnavailable
from transforms.splits import Split

pytestmark = pytest.mark.integration

PASSWORD = "right-word-4711"
WRONG = "wrong-word-0815"


@pytest.fixture(scope="module")
def guarded(kafka_broker: KafkaBroker) -> Iterator[tuple[KafkaBroker, str]]:
    """A broker, and the address of its listener that asks for a password.

    Over the other one, everything is allowed.
    """
    assert available() is None
    (port,) = free_ports(1)
    settings = {
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
        "SASL:SASL_PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl.plain.sasl.jaas.config": "org.apache.kafka.common.security.plain."
        f'PlainLoginModule required user_reader="{PASSWORD}";',
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    with KafkaBroker(settings) as broker:
        broker.stop()
        file = broker.folder / "server.properties"
        lines = file.read_text().splitlines()
        for name in ("listeners", "advertised.listeners"):
            (line,) = (line for line in lines if line.startswith(f"{name}="))
            lines.append(f"{line},SASL://127.0.0.1:{port}")  # of two, the last one holds
        file.write_text("\n".join(lines) + "\n")
        broker.start()
        for name in ("open", "closed"):
            broker.create_topic(name)
            broker.produce(name, [(None, b"x")])
        admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
        allow = AclBinding(
            ResourceType.TOPIC,
            "open",
            ResourcePatternType.LITERAL,
            "User:reader",
            "*",
            AclOperation.READ,
            AclPermissionType.ALLOW,
        )
        for done in admin.create_acls([allow]).values():
            done.result(30)
        yield broker, f"127.0.0.1:{port}"


def source_of(address: str, topic: str, password: str = PASSWORD, query: str = "") -> KafkaSource:
    config = parse(
        [
            "security.protocol=SASL_PLAINTEXT",
            "sasl.mechanism=PLAIN",
            "sasl.username=reader",
            f"sasl.password={password}",
        ]
    )
    return KafkaSource(f"kafka://{address}/{topic}{query}", config=config)


class TestAccess:
    def test_with_password_and_right_it_is_read(self, guarded: tuple[KafkaBroker, str]) -> None:
        source = source_of(guarded[1], "open")
        source.check()
        assert read_to_end(source).all_values() == [b"x"], "without any right to a group"

    def test_a_wrong_password_is_a_mistake_of_the_user_and_is_not_repeated(
        self, guarded: tuple[KafkaBroker, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        source = source_of(guarded[1], "open", WRONG)
        with pytest.raises(ConfigError, match="refuses") as caught:
            source.check()
        split = Split(source.uri, "0/1")
        with (
            reading(source, split=split) as reader,
            pytest.raises(SourceUnavailable, match="refuses") as later,
        ):
            until(reader, lambda read: read.done)
        said = f"{caught.value} {later.value} {source!r} {caplog.text}"
        assert WRONG not in said
        assert WRONG.encode() not in pickle.dumps(source)

    def test_a_topic_that_may_not_be_read_is_named(self, guarded: tuple[KafkaBroker, str]) -> None:
        with pytest.raises(ConfigError, match=r"refuses.*TOPIC_AUTHORIZATION_FAILED"):
            source_of(guarded[1], "closed").check()

    def test_a_group_that_may_not_be_used_is_a_mistake_of_the_user(
        self, guarded: tuple[KafkaBroker, str]
    ) -> None:
        with pytest.raises(ConfigError, match="GROUP_AUTHORIZATION_FAILED"):
            source_of(guarded[1], "open", query="?group=g").check()
