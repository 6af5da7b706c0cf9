from __future__ import annotations

import pytest

from transforms.parse.protobuf.json_schema import json_schema_of
from transforms.parse.registry.schema import Unusable

TEXT = """syntax = "proto3";
import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto";
import "google/protobuf/struct.proto";
// An order.
message Order {
  // Its number.
  int64 id = 1;
  optional uint64 big = 2;
  map<string, int32> counts = 3; repeated Order parts = 4; Order of = 5;
  google.protobuf.Timestamp at = 6; google.protobuf.UInt64Value wrapped = 7;
  google.protobuf.Value free = 8; enum E { A = 0; } E kind = 9; bytes raw = 10; double real = 11;
}
message Other {}
"""


def test_each_kind_of_field() -> None:
    assert json_schema_of(TEXT, ()) == {
        "type": "object",
        "description": "An order.",
        "properties": {
            "id": {"type": "integer", "description": "Its number."},
            "big": {"type": ["integer", "null"], "minimum": 0, "maximum": 2**64 - 1},
            "counts": {"type": "object"},
            "parts": {"type": "array"},
            "of": {"type": ["object", "null"]},
            "at": {"type": ["string", "null"], "format": "date-time"},
            "wrapped": {"type": ["integer", "null"], "minimum": 0, "maximum": 2**64 - 1},
            "free": {"type": ["array", "boolean", "number", "object", "string", "null"]},
            "kind": {"type": "string"},
            "raw": {"type": "string", "format": "bytes"},
            "real": {"type": "number"},
        },
    }


def test_a_schema_without_a_message() -> None:
    with pytest.raises(Unusable):
        json_schema_of('syntax = "proto3"; enum E { A = 0; }', ())
