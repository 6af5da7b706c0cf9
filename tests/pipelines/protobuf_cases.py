"""A schema of Protobuf with every kind of field, a message of it, and the JSON that it becomes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

MONEY = """syntax = "proto3";
package shop.common;

message Money {
  int64 units = 1;
  string currency = 2;
}
"""

ORDER = """syntax = "proto3";
package shop.v1;

import "shop/common/money.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/struct.proto";

// Nobody orders this: the order is the second message.
message Other {
  string only = 1;
}

/* An order. */
message Order {
  // What it is called.
  string id = 1;
  int32 i32 = 2;
  int64 i64 = 3;
  uint32 u32 = 4;
  uint64 u64 = 5;
  sint32 s32 = 6;
  sint64 s64 = 7;
  fixed32 f32 = 8;
  fixed64 f64 = 9;
  sfixed32 sf32 = 10;
  sfixed64 sf64 = 11;
  float real = 12;
  double wide = 13;
  bool flag = 14;
  bytes raw = 15;
  optional string maybe = 16;
  optional int32 absent = 17;
  oneof paid {
    string card = 18;
    shop.common.Money cash = 19;
  }
  repeated shop.common.Money items = 20;
  repeated sint64 packed = 21;
  map<string, int64> counts = 22;
  map<int32, shop.common.Money> prices = 23;
  Kind kind = 24;
  enum Kind {
    UNKNOWN = 0;
    ONLINE = 1;
  }
  google.protobuf.Timestamp at = 25;
  google.protobuf.Duration took = 26;
  google.protobuf.Int64Value wrapped = 27;
  google.protobuf.BoolValue unwrapped = 28;
  google.protobuf.Struct free = 29;
  message Part {
    Order of = 1;
  }
  Part part = 30;
}
"""


def filled(kind: Any, name: str) -> Any:
    """A message of the class ``kind`` with the id ``name``."""
    message = kind(id=name, i32=-(2**31), i64=-(2**63), u32=2**32 - 1, u64=2**64 - 1)
    message.s32, message.s64, message.f32, message.f64 = -5, -(2**40), 7, 2**63
    message.sf32, message.sf64, message.real, message.wide = -7, -(2**62), 1.5, 0.1
    message.flag, message.raw, message.maybe = True, b"\x00\xff", ""
    message.cash.units, message.cash.currency = 2**53 + 1, "€"
    message.items.add(units=1)
    message.packed.extend([1, -1])
    message.counts["a"] = 3
    message.prices[4].units = 5
    message.kind = 1
    message.at.seconds, message.at.nanos = 1_795_752_306, 123_456_789
    message.took.seconds = 90
    message.wrapped.value = 0
    message.free.update({"a": [True, None]})
    message.part.of.id = "within"
    return message


_ABSENT: dict[str, Any] = {
    **dict.fromkeys(("i32", "i64", "u32", "u64", "s32", "s64", "f32", "f64", "sf32", "sf64"), 0),
    **dict.fromkeys(("maybe", "absent", "card", "cash", "at", "took", "wrapped", "unwrapped")),
    "real": Decimal("0.0"),
    "wide": Decimal("0.0"),
    "flag": False,
    "raw": "",
    "free": None,
    "items": [],
    "packed": [],
    "counts": {},
    "prices": {},
    "kind": "UNKNOWN",
    "part": None,
}


def stored(name: str) -> dict[str, Any]:
    """What ``filled`` becomes, without the key."""
    return _ABSENT | {
        "i32": -(2**31),
        "i64": -(2**63),
        "u32": 2**32 - 1,
        "u64": 2**64 - 1,
        "s32": -5,
        "s64": -(2**40),
        "f32": 7,
        "f64": 2**63,
        "sf32": -7,
        "sf64": -(2**62),
        "real": Decimal("1.5"),
        "wide": Decimal("0.1"),
        "flag": True,
        "raw": "AP8=",
        "maybe": "",
        "cash": {"units": 2**53 + 1, "currency": "€"},
        "items": [{"units": 1, "currency": ""}],
        "packed": [1, -1],
        "counts": {"a": 3},
        "prices": {"4": {"units": 5, "currency": ""}},
        "kind": "ONLINE",
        "at": "2026-11-27T04:05:06.123456Z",
        "took": "PT90S",
        "wrapped": 0,
        "free": {"a": [True, None]},
        "part": {"of": _ABSENT | {"id": "within"}},
    }
