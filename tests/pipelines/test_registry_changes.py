"""A whole path: change events of Debezium in Avro, as Connect's converter writes them, keys and tombstones too."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.pipelines.commands import ingested
from tests.pipelines.tables import query
from tests.services import serializers
from tests.services.kafka_broker import KafkaBroker, Topics
from tests.services.registry import SchemaRegistry

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ROW = {
    "type": "record",
    "name": "Value",
    "fields": [
        {"name": "id", "type": "int"},
        {
            "name": "price",
            "type": {
                "type": "bytes",
                "scale": 2,
                "precision": 9,
                "connect.version": 1,
                "connect.parameters": {"scale": "2", "connect.decimal.precision": "9"},
                "connect.name": "org.apache.kafka.connect.data.Decimal",
                "logicalType": "decimal",
            },
        },
        {
            "name": "amount",
            "type": [
                "null",
                {
                    "type": "record",
                    "name": "VariableScaleDecimal",
                    "namespace": "io.debezium.data",
                    "fields": [
                        {"name": "scale", "type": "int"},
                        {"name": "value", "type": "bytes"},
                    ],
                    "connect.name": "io.debezium.data.VariableScaleDecimal",
                },
            ],
        },
        {
            "name": "made",
            "type": {"type": "long", "connect.name": "io.debezium.time.MicroTimestamp"},
        },
        {"name": "due", "type": {"type": "int", "connect.name": "io.debezium.time.Date"}},
        {"name": "doc", "type": {"type": "string", "connect.name": "io.debezium.data.Json"}},
    ],
    "connect.name": "shop.public.orders.Value",
}
SOURCE = [
    *({"name": name, "type": "string"} for name in ("version", "connector", "name")),
    {"name": "ts_ms", "type": "long"},
    {"name": "lsn", "type": ["null", "long"], "default": None},
]
ENVELOPE = {
    "type": "record",
    "name": "Envelope",
    "namespace": "shop.public.orders",
    "fields": [
        {"name": "before", "type": ["null", ROW], "default": None},
        {"name": "after", "type": ["null", "Value"], "default": None},
        {
            "name": "source",
            "type": {
                "type": "record",
                "name": "Source",
                "namespace": "io.debezium.postgresql",
                "fields": SOURCE,
            },
        },
        {"name": "op", "type": "string"},
        {"name": "ts_ms", "type": ["null", "long"], "default": None},
    ],
    "connect.name": "shop.public.orders.Envelope",
}
KEY = {
    "type": "record",
    "name": "Key",
    "namespace": "shop.public.orders",
    "fields": [{"name": "id", "type": "int"}],
}
DOC = '{"n": [1, 2.5]}'
UNAVAILABLE = "__debezium_unavailable_value"


def row(id_: int, cents: int, doc: str = DOC) -> dict[str, Any]:
    """A row as the serialiser takes it; fastavro writes decimals from the bytes of a number."""
    amount = {"scale": 3, "value": (cents * 10).to_bytes(4, "big", signed=True)}
    placed = 1_795_752_306_123_456 + cents  # 2026-11-27 04:05:06.123456
    return {
        "id": id_,
        "price": cents.to_bytes(4, "big", signed=True),
        "amount": amount,
        "made": placed,
        "due": 20_784,
        "doc": doc,
    }


def event(op: str, lsn: int, side: dict[str, Any]) -> dict[str, Any]:
    source = {"version": "3", "connector": "postgresql", "name": "shop", "ts_ms": 1, "lsn": lsn}
    sides = {"before": side} if op == "d" else {"after": side}
    return {**sides, "source": source, "op": op, "ts_ms": 2}


def test_rows_deletes_and_tombstones_in_avro(
    kafka_broker: KafkaBroker, topic: Topics, schema_registry: SchemaRegistry, postgres_url: str
) -> None:
    name = topic(2)
    with serializers.client_of(schema_registry.url) as client:
        value = serializers.AvroSerializer(client, json.dumps(ENVELOPE))
        key = serializers.AvroSerializer(client, json.dumps(KEY))

        def message(id_: int, change: dict[str, Any] | None, place: int = 0) -> Any:
            raw = None if change is None else value(change, serializers.context_of(name))
            return key({"id": id_}, serializers.key_context_of(name)), raw, place

        messages = [
            message(1, event("c", 10, row(1, 99))),
            message(1, event("u", 12, row(1, -150, UNAVAILABLE))),
            message(1, event("u", 11, row(1, 100)), place=1),
            message(2, event("r", 13, row(2, 1))),
            message(2, event("d", 14, row(2, 1))),
            message(2, None),
            message(3, event("c", 15, row(3, 7))),
            message(3, None),  # the delete before it has been compacted away
        ]
    kafka_broker.produce(name, messages)
    source = f"kafka://{kafka_broker.bootstrap}/{name}"
    more = ("--schema_registry", schema_registry.url, "--envelope", "debezium")
    table = ("--schema", f"registry:{name}-value")  # with the columns of the rows in the events
    order = ("--on_delete", "delete", "--on_conflict", "newest:@position")
    summary = ingested(source, postgres_url, *more, *table, *order)
    assert (summary["read"], summary["dead"], summary["retrying"]) == (8, 0, 0), query(
        postgres_url, "SELECT message FROM ingest_jobs"
    )
    cells = "id, CAST(price AS text), CAST(amount AS text), CAST(made AS text), CAST(due AS text)"
    ((id_, price, amount, moment, due),) = query(postgres_url, f"SELECT {cells} FROM events")
    assert (id_, float(price), float(amount)) == (1, -1.5, -1.5)
    assert (moment, due) == ("2026-11-27T04:05:06.123306", "2026-11-27")
    ((doc,),) = query(postgres_url, "SELECT doc FROM events")
    assert doc == json.loads(DOC)
