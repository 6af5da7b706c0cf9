from __future__ import annotations

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
