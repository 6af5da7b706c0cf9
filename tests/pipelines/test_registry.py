"""Whole paths: messages in the wire format of a real registry in, exact values out."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from tests.pipelines.avro_cases import AVRO_CASES
from tests.pipelines.commands import ingested
from tests.pipelines.tables import query
from tests.services import serializers
from tests.services.kafka_broker import KafkaBroker, Topics
from tests.services.registry import SchemaRegistry

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def payloads(sink: str) -> dict[str, Any]:
    """The stored values of the field ``v``, by id, with exact numbers."""
    text = "payload" if sink.startswith("sqlite") else "payload::text"
    rows = query(sink, f"SELECT id, {text} FROM events")
    return {name: json.loads(row, parse_float=Decimal)["v"] for name, row in rows}


class TestAvro:
    def test_every_type_of_two_serialisers_is_exact(
        self, kafka_broker: KafkaBroker, topic: Topics, schema_registry: SchemaRegistry, sink: str
    ) -> None:
        name = topic()
        messages: list[tuple[bytes | None, bytes]] = [(None, b'{"id": "plain", "v": 1}')]
        expected: dict[str, Any] = {"plain": 1}
        settings = {"subject.name.strategy": lambda context, record: f"{name}-{record}"}
        with serializers.client_of(schema_registry.url) as client:
            for label, case in AVRO_CASES.items():
                schema = case.schema(f"Case_{label}")
                confluent = serializers.AvroSerializer(client, json.dumps(schema), conf=settings)
                value = {"id": f"confluent-{label}", "v": case.value}
                raw = confluent(value, serializers.context_of(name))
                messages.append((None, raw))
                other = io.BytesIO()
                value = {"id": f"fastavro-{label}", "v": case.value}
                fastavro.schemaless_writer(other, fastavro.parse_schema(schema), value)
                messages.append((None, raw[:5] + other.getvalue()))
                for writer in ("confluent", "fastavro"):
                    expected[f"{writer}-{label}"] = case.stored
        kafka_broker.produce(name, messages)
        source = f"kafka://{kafka_broker.bootstrap}/{name}"
        summary = ingested(source, sink, "--schema_registry", schema_registry.url)
        assert summary["inserted"] == len(expected)
        stored = payloads(sink)
        assert {name: plain(value) for name, value in stored.items()} == {
            name: plain(value) for name, value in expected.items()
        }


def plain(value: Any) -> Any:
    """Numbers as they are written: 1.5 as a float and as a decimal are the same."""
    if isinstance(value, float):
        return Decimal(repr(value))
    return value
