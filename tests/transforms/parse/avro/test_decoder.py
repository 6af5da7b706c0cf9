from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transforms.parse.avro.types import typed, written
from transforms.errors import Reject
from transforms.parse.avro.decoder import AvroDecoder
from transforms.parse.registry.schema import Unusable

ORDER = {
    "type": "record",
    "name": "Order",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "name", "type": "string"},
        {"name": "note", "type": ["null", "string"]},
    ],
}


def decoder(schema: Any, *references: Any, max_depth: int = 100) -> AvroDecoder:
    return AvroDecoder(json.dumps(schema), list(map(json.dumps, references)), max_depth)


GOOD = written(ORDER, {"id": 1, "name": "ä", "note": None})


def refusal(subject: AvroDecoder, raw: bytes, *, quotes: bool = True) -> Reject:
    assert subject.many([raw], 0) is None
    with pytest.raises(Reject) as caught:
        subject.one(raw, 0, quotes=quotes)
    return caught.value


def test_it_begins_where_it_is_told_to() -> None:
    subject = decoder(ORDER)
    assert subject.one(b"12345" + GOOD, 5) == {"id": 1, "name": "ä", "note": None}
    assert subject.many([b"12345" + GOOD] * 2, 5) == [{"id": 1, "name": "ä", "note": None}] * 2


def test_bytes_that_do_not_fit_say_why() -> None:
    subject = decoder(ORDER)
    for end in range(len(GOOD)):
        error = refusal(subject, GOOD[:end])
        assert error.category == "malformed"
        assert "the message ends too early" in error.message
    assert refusal(subject, GOOD + b"ab").message == "2 bytes are left over"
    assert refusal(subject, GOOD.replace(b"\xc3", b"\xff")).message == "a text is not UTF-8"


def test_a_value_is_quoted_only_where_it_may_be() -> None:
    time = {"type": "int", "logicalType": "time-millis"}
    schema = {"type": "record", "name": "R", "fields": [{"name": "t", "type": time}]}
    raw = written(schema | {"fields": [{"name": "t", "type": "int"}]}, {"t": 99_999_999})
    assert "99,999,999" in refusal(decoder(schema), raw).message
    assert refusal(decoder(schema), raw, quotes=False).message == "a value cannot be read"


def test_types_that_contain_themselves_are_bounded() -> None:
    schema = {
        "type": "record",
        "name": "L",
        "fields": [{"name": "next", "type": ["null", {"type": "array", "items": "L"}]}],
    }
    shallow = b"\2\2\0\0"
    assert decoder(schema).one(shallow, 0) == {"next": [{"next": None}]}
    assert decoder(schema, max_depth=3).one(shallow, 0) == {"next": [{"next": None}]}
    assert refusal(decoder(schema, max_depth=2), shallow).category == "too_deep"
    assert refusal(decoder(schema), b"\2\2" * 100_000).category == "too_deep"


def test_references_are_there_before_what_refers_to_them() -> None:
    money = {"type": "fixed", "name": "shop.Money", "size": 2}
    price = {"type": "record", "name": "shop.Price", "fields": [{"name": "m", "type": "Money"}]}
    schema = {"type": "record", "name": "O", "fields": [{"name": "p", "type": "shop.Price"}]}
    assert decoder(schema, money, price).one(b"ab", 0) == {"p": {"m": b"ab"}}


@pytest.mark.parametrize(
    "text",
    ["{", '"unheard"', '{"type": "array", "items": "null"}', "[]" * 2, "7", '{"type": "record"}'],
)
def test_schemas_that_are_of_no_use(text: str) -> None:
    with pytest.raises(Unusable):
        AvroDecoder(text, (), 100)


def test_a_schema_that_is_nested_beyond_reason() -> None:
    with pytest.raises(Unusable):
        AvroDecoder('{"type": "array", "items": ' * 5_000 + '"int"' + "}" * 5_000, (), 100)


@given(st.data())
def test_any_value_is_what_fastavro_has_written(data: st.DataObject) -> None:
    schema, values = data.draw(typed())
    value = data.draw(values)
    raw = written(schema, value)
    read = decoder(schema).one(raw, 0)
    assert written(schema, read) == raw
    assert read == value


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    tree = {
        "type": "record",
        "name": "T",
        "fields": [
            {"name": "s", "type": "string"},
            {"name": "of", "type": {"type": "array", "items": "T"}},
            {"name": "m", "type": {"type": "map", "values": ["null", "double", "T"]}},
        ],
    }
    subject = decoder(tree)
    try:
        value = subject.one(raw, 0)
    except Reject:
        assert subject.many([raw], 0) is None
    else:
        assert repr(subject.many([raw], 0)) == repr([value])
