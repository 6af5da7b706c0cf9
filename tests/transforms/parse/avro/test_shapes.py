from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from transforms.errors import ObjectFailed
from transforms.parse.avro.shapes import Shapes


def logical(kind: str, logical_type: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "logicalType": logical_type, **more}


def shapes_of(schema: Any) -> tuple[Shapes, Any]:
    names: dict[str, Any] = {}
    parsed = fastavro.parse_schema(schema, names)
    shapes = Shapes(names)
    return shapes, shapes.of(parsed)


@pytest.mark.parametrize(
    ("schema", "stored", "kind", "value"),
    [
        (logical("int", "date"), 18_262, "date", date(2020, 1, 1)),
        (logical("int", "date"), 2_932_897, "date", "10000-01-01"),
        (logical("int", "time-millis"), 3_723_004, "time", time(1, 2, 3, 4_000)),
        (logical("long", "time-micros"), 86_400_000_000, "time", "24:00:00"),
        (
            logical("long", "timestamp-millis"),
            -1,
            "timestamp",
            datetime(1969, 12, 31, 23, 59, 59, 999_000, UTC),
        ),
        (
            logical("long", "timestamp-micros"),
            1,
            "timestamp",
            datetime(1970, 1, 1, 0, 0, 0, 1, UTC),
        ),
        (
            logical("long", "timestamp-nanos"),
            -1,
            "timestamp",
            datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC),
        ),
        (
            logical("long", "local-timestamp-micros"),
            1,
            "timestamp",
            datetime(1970, 1, 1, 0, 0, 0, 1),
        ),
        (
            logical("bytes", "decimal", precision=5, scale=2),
            b"\xff\x85",
            "decimal",
            Decimal("-1.23"),
        ),
        (
            logical("fixed", "decimal", name="F", size=2, precision=4, scale=4),
            b"\x00\x01",
            "decimal",
            Decimal("0.0001"),
        ),
        (
            logical("fixed", "uuid", name="U", size=16),
            bytes(15) + b"\x01",
            None,
            "00000000-0000-0000-0000-000000000001",
        ),
    ],
)
def test_logical_types_become_values(schema: Any, stored: Any, kind: Any, value: Any) -> None:
    _, shape = shapes_of(schema)
    assert shape.kind == kind
    assert repr(shape.convert(stored)) == repr(value)


@pytest.mark.parametrize(
    ("schema", "stored"),
    [
        (logical("int", "time-millis"), 86_400_001),
        (logical("int", "time-millis"), -1),
        (logical("bytes", "decimal", precision=9), bytes(10_000)),
    ],
)
def test_values_beyond_a_type_are_refused(schema: Any, stored: Any) -> None:
    _, shape = shapes_of(schema)
    with pytest.raises(ValueError, match=r"a (?:time|decimal) of"):
        shape.convert(stored)


def test_types_without_a_logical_type_stay() -> None:
    for schema, kind in [
        ("long", None),
        ("string", None),
        ("double", "float"),
        ("bytes", "bytes"),
        (["null", "bytes"], "bytes"),
        ({"type": "map", "values": "long"}, None),
        ({"type": "map", "values": "bytes"}, ["map", None, "bytes"]),
        ({"type": "array", "items": "float"}, ["list", "float"]),
        (["string", "long"], None),
        (["string", "bytes"], "any"),
    ]:
        assert shapes_of(schema)[1].kind == kind


def test_a_type_that_contains_itself_is_told() -> None:
    tree = {
        "type": "record",
        "name": "T",
        "fields": [
            {"name": "next", "type": ["null", "T"]},
            {"name": "d", "type": logical("int", "date")},
        ],
    }
    shapes, shape = shapes_of(tree)
    assert shapes.recursive
    assert shape.convert({"next": {"next": None, "d": 1}, "d": 0}) == {
        "next": {"next": None, "d": date(1970, 1, 2)},
        "d": date(1970, 1, 1),
    }


def test_a_name_may_be_used_again() -> None:
    inner = {
        "type": "record",
        "name": "I",
        "fields": [{"name": "d", "type": logical("int", "date")}],
    }
    enum = {"type": "enum", "name": "E", "symbols": ["A"]}
    outer = {
        "type": "record",
        "name": "O",
        "fields": [
            {"name": "a", "type": inner},
            {"name": "b", "type": "I"},
            {"name": "e", "type": enum},
            {"name": "f", "type": ["null", "E"]},
        ],
    }
    shapes, shape = shapes_of(outer)
    assert not shapes.recursive
    struct = ["struct", {"d": "date"}]
    assert shape.kind == ["struct", {"a": struct, "b": struct}]


@pytest.mark.parametrize("items", ["null", {"type": "record", "name": "E", "fields": []}])
def test_an_array_of_what_takes_no_bytes_is_refused(items: Any) -> None:
    with pytest.raises(ObjectFailed, match="takes no bytes"):
        shapes_of({"type": "array", "items": items})


def test_a_small_schema_of_many_fields_is_refused() -> None:
    fields: list[Any] = [{"name": "a", "type": logical("int", "date")}]
    schema: Any = {"type": "record", "name": "T0", "fields": fields}
    for level in range(1, 20):
        fields = [{"name": "a", "type": schema}, {"name": "b", "type": f"T{level - 1}"}]
        schema = {"type": "record", "name": f"T{level}", "fields": fields}
    with pytest.raises(ObjectFailed, match="fields"):
        shapes_of(schema)


def test_a_schema_that_is_nested_deep_is_refused() -> None:
    schema: Any = "long"
    for _ in range(250):
        schema = {"type": "array", "items": schema}
    with pytest.raises(ObjectFailed, match="deeper"):
        shapes_of(schema)


def test_repeated_fields_that_take_no_bytes_are_few() -> None:
    fields = [{"name": f"n{n}", "type": "null"} for n in range(5)]
    record = {"type": "record", "name": "E", "fields": [*fields, {"name": "b", "type": "boolean"}]}
    shapes_of(record)
    with pytest.raises(ObjectFailed, match="take no bytes"):
        shapes_of({"type": "map", "values": record})
