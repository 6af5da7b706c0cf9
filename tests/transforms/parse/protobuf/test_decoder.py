from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.errors import Reject
from transforms.parse.protobuf.decoder import ProtobufDecoder
from transforms.parse.registry.schema import Unusable

TEXT = """syntax = "proto3";
message A { int32 n = 1; string s = 2; A a = 3; map<string, A> m = 4; }
message B { message C { bytes raw = 1; } }
"""
DECODER = ProtobufDecoder(TEXT, (), 10)


def refusal(raw: bytes, decoder: ProtobufDecoder = DECODER) -> Reject:
    assert decoder.many([raw], 0) is None
    with pytest.raises(Reject) as caught:
        decoder.one(raw, 0)
    return caught.value


def test_the_index_says_which_message_it_is() -> None:
    empty = {"n": 0, "s": "", "a": None, "m": {}}
    assert DECODER.one(b"12345\0\x08\x07", 5) == empty | {"n": 7}
    assert DECODER.one(b"\2\0\x08\x07", 0) == empty | {"n": 7}  # the same, written out
    assert DECODER.one(b"\4\2\0\x0a\x01x", 0) == {"raw": b"x"}
    assert DECODER.many([b"\0", b"\4\2\0"], 0) == [empty, {"raw": b""}]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "ends too early"),
        (b"\2", "ends too early"),
        (b"\2\6", "no message of its index"),
        (b"\4\0\0", "no message of its index"),  # the entries of a map
        (b"\1", "out of range"),
        (b"\xfe\xff\xff\xff\x0f", "out of range"),
        (b"\0\x08", "no message of its type"),
        (b"\0\x12\x01\xff", "no message of its type"),
        (b"\0\x28\x01", "a field that its schema does not have"),
        (b"\0\x1a\x02\x28\x01", "a field that its schema does not have"),
    ],
)
def test_what_does_not_fit(raw: bytes, message: str) -> None:
    error = refusal(raw)
    assert error.category == "malformed"
    assert message in error.message


def nested(levels: int) -> bytes:
    raw = b""
    for _ in range(levels):
        size = len(raw)
        raw = (
            b"\x1a" + (bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])) + raw
        )
    return raw


def test_nesting_is_bounded() -> None:
    assert refusal(b"\0" + nested(11)).category == "too_deep"
    assert DECODER.one(b"\0" + nested(8), 0)["a"] is not None
    deep = ProtobufDecoder(TEXT, (), 10_000)
    assert "nested too deep" in refusal(b"\0" + nested(500), deep).message


def test_a_schema_that_cannot_be_read() -> None:
    with pytest.raises(Unusable):
        ProtobufDecoder("message A { B b = 1; }", (), 10)


@given(st.binary(max_size=30))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        value = DECODER.one(raw, 0)
    except Reject:
        assert DECODER.many([raw], 0) is None
    else:
        assert DECODER.many([raw], 0) == [value]


EDITION = """edition = "2023"; package p; option features.field_presence = IMPLICIT;
message M {
  int32 a = 1;
  int32 b = 2 [features.field_presence = EXPLICIT];
  N n = 3 [features.message_encoding = DELIMITED];
  E closed = 4;
  repeated int32 expanded = 5 [features.repeated_field_encoding = EXPANDED];
  repeated int32 packed = 6;
  message N { string s = 1; }
  enum E { option features.enum_type = CLOSED; ZERO = 0; ONE = 1; }
}"""


def test_an_edition_is_read_by_its_features() -> None:
    """Bytes as the specification of the wire format has them: 1b and 1c enclose field 3 as a group."""
    decoder = ProtobufDecoder(EDITION, (), 10)
    empty: dict[str, Any] = {
        "a": 0,
        "b": None,
        "n": None,
        "closed": "ZERO",
        "expanded": [],
        "packed": [],
    }
    assert decoder.one(b"\0", 0) == empty
    assert decoder.one(b"\0\x10\0", 0) == {**empty, "b": 0}
    assert decoder.one(b"\0\x1b\x0a\x01x\x1c", 0) == {**empty, "n": {"s": "x"}}
    assert decoder.one(b"\0\x20\x01", 0) == {**empty, "closed": "ONE"}
    many = {**empty, "expanded": [1, 2], "packed": [1, 2]}
    assert decoder.one(b"\0\x28\x01\x28\x02\x32\x02\x01\x02", 0) == many
    assert decoder.one(b"\0\x30\x01\x30\x02\x2a\x02\x01\x02", 0) == many  # the other way round
    assert "its schema does not have" in refusal(b"\0\x20\x07", decoder).message


def test_what_a_schema_requires_must_be_there() -> None:
    text = "message M { optional N n = 1; message N { required int32 a = 1; } }"
    decoder = ProtobufDecoder(text, (), 10)
    assert decoder.one(b"\0\x0a\x02\x08\x05", 0) == {"n": {"a": 5}}
    assert decoder.one(b"\0", 0) == {"n": None}
    assert refusal(b"\0\x0a\0", decoder).message == "it lacks what its schema requires: n.a"


def test_extensions_have_the_names_that_json_gives_them() -> None:
    text = (
        "package p; message M { optional int32 a = 1; extensions 100 to max; } "
        "extend M { optional string s = 100; repeated int32 r = 101; optional M m = 102; }"
    )
    decoder = ProtobufDecoder(text, (), 10)
    empty: dict[str, Any] = {"a": None, "[p.s]": None, "[p.r]": [], "[p.m]": None}
    assert decoder.one(b"\0", 0) == empty
    raw = b"\0\xa2\x06\x01x\xa8\x06\x07\xb2\x06\x02\x08\x03"
    assert decoder.one(raw, 0) == {
        "a": None,
        "[p.s]": "x",
        "[p.r]": [7],
        "[p.m]": {**empty, "a": 3},
    }


def test_names_that_methods_of_messages_have() -> None:
    text = (
        "message M { optional int32 HasField = 1; optional int32 ByteSize = 2; "
        "repeated int32 Extensions = 3; optional int32 DiscardUnknownFields = 4; extensions 9; "
        "required int32 IsInitialized = 5; message FromString {} } extend M { optional int32 x = 9; }"
    )
    values = ProtobufDecoder(text, (), 10).one(b"\0\x10\x07\x28\x01\x48\x02", 0)
    assert (values["HasField"], values["ByteSize"], values["[x]"]) == (None, 7, 2)


def test_a_message_that_is_only_called_like_one_of_protobuf_is_read_as_it_is() -> None:
    text = "package google.protobuf; message Timestamp { optional string text = 1; }"
    assert ProtobufDecoder(text, (), 10).one(b"\0\x0a\x01x", 0) == {"text": "x"}
