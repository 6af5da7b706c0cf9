from __future__ import annotations

import json
from typing import Any

import pytest

from transforms.parse.avro.json_schema import json_schema_of
from transforms.parse.registry.schema import Unusable


def property_of(kind: Any) -> Any:
    fields = [{"name": "a", "type": kind}]
    schema = json_schema_of(json.dumps({"type": "record", "name": "R", "fields": fields}), ())
    return schema["properties"]["a"]


def logical(kind: str, of: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "logicalType": of, **more}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("long", {"type": "integer"}),
        ("bytes", {"type": "string", "format": "bytes"}),
        (["null", "double"], {"type": ["null", "number"]}),
        (["long", "double"], {"type": "number"}),
        (["null", logical("int", "date")], {"type": ["null", "string"], "format": "date"}),
        (["string", logical("int", "date")], {"type": "string"}),
        (logical("long", "timestamp-micros"), {"type": "string", "format": "date-time"}),
        (logical("long", "local-timestamp-millis"), {"type": "string"}),
        (logical("int", "time-millis"), {"type": "string", "format": "time"}),
        (logical("bytes", "decimal", precision=4, scale=2), {"type": "number"}),
        (logical("string", "uuid"), {"type": "string", "format": "uuid"}),
        (logical("fixed", "uuid", name="U", size=16), {"type": "string", "format": "uuid"}),
        (logical("fixed", "duration", name="D", size=12), {"type": "string"}),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, {"type": "string"}),
        ({"type": "array", "items": "int"}, {"type": "array"}),
        ({"type": "map", "values": "R"}, {"type": "object"}),
        ({"type": "record", "name": "In", "fields": []}, {"type": "object"}),
        (["null", "R"], {"type": ["null", "object"]}),
    ],
)
def test_each_type(kind: Any, expected: Any) -> None:
    assert property_of(kind) == expected


def test_what_every_version_has_is_required_and_documentation_is_kept() -> None:
    fields = [
        {"name": "id", "type": "shop.Id", "doc": "Its number."},
        {"name": "note", "type": ["null", "string"], "default": None},
    ]
    schema = {"type": "record", "name": "R", "doc": "An order.", "fields": fields}
    reference = json.dumps({"type": "fixed", "name": "shop.Id", "size": 4})
    assert json_schema_of(json.dumps(schema), [reference]) == {
        "type": "object",
        "description": "An order.",
        "properties": {
            "id": {"type": "string", "format": "bytes", "description": "Its number."},
            "note": {"type": ["null", "string"]},
        },
        "required": ["id"],
    }


@pytest.mark.parametrize("text", ['"long"', "{", '{"type": "array", "items": "int"}', "7"])
def test_what_describes_no_records(text: str) -> None:
    with pytest.raises(Unusable):
        json_schema_of(text, ())
