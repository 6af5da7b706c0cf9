"""A JSON Schema gives a missing table its columns."""

from __future__ import annotations

from typing import Any

import pytest

from sinks.table.config import SqlConfig
from sinks.table.schema import NewColumn, new_columns
from tests.io.sinks.tested_database import Database, make_batch
from transforms.errors import ConfigError


def columns(schema: dict[str, Any] | None, **options: Any) -> list[NewColumn]:
    return list(new_columns(SqlConfig.of("sqlite:///x.db", "t", schema=schema, **options)))


class TestNewColumns:
    @pytest.mark.parametrize(
        ("rule", "kind"),
        [
            ({"type": "string"}, "text"),
            ({"type": "string", "format": "uuid"}, "uuid"),
            ({"type": "string", "format": "date-time"}, "timestamp"),
            ({"type": "string", "format": "date"}, "date"),
            ({"type": "string", "format": "time"}, "time"),
            ({"type": "string", "format": "email"}, "text"),
            ({"type": ["null", "string"]}, "text"),
            ({"enum": ["a", "b"]}, "text"),
            ({"const": "a"}, "text"),
            ({"enum": [1, "a"]}, "json"),
            ({"type": "integer"}, "integer"),
            ({"type": "integer", "maximum": 2**63 - 1}, "integer"),
            ({"type": "integer", "maximum": 2**63}, "numeric"),
            ({"type": "integer", "minimum": -(2**70)}, "numeric"),
            ({"type": ["integer", "number"]}, "numeric"),
            ({"type": "number"}, "numeric"),
            ({"type": "boolean"}, "boolean"),
            ({"type": "array"}, "json"),
            ({"type": "object"}, "json"),
            ({"type": ["string", "integer"]}, "json"),
            ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "integer"),
            ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}, "timestamp"),
            ({"oneOf": [{"type": "boolean"}, {"const": None}]}, "boolean"),
            ({"$ref": "#/$defs/state"}, "text"),
            ({"allOf": [{"$ref": "#/$defs/state"}], "default": "open"}, "text"),
            ({"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}, "uuid"),
            ({"anyOf": [{"type": "number"}, {"type": "null"}]}, "numeric"),
            ({"type": ["string", "null"], "format": "date"}, "date"),
            ({"enum": [1, 2, None]}, "integer"),
            ({"enum": [1, 2.5]}, "numeric"),
            ({"enum": [1, 2**63]}, "numeric"),
            ({"const": True}, "boolean"),
            ({"type": "integer", "exclusiveMaximum": 1e400}, "numeric"),
            ({"allOf": [{"type": "integer"}, {"minimum": -(2**70)}]}, "numeric"),
            # No other type takes both a number and any text.
            ({"anyOf": [{"type": "number"}, {"type": "string"}]}, "json"),
            ({"anyOf": [{"type": "string", "format": "date"}, {"type": "string"}]}, "text"),
            ({"$ref": "#/$defs/node"}, "json"),
            ({"$ref": "#/$defs/loop"}, "json"),
            ({}, "json"),
            (True, "json"),
        ],
    )
    def test_each_type_has_its_column(self, rule: Any, kind: str) -> None:
        defs = {
            "state": {"enum": ["open", "closed"], "type": "string"},
            "node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}},
            "loop": {"$ref": "#/$defs/loop"},
        }
        schema = {"properties": {"a": rule}, "required": ["a"], "$defs": defs}
        (column,) = columns(schema, key=[])[3:]
        assert column.type == kind

    def test_only_what_is_required_and_not_null_is_not_null(self) -> None:
        schema = {
            "properties": {
                "k": {"type": "string"},
                "a": {"type": "string"},
                "b": {"type": ["string", "null"]},
                "c": {"type": "string"},
            },
            "required": ["a", "b"],
        }
        assert [(c.name, c.nullable) for c in columns(schema, key=["k"])] == [
            ("k", False),
            ("a", False),
            ("b", True),
            ("c", True),
        ]

    @pytest.mark.parametrize(
        ("evolve", "properties", "names"),
        [
            ("add", None, ["id", "gone"]),
            ("add", {"id": {}}, ["id", "gone"]),
            ("add", {"gone": {"type": "boolean"}, "id": {}}, ["gone", "id"]),
            ("freeze", {"id": {}}, ["id"]),
        ],
    )
    def test_a_table_that_evolves_gets_the_column_that_marks_its_rows(
        self, evolve: str, properties: dict[str, Any] | None, names: list[str]
    ) -> None:
        created = columns(
            None if properties is None else {"properties": properties},
            key=["id"],
            on_conflict="newest:@position",
            on_delete="mark:gone",
            evolve=evolve,
        )
        assert [column.name for column in created] == names
        assert [column.type for column in created if column.name == "gone"] == ["boolean"] * (
            "gone" in names
        )

    def test_the_schema_itself_may_be_a_reference(self) -> None:
        order = {
            "properties": {"k": {"type": "integer"}, "b": {"type": ["string", "null"]}},
            "required": ["k", "b"],
        }
        schema = {"$ref": "#/$defs/Order", "$defs": {"Order": order}}
        assert columns(schema, key=["k"]) == [
            NewColumn("k", "integer", nullable=False),
            NewColumn("b", "text"),
        ]

    def test_unknown_fields_get_their_column(self) -> None:
        schema = {"properties": {"k": {"type": "string"}}}
        (_, payload) = columns(schema, key=["k"], unknown_fields="payload")
        assert payload == NewColumn("payload", "json")

    @pytest.mark.parametrize(
        ("schema", "message"),
        [
            ({"type": "object"}, "no properties"),
            ({"properties": {"a": {"type": "string"}}}, "no property for the key k"),
            ({"properties": {"k": {"type": "text"}}}, "unknown type 'text'"),
        ],
    )
    def test_a_schema_that_will_not_do_is_refused(
        self, schema: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(ConfigError, match=message):
            columns(schema, key=["k"])


def test_the_table_is_created_and_takes_records(database: Database) -> None:
    schema = {
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "n": {"type": "integer"},
            "amount": {"type": "number"},
            "at": {"type": "string", "format": "date-time"},
            "day": {"type": "string", "format": "date"},
            "ok": {"type": "boolean"},
            "tags": {"type": "array"},
        },
        "required": ["n"],
    }
    sink = database.sink(key=["id"], schema=schema)
    value = {
        "id": "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
        "n": 5,
        "amount": 2,
        "at": "2026-01-01T00:00:00+00:00",
        "day": "2026-01-01",
        "ok": True,
        "tags": ["a"],
    }
    bad = {"id": "00000000-0000-0000-0000-000000000000", "n": None}
    (settled,) = sink.commit([make_batch([value, bad])])
    assert (settled.counts.inserted, len(settled.dead)) == (1, 1)
    ((n, ok),) = database.rows("SELECT n, ok FROM events")
    assert (n, bool(ok)) == (5, True)
    (again,) = sink.commit([make_batch([value], source="other")])
    assert again.counts.duplicates == 1
