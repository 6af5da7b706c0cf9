from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.struct_pb2 import ListValue, Struct
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.wrappers_pb2 import BytesValue, UInt64Value

from transforms.parse.protobuf.descriptors import Descriptors
from transforms.parse.protobuf.values import Values, depth_of, duration_text

TEXT = """syntax = "proto3"; import "confluent/type/decimal.proto"; import "google/protobuf/wrappers.proto";
message M {
  int32 plain = 1; optional int32 maybe = 2; oneof one { string a = 3; M b = 4; }
  E kind = 5; enum E { option allow_alias = true; ZERO = 0; ONE = 1; UNO = 1; }
  repeated E kinds = 6; map<bool, M> by_flag = 7; map<int64, uint64> by_number = 8;
  confluent.type.Decimal money = 9; google.protobuf.Int64Value wrapped = 10;
}
"""


@pytest.fixture(scope="module")
def kind() -> Any:
    return GetMessageClass(Descriptors(TEXT, ()).message([0]))


@pytest.fixture(scope="module")
def convert(kind: Any) -> Callable[[Any], Any]:
    return Values().of(kind.DESCRIPTOR)


EMPTY: dict[str, Any] = {
    "plain": 0,
    "maybe": None,
    "a": None,
    "b": None,
    "kind": "ZERO",
    "kinds": [],
    "by_flag": {},
    "by_number": {},
    "money": None,
    "wrapped": None,
}


def test_what_is_not_set_is_null_where_that_can_be_told(kind: Any, convert: Any) -> None:
    assert convert(kind()) == EMPTY
    assert convert(kind(maybe=0, a="", wrapped={"value": 0})) == EMPTY | {
        "maybe": 0,
        "a": "",
        "wrapped": 0,
    }


def test_enums_maps_and_what_contains_itself(kind: Any, convert: Any) -> None:
    message = kind(kind=1, kinds=[1, 0, 99], b=kind(plain=2), by_number={-3: 2**64 - 1})
    message.by_flag[True].plain = 5
    assert convert(message) == EMPTY | {
        "kind": "ONE",
        "kinds": ["ONE", "ZERO", "99"],
        "b": EMPTY | {"plain": 2},
        "by_flag": {"true": EMPTY | {"plain": 5}},
        "by_number": {"-3": 2**64 - 1},
    }
    assert len(message.by_flag) == 1  # looking does not add entries


def test_decimals_are_exact_and_bounded(kind: Any, convert: Any) -> None:
    message = kind(money={"value": (-12345).to_bytes(4, "big", signed=True), "scale": 3})
    assert convert(message)["money"] == Decimal("-12.345")
    with pytest.raises(ValueError, match="digits"):
        convert(kind(money={"value": b"\1", "scale": 2**31 - 1}))


def value_of(message: Any) -> Any:
    return Values().of(message.DESCRIPTOR)(message)


@pytest.mark.parametrize(
    ("message", "value"),
    [
        (
            Timestamp(seconds=-1, nanos=999_999_999),
            datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC),
        ),
        (UInt64Value(value=2**64 - 1), 2**64 - 1),
        (BytesValue(value=b"\0"), b"\0"),
    ],
)
def test_messages_that_stand_for_a_value(message: Any, value: Any) -> None:
    assert value_of(message) == value


def test_free_values() -> None:
    held = Struct()
    held.update({"a": [1.5, None, True, {"b": "c"}], "d": {}})
    assert value_of(held) == {"a": [1.5, None, True, {"b": "c"}], "d": {}}
    items = ListValue()
    items.extend([[], "x"])
    assert value_of(items) == [[], "x"]


@pytest.mark.parametrize(
    ("seconds", "nanos", "text"),
    [(0, 0, "PT0S"), (90, 500_000_000, "PT90.5S"), (0, -1, "-PT0.000000001S"), (-2, 0, "-PT2S")],
)
def test_durations(seconds: int, nanos: int, text: str) -> None:
    assert duration_text(Duration(seconds=seconds, nanos=nanos)) == text


@pytest.mark.parametrize(
    "message",
    [
        *(Timestamp(nanos=-1), Timestamp(nanos=1_000_000_000), Duration(seconds=1, nanos=-1)),
        *(Duration(seconds=2**60), Duration(nanos=1_000_000_000)),
    ],
)
def test_values_out_of_range(message: Any) -> None:
    with pytest.raises(ValueError, match=r"has nanoseconds|out of its range"):
        value_of(message)


def test_names_that_are_words_of_python() -> None:
    text = (
        'syntax = "proto3"; message M { int32 from = 1; optional string class = 2; bool n0 = 3; }'
    )
    descriptor = Descriptors(text, ()).message([0])
    message = GetMessageClass(descriptor)(**{"from": 3, "n0": True})
    assert Values().of(descriptor)(message) == {"from": 3, "class": None, "n0": True}


@pytest.mark.parametrize(
    ("fields", "depth"),
    [
        ("", 1),
        ("int32 a = 1; repeated int32 b = 2;", 2),
        ("repeated O o = 1;", 4),
        ("map<string, O> o = 1;", 4),
        ("O o = 1;", 3),
        ("M m = 1;", math.inf),
        ("map<string, M> m = 1;", math.inf),
        ("google.protobuf.Struct s = 1;", math.inf),
        ("google.protobuf.Int64Value i = 1;", 1),
    ],
)
def test_the_depth_of_a_type(fields: str, depth: float) -> None:
    imports = 'import "google/protobuf/struct.proto"; import "google/protobuf/wrappers.proto"; '
    text = f'syntax = "proto3"; {imports} message M {{ {fields} }} message O {{ map<int32, bool> x = 1; }}'
    assert depth_of(Descriptors(text, ()).message([0])) == depth
