"""The serialisers of Confluent's own client, for tests that compare what they write with what is read.

Its schema registry client imports authlib, for logins that no test of it uses; an empty module stands
in its place.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_MODULES = ("authlib", "authlib.integrations", "authlib.integrations.httpx_client")


@contextmanager
def _stand_ins() -> Iterator[None]:
    absent = [name for name in _MODULES if name not in sys.modules]
    for name in absent:
        module: Any = ModuleType(name)
        module.OAuth2Client = module.AsyncOAuth2Client = object
        sys.modules[name] = module
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


with _stand_ins():
    from confluent_kafka.schema_registry import (
        SchemaRegistryClient,
        header_schema_id_serializer,
    )
    from confluent_kafka.schema_registry.avro import AvroSerializer
    from confluent_kafka.schema_registry.json_schema import JSONSerializer
    from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
    from confluent_kafka.serialization import MessageField, SerializationContext

__all__ = [
    "AvroSerializer",
    "JSONSerializer",
    "MessageField",
    "ProtobufSerializer",
    "SchemaRegistryClient",
    "SerializationContext",
    "client_of",
    "context_of",
    "header_schema_id_serializer",
    "key_context_of",
]


@contextmanager
def client_of(url: str) -> Iterator[Any]:
    """Confluent's client of a registry."""
    client = SchemaRegistryClient({"url": url})
    try:
        yield client
    finally:
        client._rest_client.session.close()


def context_of(topic: str, headers: Any = None) -> Any:
    """Where a value is going to."""
    return SerializationContext(topic, MessageField.VALUE, headers)


def key_context_of(topic: str) -> Any:
    """Where a key is going to."""
    return SerializationContext(topic, MessageField.KEY)
