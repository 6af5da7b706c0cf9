from __future__ import annotations

import io
from typing import Any

import fastavro
import pytest

from transforms.parse.avro.program import compiled
from transforms.parse.avro.reading import Unfit


def read(schema: Any, data: bytes, deepest: int = 100) -> tuple[Any, int]:
    names: dict[str, Any] = {}
    return compiled(fastavro.parse_schema(schema, names), names, deepest)(data, 0, 0)


def written(schema: Any, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


NESTED: Any = "int"
for _ in range(40):
    NESTED = {"type": "array", "items": NESTED}


def test_arrays_within_arrays_beyond_what_one_function_of_python_takes() -> None:
    value: Any = 7
    for _ in range(40):
        value = [value]
    data = written(NESTED, value)
    assert read(NESTED, data) == (value, len(data))


def test_arrays_and_maps_of_several_blocks() -> None:
    blocks = bytes([2, 2, 1, 4, 4, 0])  # one item; one of a block with its size
    assert read({"type": "array", "items": "int"}, blocks[:3] + bytes([2, 4, 0])) == ([1, 2], 6)
    one = bytes([2, 2]) + b"a" + bytes([2])
    two = bytes([1, 6, 2]) + b"b" + bytes([4])
    assert read({"type": "map", "values": "int"}, one + two + b"\0") == ({"a": 1, "b": 2}, 10)


def test_names_are_no_program_text() -> None:
    name = 'x": 1}; raise SystemExit; {"'
    schema = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}
    names: dict[str, Any] = {}
    parsed: Any = fastavro.parse_schema(schema, names)
    parsed["fields"][0]["name"] = name
    assert compiled(parsed, names, 100)(b"\x02", 0, 0) == ({name: 1}, 1)


def test_records_that_nest_too_deep_are_not_read_on() -> None:
    schema = {
        "type": "record",
        "name": "L",
        "fields": [{"name": "next", "type": ["null", "L"]}],
    }
    assert read(schema, b"\2\2\0") == ({"next": {"next": {"next": None}}}, 3)
    with pytest.raises(RecursionError):
        read(schema, b"\2" * 1_000_000)


@pytest.mark.parametrize(
    ("schema", "data", "message"),
    [
        ("boolean", b"\2", "boolean"),
        (["null", "int"], b"\4\0", "no such branch"),
        (["null", "int"], b"\1\0", "negative"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, b"\2", "no such symbol"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, b"\1", "no such symbol"),
        ("string", b"\1", "negative"),
    ],
)
def test_what_does_not_fit(schema: Any, data: bytes, message: str) -> None:
    with pytest.raises(Unfit, match=message):
        read(schema, data)


def test_bytes_may_seem_to_end_behind_the_end() -> None:
    """The caller compares: a text that is cut short is not read as whole."""
    assert read("string", b"\x0aab") == ("ab", 6)


def test_an_array_does_not_go_on_behind_the_end() -> None:
    """A message of a few bytes may claim any number of items."""
    items = {"type": "fixed", "name": "F", "size": 4}
    claims = b"\xfe" + b"\xff" * 8 + b"\1"
    with pytest.raises(IndexError):
        read({"type": "array", "items": items}, claims + b"abcd")
