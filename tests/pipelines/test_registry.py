"""Whole paths: messages in the wire format of a real registry in, exact values out."""

from __future__ import annotations

import io
import json
import uuid
from datetime import date
from decimal import Decimal
from typing import Any

import fastavro
import pytest
from google.protobuf.message_factory import GetMessageClass

from tests.io.clients.registry.servers import Answer, Asked, serving
from tests.pipelines.avro_cases import AVRO_CASES
from tests.pipelines.commands import dead_letters, ingest, ingested
from tests.pipelines.protobuf_cases import MONEY, ORDER, filled, stored
from tests.pipelines.tables import query
from tests.services import serializers
from tests.services.kafka_broker import KafkaBroker, Topics
from tests.services.registry import SchemaRegistry
from transforms.parse.protobuf.descriptors import Descriptors

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def payloads(sink: str) -> dict[str, Any]:
    """The stored payloads by id, with exact numbers."""
    text = "payload" if sink.startswith("sqlite") else "payload::text"
    rows = query(sink, f"SELECT id, {text} FROM events")
    return {name: json.loads(row, parse_float=Decimal) for name, row in rows}


def plain(value: Any) -> Any:
    """A number as ``payloads`` reads it."""
    return Decimal(repr(value)) if isinstance(value, float) else value


def by_registry(broker: KafkaBroker, topic: str, registry: SchemaRegistry, sink: str) -> Any:
    """The summary of a run that decodes ``topic``."""
    source = f"kafka://{broker.bootstrap}/{topic}"
    return ingested(source, sink, "--schema_registry", registry.url)


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
        summary = by_registry(kafka_broker, name, schema_registry, sink)
        assert summary["inserted"] == len(expected)
        stored = {key: plain(payload["v"]) for key, payload in payloads(sink).items()}
        assert stored == {key: plain(value) for key, value in expected.items()}


class TestProtobuf:
    def test_every_kind_of_field_of_two_serialisers_is_exact(
        self, kafka_broker: KafkaBroker, topic: Topics, schema_registry: SchemaRegistry, sink: str
    ) -> None:
        name, other = topic(), f"money-{uuid.uuid4().hex}"
        schema_registry.register(other, MONEY, "PROTOBUF")
        reference = ("shop/common/money.proto", other)
        number = schema_registry.register(f"{name}-text", ORDER, "PROTOBUF", [reference])
        kind = GetMessageClass(Descriptors(ORDER, [(reference[0], MONEY)]).message([1]))
        by_hand = b"\0" + number.to_bytes(4, "big") + b"\2\2"
        messages = [by_hand + filled(kind, "by hand").SerializeToString()]
        settings = {"use.deprecated.format": False, "skip.known.types": True}
        with serializers.client_of(schema_registry.url) as client:
            confluent = serializers.ProtobufSerializer(kind, client, settings)
            raw = confluent(filled(kind, "confluent"), serializers.context_of(name))
        messages.append(raw)
        kafka_broker.produce(name, [(None, message) for message in messages])
        assert by_registry(kafka_broker, name, schema_registry, sink)["inserted"] == 2
        for key, payload in payloads(sink).items():
            payload.pop("id", None)
            assert payload == stored(key)


class TestJson:
    def test_numbers_are_exact_ids_may_be_in_headers_and_what_does_not_conform_is_dead(
        self, kafka_broker: KafkaBroker, topic: Topics, schema_registry: SchemaRegistry, sink: str
    ) -> None:
        name = topic()
        schema = {"title": "T", "type": "object", "properties": {"id": {"type": "string"}}}
        with serializers.client_of(schema_registry.url) as client:
            confluent = serializers.JSONSerializer(json.dumps(schema), client)
            raw = confluent({"id": "a", "n": 2**62, "x": 0.1}, serializers.context_of(name))
        in_header = [("__value_schema_id", raw[:5])]
        kafka_broker.produce(
            name,
            [
                (None, raw),
                (None, raw[5:].replace(b'"a"', b'"b"'), None, None, in_header),
                (None, raw.replace(b'"a"', b"5")),
            ],
        )
        summary = by_registry(kafka_broker, name, schema_registry, sink)
        assert (summary["inserted"], summary["dead"]) == (2, 1)
        ((category, message),) = query(sink, "SELECT category, message FROM ingest_jobs")
        assert (category, message[:10]) == ("schema", "schema id ")
        assert message.endswith('/id: 5 is not of type "string"')
        expected = {"n": 2**62, "x": Decimal("0.1")}
        assert {key: value | {"id": ""} for key, value in payloads(sink).items()} == {
            "a": expected | {"id": ""},
            "b": expected | {"id": ""},
        }


class TestTrouble:
    def test_what_does_not_fit_is_dead_whole_and_a_replay_decodes_it_anew(
        self, kafka_broker: KafkaBroker, topic: Topics, schema_registry: SchemaRegistry, sink: str
    ) -> None:
        name = topic()
        schema = AVRO_CASES["long"].schema("Trouble")
        number = schema_registry.register(f"{name}-value", json.dumps(schema))
        head = b"\0" + number.to_bytes(4, "big")
        good, bad = head + b"\2a\4", head + b"\2b\xff"
        kafka_broker.produce(name, [(None, good), (None, bad)])
        assert ingested(f"kafka://{kafka_broker.bootstrap}/{name}", sink)["dead"] == 2
        rows = query(sink, 'SELECT raw, message FROM ingest_jobs ORDER BY "offset"')
        assert [raw for raw, _ in rows] == [good, bad]
        assert all("--schema_registry URL" in message for _, message in rows)
        assert dead_letters("replay", "--sink", sink, "--reason", "now with a registry") == 0
        summary = by_registry(kafka_broker, name, schema_registry, sink)
        assert (summary["inserted"], summary["dead"]) == (1, 1)
        ((raw, message),) = query(
            sink, "SELECT raw, message FROM ingest_jobs WHERE state = 'discarded'"
        )
        assert raw == bad
        assert message == f"schema id {number}: the message ends too early"

    def test_an_unknown_id_is_tried_again_until_the_schema_is_there(
        self, kafka_broker: KafkaBroker, topic: Topics, schema_registry: SchemaRegistry, sink: str
    ) -> None:
        name = topic()
        kafka_broker.produce(name, [(None, b"\0\x7f\0\0\1\2a\4")])
        source = f"kafka://{kafka_broker.bootstrap}/{name}"
        more = ("--schema_registry", schema_registry.url, "--retry_wait", "0")
        summary = ingested(source, sink, *more, "--backoff_base", "300")
        assert (summary["retrying"], summary["dead"]) == (1, 0)
        ((message,),) = query(sink, "SELECT message FROM ingest_jobs")
        assert message == "schema id 2130706433: the registry has no such schema"

    def test_while_the_registry_is_away_nothing_is_dead_and_nothing_lost(
        self,
        kafka_broker: KafkaBroker,
        topic: Topics,
        schema_registry: SchemaRegistry,
        sink: str,
    ) -> None:
        name = topic()
        numbers = [
            schema_registry.register(
                f"{name}-{label}", json.dumps(AVRO_CASES["long"].schema(f"Away_{label}"))
            )
            for label in ("a", "b")
        ]
        heads = [b"\0" + number.to_bytes(4, "big") for number in numbers]
        ids = [f"{n:05}" for n in range(10_000)]
        messages = [heads[n >= 5_000] + b"\x0a" + key.encode() + b"\2" for n, key in enumerate(ids)]
        kafka_broker.produce(name, [(None, message) for message in messages])
        late = f"/schemas/ids/{numbers[1]}"

        def answer(asked: Asked) -> Answer:
            if asked.path == late and server.paths.count(late) <= 3:
                return 503, b""
            return 200, schema_registry.call(asked.path)

        with serving(answer) as server:
            source = f"kafka://{kafka_broker.bootstrap}/{name}"
            summary = ingested(source, sink, "--schema_registry", server.url)
        assert server.paths.count(late) == 4
        assert (summary["inserted"], summary["dead"], summary["retrying"]) == (10_000, 0, 0)


class TestTable:
    def test_columns_have_the_types_and_the_documentation_of_the_schema(
        self, kafka_broker: KafkaBroker, topic: Topics, schema_registry: SchemaRegistry, sink: str
    ) -> None:
        name = topic()
        labels = [
            *("decimal_bytes", "date", "timestamp_micros", "local_micros", "time_micros"),
            *("uuid_fixed", "bytes", "union", "array", "boolean", "union_null"),
        ]
        fields = [{"name": "id", "type": "string", "doc": "It's a name."}] + [
            {"name": label, "type": AVRO_CASES[label].type} for label in labels
        ]
        schema = {"type": "record", "name": "Columns", "fields": fields}
        number = schema_registry.register(f"{name}-value", json.dumps(schema))
        out = io.BytesIO(b"\0" + number.to_bytes(4, "big"))
        out.seek(5)
        value = {"id": "a", **{label: AVRO_CASES[label].value for label in labels}}
        fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
        kafka_broker.produce(name, [(None, out.getvalue())])
        source = f"kafka://{kafka_broker.bootstrap}/{name}"
        more = ("--schema_registry", schema_registry.url, "--schema", f"registry:{name}-value")
        summary = ingested(source, sink, *more)
        assert summary["inserted"] == 1, query(sink, "SELECT message FROM ingest_jobs")
        ((day, money, flag),) = query(sink, 'SELECT "date", decimal_bytes, "boolean" FROM events')
        if sink.startswith("sqlite"):
            assert (day, str(money)) == ("2026-11-27", "-1234567890123456.7891")
            return
        assert (day, money, flag) == (date(2026, 11, 27), Decimal("-1234567890123456.7891"), True)
        types = dict(
            query(
                sink,
                "SELECT column_name, data_type FROM information_schema.columns "
                "WHERE table_name = 'events'",
            )
        )
        assert types["decimal_bytes"] == "numeric"
        assert types["timestamp_micros"] == "timestamp with time zone"
        assert (types["uuid_fixed"], types["array"], types["bytes"]) == ("uuid", "jsonb", "bytea")
        comment = "SELECT col_description('events'::regclass, 1)"
        assert query(sink, comment) == [("It's a name.",)]

    def test_a_subject_that_is_not_there(
        self, schema_registry: SchemaRegistry, sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        more = ("--schema_registry", schema_registry.url, "--schema", "registry:nowhere")
        assert ingest("kafka://127.0.0.1:1/x", sink, *more) == 2
        assert "registry:nowhere: the registry has no such subject" in capsys.readouterr().err
