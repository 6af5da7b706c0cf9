from __future__ import annotations

import json
from typing import Any

import pytest

from transforms.envelope.event import Envelope
from transforms.envelope.row_schema import row_schema
from transforms.parse.registry.schema import Unusable, WireSchema

ROW = {
    "type": "record",
    "name": "Value",
    "doc": "An order.",
    "fields": [{"name": "id", "type": "long"}, {"name": "n", "type": "int", "default": 0}],
}
SOURCE = {"type": "record", "name": "Source", "fields": [{"name": "lsn", "type": "long"}]}


def avro(*fields: dict[str, Any]) -> WireSchema:
    record = {"type": "record", "name": "Envelope", "namespace": "shop", "fields": fields}
    return WireSchema("AVRO", json.dumps(record))


EVENTS = avro(
    {"name": "before", "type": ["null", ROW]},
    {"name": "after", "type": ["null", "Value"]},
    {"name": "source", "type": SOURCE},
    {"name": "op", "type": "string"},
)
FLAT = avro(
    *({"name": name, "type": "string"} for name in ("id", "__deleted", "__op")),
    {"name": "__lsn", "type": "long"},
)
PROTO = """syntax = "proto3"; package shop;
message Envelope { Value before = 1; Value after = 2; Source source = 3; string op = 4; }
// An order.
message Value {
  // Its number.
  int64 id = 1;
}
message Source { int64 lsn = 1; }
"""


def rows_of(schema: WireSchema, envelope: Envelope = "debezium") -> Any:
    return json.loads(row_schema(schema, envelope))


@pytest.mark.parametrize("envelope", ["debezium", "auto"])
def test_of_change_events_it_is_the_row(envelope: Envelope) -> None:
    assert rows_of(EVENTS, envelope) == {
        "type": "object",
        "description": "An order.",
        "properties": {"id": {"type": "integer"}, "n": {"type": "integer"}},
        "required": ["id"],
    }


def test_of_change_events_in_protobuf() -> None:
    assert rows_of(WireSchema("PROTOBUF", PROTO)) == {
        "type": "object",
        "description": "An order.",
        "properties": {"id": {"type": "integer", "description": "Its number."}},
    }


def test_of_flattened_rows_what_says_something_of_the_event_is_left_out() -> None:
    schema = rows_of(FLAT)
    assert (list(schema["properties"]), schema["required"]) == (["id"], ["id"])


@pytest.mark.parametrize("envelope", ["none", "connect"])
def test_other_envelopes_have_the_schema_itself(envelope: Envelope) -> None:
    assert "op" in rows_of(EVENTS, envelope)["properties"]
    assert "__op" in rows_of(FLAT, envelope)["properties"]


def test_rows_without_an_event_are_what_they_are() -> None:
    assert list(rows_of(avro(*ROW["fields"]))["properties"]) == ["id", "n"]  # type: ignore[arg-type]
    assert rows_of(WireSchema("JSON", "true")) is True


@pytest.mark.parametrize(
    "schema",
    [
        avro(*({"name": name, "type": "string"} for name in ("before", "after", "op", "source"))),
        WireSchema("JSON", '{"properties": {"before": {}, "after": {}, "op": {}, "source": {}}}'),
        WireSchema(
            "PROTOBUF",
            'syntax = "proto3"; message E { int32 before=1; int32 after=2; int32 op=3; int32 source=4; }',
        ),
    ],
)
def test_events_without_rows(schema: WireSchema) -> None:
    with pytest.raises(Unusable):
        row_schema(schema, "debezium")
