"""A broker that asks for a password, in the open or under TLS, and knows who may do what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # not declared as exported
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from runners.ports import free_ports
from tests.services.certificate import self_signed
from tests.services.kafka_broker import KafkaBroker

PASSWORD = "right-word-4711"


@dataclass(frozen=True, slots=True)
class Guarded:
    """A broker with listeners that ask for a password.

    Attributes:
        broker: Everything is allowed over its own listener.
        address: Where it asks for a password in the open.
        tls: Where it does so under TLS.
        authority: The file with the certificate that proves who it is there.
    """

    broker: KafkaBroker
    address: str
    tls: str
    authority: Path


def reader_settings(password: str = PASSWORD, protocol: str = "SASL_PLAINTEXT") -> list[str]:
    """The ``--kafka_config`` of the user ``reader``."""
    return [
        f"security.protocol={protocol}",
        "sasl.mechanism=PLAIN",
        "sasl.username=reader",
        f"sasl.password={password}",
    ]


@contextmanager
def guarded_broker() -> Iterator[Guarded]:
    """A broker whose user ``reader`` may read and write the topic ``open``, and nothing else."""
    ports = free_ports(2)
    certificate, key = self_signed()
    password = (
        "org.apache.kafka.common.security.plain."
        f'PlainLoginModule required user_reader="{PASSWORD}";'
    )
    settings = {
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
        "SASL:SASL_PLAINTEXT,TLS:SASL_SSL",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl.plain.sasl.jaas.config": password,
        "listener.name.tls.plain.sasl.jaas.config": password,
        "listener.name.tls.ssl.keystore.type": "PEM",
        "listener.name.tls.ssl.keystore.certificate.chain": _on_one_line(certificate),
        "listener.name.tls.ssl.keystore.key": _on_one_line(key),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    listeners = dict(zip(("SASL", "TLS"), ports, strict=True))
    with KafkaBroker(settings, listeners) as broker:
        for name in ("open", "closed"):
            broker.create_topic(name)
            broker.produce(name, [(None, b"x")])
        admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
        allowed = [_allow("open", AclOperation.READ), _allow("open", AclOperation.WRITE)]
        for done in admin.create_acls(allowed).values():
            done.result(30)
        authority = broker.folder / "authority.pem"
        authority.write_text(certificate)
        address, tls = (f"127.0.0.1:{port}" for port in ports)
        yield Guarded(broker, address, tls, authority)


def _on_one_line(pem: str) -> str:
    return pem.strip().replace("\n", "\\n")  # as a file of Java's properties has it


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
