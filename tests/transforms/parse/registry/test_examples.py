"""The examples of the specifications of Avro and Protobuf, as messages in the wire format.

https://avro.apache.org/docs/1.12.0/specification/#binary-encoding, https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.transforms.parse.registry.registries import Schemas
from transforms.batch.record import JSON, RecordBatch, Span
from transforms.parse.parse import ParseConfig, parse
from transforms.parse.registry.schema import AVRO, PROTOBUF, WireSchema


def read(schema: WireSchema, body: str) -> Any:
    raw = b"\0\0\0\0\7" + bytes.fromhex(body)
    batch = RecordBatch(Span("kafka://t", "0", 0, 1), JSON, range(1), [raw])
    result = parse(batch, ParseConfig(schemas=Schemas({7: schema})))
    assert result.failures == ()
    (value,) = result.values or ()
    return value


@pytest.mark.parametrize(
    ("type_", "body", "value"),
    [
        *[('"long"', body, number) for body, number in (("00", 0), ("01", -1), ("02", 1))],
        *[('"int"', body, number) for body, number in (("03", -2), ("04", 2), ("7f", -64))],
        ('"int"', "8001", 64),
        ('"string"', "06666f6f", "foo"),
        ('{"type": "array", "items": "long"}', "04063600", [3, 27]),
        ('["null", "string"]', "00", None),
        ('["null", "string"]', "020261", "a"),
    ],
)
def test_avro(type_: str, body: str, value: Any) -> None:
    field = f'{{"name": "it", "type": {type_}}}'
    schema = WireSchema(AVRO, f'{{"type": "record", "name": "R", "fields": [{field}]}}')
    assert read(schema, body) == {"it": value}


def test_a_record_of_avro() -> None:
    fields = '[{"name": "a", "type": "long"}, {"name": "b", "type": "string"}]'
    schema = WireSchema(AVRO, f'{{"type": "record", "name": "test", "fields": {fields}}}')
    assert read(schema, "3606666f6f") == {"a": 27, "b": "foo"}


MESSAGES = """
message Test1 { optional int32 a = 1; }
message Test2 { optional string b = 2; }
message Test3 { optional Test1 c = 3; }
message Test4 { optional string d = 4; repeated int32 e = 5; }
message Test5 { repeated int32 f = 6 [packed = true]; }
message Test6 { map<string, int32> g = 7; }
"""


@pytest.mark.parametrize("head", ['syntax = "proto2";', 'syntax = "proto3";', 'edition = "2023";'])
@pytest.mark.parametrize(
    ("index", "body", "value"),
    [
        ("00", "089601", {"a": 150}),
        ("0202", "120774657374696e67", {"b": "testing"}),
        ("0204", "1a03089601", {"c": {"a": 150}}),
        ("0206", "220568656c6c6f280128022803", {"d": "hello", "e": [1, 2, 3]}),
        ("0208", "3206038e029ea705", {"f": [3, 270, 86942]}),
        ("020a", "3a050a01611002", {"g": {"a": 2}}),
    ],
)
def test_protobuf(head: str, index: str, body: str, value: dict[str, Any]) -> None:
    messages = MESSAGES.replace("optional ", "") if "edition" in head else MESSAGES
    messages = messages if "edition" not in head else messages.replace(" [packed = true]", "")
    assert read(WireSchema(PROTOBUF, head + messages), index + body) == value
