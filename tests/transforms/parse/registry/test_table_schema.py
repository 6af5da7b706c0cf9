from __future__ import annotations

import json

import pytest

from transforms.parse.registry.schema import Unusable, WireSchema
from transforms.parse.registry.table_schema import table_schema


def test_each_type_of_schema() -> None:
    avro = '{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}'
    assert list(json.loads(table_schema(WireSchema("AVRO", avro)))["properties"]) == ["a"]
    proto = 'syntax = "proto3"; message M { int32 b = 1; }'
    assert list(json.loads(table_schema(WireSchema("PROTOBUF", proto)))["properties"]) == ["b"]
    assert table_schema(WireSchema("JSON", '{"properties": {}}')) == '{"properties": {}}'


@pytest.mark.parametrize(
    "schema",
    [WireSchema("XML", ""), WireSchema("JSON", "{}", (("a", "{}"),)), WireSchema("AVRO", "")],
)
def test_what_no_table_can_be_made_of(schema: WireSchema) -> None:
    with pytest.raises(Unusable):
        table_schema(schema)
