"""A broker that asks for a password and knows who may do what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # not declared as exported
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from tests.services.kafka_broker import KafkaBroker
from tests.services.kafka_server import free_ports

PASSWORD = "right-word-4711"


@contextmanager
def guarded_broker() -> Iterator[tuple[KafkaBroker, str]]:
    """A broker, and the address of its listener that asks for a password.

    There, the user ``reader`` may read and write the topic ``open``, and nothing else.
    Over the other listener, everything is allowed.
    """
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
        allowed = [_allow("open", AclOperation.READ), _allow("open", AclOperation.WRITE)]
        for done in admin.create_acls(allowed).values():
            done.result(30)
        yield broker, f"127.0.0.1:{port}"


def _allow(topic: str, operation: AclOperation) -> AclBinding:
    return AclBinding(
        ResourceType.TOPIC,
        topic,
        ResourcePatternType.LITERAL,
        "User:reader",
        "*",
        operation,
        AclPermissionType.ALLOW,
    )
