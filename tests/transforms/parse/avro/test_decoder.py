from __future__ import annotations

import io
import json
from itertools import count
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def written(schema: Any, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


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


SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "bytes": st.binary(),
    "string": st.text(st.characters(exclude_categories=["Cs"])),
}


NUMBERS = count()
"""Names of types have to differ; nothing else depends on them."""


@st.composite
def typed(draw: st.DrawFn, depth: int = 0) -> tuple[Any, st.SearchStrategy[Any]]:
    """A type, and values of it."""
    kinds = ["scalar", "enum", "fixed"]
    if depth < 3:
        kinds += ["array", "map", "record", "union"]
    kind = draw(st.sampled_from(kinds))
    name = f"T{next(NUMBERS)}"
    if kind == "scalar":
        scalar = draw(st.sampled_from(sorted(SCALARS)))
        return scalar, SCALARS[scalar]
    if kind == "enum":
        symbols = [f"S{number}" for number in range(draw(st.integers(1, 90)))]
        return {"type": "enum", "name": name, "symbols": symbols}, st.sampled_from(symbols)
    if kind == "fixed":
        size = draw(st.integers(1, 20))
        return {"type": "fixed", "name": name, "size": size}, st.binary(
            min_size=size, max_size=size
        )
    if kind == "union":
        inner, values = draw(typed(depth=9))
        if inner == "null":
            return ["null", "string"], st.none() | SCALARS["string"]
        return ["null", inner], st.none() | values
    inner, values = draw(typed(depth=depth + 1).filter(lambda pair: pair[0] != "null"))
    if kind == "array":
        return {"type": "array", "items": inner}, st.lists(values, max_size=4)
    if kind == "map":
        keys = SCALARS["string"]
        return {"type": "map", "values": inner}, st.dictionaries(keys, values, max_size=4)
    other, more = draw(typed(depth=depth + 1))
    fields = [{"name": "a", "type": inner}, {"name": "b", "type": other}]
    record = {"type": "record", "name": name, "fields": fields}
    return record, st.fixed_dictionaries({"a": values, "b": more})


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
