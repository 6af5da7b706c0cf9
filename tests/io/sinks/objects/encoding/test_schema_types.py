from __future__ import annotations

import json
from typing import Any

import pytest

from sinks.objects.encoding.column_types import (
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    JSON_TEXT,
    LONG_INTEGER,
    TEXT,
    TIMESTAMP,
    ColumnType,
    decimal_of,
    list_of,
    struct_of,
)
from sinks.objects.encoding.schema_types import MOST_FIELDS, types_of
from sinks.table.config import SqlConfig
from sinks.table.schema import new_columns
from transforms.errors import ConfigError


def type_of(
    rule: Any, defs: Any = None, *, open_objects: bool = True, ignoring: bool = False
) -> ColumnType:
    text = json.dumps({"$defs": defs or {}, "properties": {"x": rule}})
    return types_of(text, open_objects=open_objects, ignoring=ignoring)["x"]


ADDRESS = {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest.mark.parametrize(
    ("rule", "column"),
    [
        ({"type": "string"}, TEXT),
        ({"type": "string", "format": "uuid"}, TEXT),
        ({"type": "string", "format": "time"}, TEXT),
        ({"type": "string", "format": "date-time"}, TIMESTAMP),
        ({"type": ["string", "null"], "format": "date"}, DATE),
        ({"type": "integer"}, INTEGER),
        ({"type": "integer", "maximum": 2**63}, LONG_INTEGER),
        ({"type": "number"}, DOUBLE),
        ({"type": "number", "multipleOf": 0.01}, decimal_of(2)),
        ({"type": "number", "multipleOf": 5}, DOUBLE),
        ({"type": "boolean"}, BOOLEAN),
        ({"enum": ["a", "b", None]}, TEXT),
        ({"enum": ["a", 1]}, JSON_TEXT),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, INTEGER),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, JSON_TEXT),
        ({}, JSON_TEXT),
        ({"type": "null"}, JSON_TEXT),
        ({"type": "object"}, JSON_TEXT),
        ({"type": "array"}, JSON_TEXT),
        ({"type": "array", "items": {"type": ["integer", "null"]}}, list_of(INTEGER)),
        ({"type": "array", "prefixItems": [{}], "items": {"type": "integer"}}, JSON_TEXT),
        (ADDRESS, struct_of([("city", TEXT)])),
        ({"type": "array", "items": ADDRESS}, list_of(struct_of([("city", TEXT)]))),
    ],
)
def test_the_type_takes_every_value_that_the_schema_allows(rule: Any, column: ColumnType) -> None:
    assert type_of(rule) == column


def test_references_and_a_null_beside_them_are_looked_through() -> None:
    rule = {"anyOf": [{"$ref": "#/$defs/Address"}, {"type": "null"}]}
    assert type_of(rule, {"Address": ADDRESS}) == struct_of([("city", TEXT)])


def test_parts_of_an_object_that_apply_together_are_one_struct() -> None:
    rule = {**ADDRESS, "allOf": [{"properties": {"zip": {"type": "integer"}}}]}
    assert type_of(rule) == struct_of([("city", TEXT), ("zip", INTEGER)])


@pytest.mark.parametrize(
    "more",
    [
        {"additionalProperties": True},
        {"additionalProperties": {"type": "string"}},
        {"patternProperties": {"^x": {}}},
        {"oneOf": [ADDRESS, {"required": ["city"]}]},
        {"if": {}},
    ],
)
def test_an_object_whose_fields_are_not_all_named_is_text(more: Any) -> None:
    assert type_of({**ADDRESS, **more}) == JSON_TEXT


def test_where_unknown_fields_are_kept_only_a_closed_object_is_a_struct() -> None:
    closed = {**ADDRESS, "additionalProperties": False}
    assert type_of(ADDRESS, open_objects=False) == JSON_TEXT
    assert type_of(closed, open_objects=False) == struct_of([("city", TEXT)])


def test_a_struct_knows_whether_it_leaves_out_further_fields() -> None:
    assert type_of(ADDRESS, ignoring=True).ignoring


def test_an_object_within_itself_is_text() -> None:
    node = {"type": "object", "properties": {"kid": {"$ref": "#/$defs/Node"}}}
    assert type_of({"$ref": "#/$defs/Node"}, {"Node": node}) == struct_of([("kid", JSON_TEXT)])


def test_very_deep_and_very_wide_objects_are_text() -> None:
    deep: Any = {"type": "integer"}
    for _ in range(100):
        deep = {"type": "object", "properties": {"x": deep}}
    levels = 0
    column = type_of(deep)
    while column.fields:
        column = column.fields[0][1]
        levels += 1
    assert (levels, column) == (11, JSON_TEXT)
    names = {f"f{i}": {"type": "integer"} for i in range(MOST_FIELDS + 1)}
    assert type_of({"type": "object", "properties": names}) == JSON_TEXT


def test_columns_keep_the_order_of_the_schema() -> None:
    text = json.dumps({"properties": {"b": {}, "a": {}}, "allOf": [{"properties": {"c": {}}}]})
    assert list(types_of(text, open_objects=True, ignoring=False)) == ["b", "a", "c"]


def test_a_schema_without_properties_makes_no_columns() -> None:
    with pytest.raises(ConfigError, match="no properties"):
        types_of("{}", open_objects=True, ignoring=False)


def test_types_are_those_of_the_table_that_the_schema_makes() -> None:
    rules: dict[str, Any] = {
        "text": {"type": "string"},
        "uuid": {"type": "string", "format": "uuid"},
        "time": {"type": "string", "format": "time"},
        "timestamp": {"type": "string", "format": "date-time"},
        "date": {"type": ["null", "string"], "format": "date"},
        "integer": {"type": "integer", "minimum": -(2**63)},
        "long": {"type": "integer", "minimum": -(2**64)},
        "numeric": {"type": "number"},
        "boolean": {"type": "boolean"},
        "either": {"type": ["string", "boolean"]},
        "texts": {"anyOf": [{"type": "string", "format": "date"}, {"type": "string"}]},
        "object": {"type": "object"},
    }
    text = json.dumps({"properties": rules})
    columns = new_columns(SqlConfig.of("sqlite://", "t", key=["text"], schema=text))
    same = {
        "text": TEXT,
        "uuid": TEXT,
        "time": TEXT,
        "timestamp": TIMESTAMP,
        "date": DATE,
        "integer": INTEGER,
        "boolean": BOOLEAN,
        "json": JSON_TEXT,
    }
    expected = {column.name: same.get(column.type) for column in columns}
    types = types_of(text, open_objects=True, ignoring=False)
    assert types == {**expected, "long": LONG_INTEGER, "numeric": DOUBLE}
