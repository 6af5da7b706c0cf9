"""What a schema allows for a property is found wherever the schema says it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from transforms.parse.allowed import ANYTHING, TYPES, Allowed, properties_of

DEFS = {
    "id": {"type": "integer"},
    "a/b": {"type": "number"},
    "my model": {"type": "boolean"},
    "loop": {"$ref": "#/$defs/loop"},
    "far": {"$id": "https://x.test/far.json", "type": "array"},
    "named": {"$anchor": "named", "type": "object"},
}


def allowed(node: Any, **more: Any) -> Allowed:
    """What is allowed for the property ``a`` with the rule ``node``."""
    document = {"properties": {"a": node}, "$defs": DEFS, **more}
    return properties_of(json.dumps(document)).allowed["a"]


class TestTypes:
    @pytest.mark.parametrize(
        ("node", "types"),
        [
            ({"type": "integer"}, {"integer"}),
            ({"type": ["number", "null"]}, {"number", "null"}),
            ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, {"integer", "null"}),
            ({"oneOf": [{"type": "boolean"}, {"type": "null"}]}, {"boolean", "null"}),
            ({"allOf": [{"$ref": "#/$defs/id"}, {"minimum": 0}]}, {"integer"}),
            ({"allOf": [{"type": ["string", "null"]}, {"type": "string"}]}, {"string"}),
            ({"type": "number", "allOf": [{"type": "integer"}]}, {"integer"}),
            ({"type": ["integer", "number"]}, {"number"}),
            ({"anyOf": [{"type": "integer"}, {"type": "number"}]}, {"number"}),
            ({"$ref": "#/$defs/id"}, {"integer"}),
            ({"$ref": "#/$defs/a~1b"}, {"number"}),
            ({"$ref": "#/$defs/my%20model"}, {"boolean"}),
            ({"$ref": "https://x.test/far.json"}, {"array"}),
            ({"$ref": "#named"}, {"object"}),
            ({"anyOf": [{"$ref": "#/$defs/id"}, {"enum": [None]}]}, {"integer", "null"}),
            ({"enum": [1, 2, None]}, {"integer", "null"}),
            ({"enum": [1, 2.5]}, {"number"}),
            ({"type": ["string", "null"], "enum": ["a", "b"]}, {"string"}),
            ({"const": True}, {"boolean"}),
            (False, set()),
        ],
    )
    def test_types_are_found_where_schemas_put_them(self, node: Any, types: set[str]) -> None:
        assert allowed(node).types == types

    @pytest.mark.parametrize(
        "node",
        [
            {"$ref": "#/$defs/loop"},
            {"$ref": "#/nowhere/0"},
            {"minimum": 1},
            {"anyOf": [{"type": "integer"}, {}]},
            {"not": {"type": "string"}},
            True,
        ],
    )
    def test_what_does_not_restrict_types_allows_anything(self, node: Any) -> None:
        assert allowed(node).types == TYPES
        assert allowed(node).anything

    def test_a_reference_is_resolved_against_the_identifier_around_it(self) -> None:
        part = {
            "$id": "https://x.test/part.json",
            "$defs": {"v": {"type": "boolean"}},
            "anyOf": [{"$ref": "#/$defs/v"}],
        }
        more = {"$id": "https://x.test/whole.json", "components": {"part": part}}
        assert allowed({"$ref": "part.json"}, **more).types == {"boolean"}


class TestFormatsAndBounds:
    @pytest.mark.parametrize(
        ("node", "formats"),
        [
            ({"type": "string"}, {""}),
            ({"type": "string", "format": "date"}, {"date"}),
            ({"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}, {"date"}),
            ({"allOf": [{"type": "string"}, {"format": "uuid"}]}, {"uuid"}),
            (
                {"anyOf": [{"type": "string", "format": each} for each in ("date", "time")]},
                {"date", "time"},
            ),
            ({"anyOf": [{"type": "string", "format": "date"}, {"type": "string"}]}, {"date", ""}),
        ],
    )
    def test_formats_are_those_of_strings(self, node: Any, formats: set[str]) -> None:
        assert allowed(node).formats == formats

    def test_all_of_several_bounds_apply_and_one_of_alternatives(self) -> None:
        narrow = {"type": "integer", "minimum": 0, "maximum": 9}
        wide = {"type": "integer", "minimum": -5, "exclusiveMaximum": 2**70}
        both, either = allowed({"allOf": [narrow, wide]}), allowed({"anyOf": [narrow, wide]})
        assert (both.low, both.high) == (0, 9)
        assert (either.low, either.high) == (-5, 2**70)
        assert allowed({"enum": [3, 1, 2]}).low == 1


class TestPropertiesOf:
    def test_the_whole_schema_may_be_a_reference(self) -> None:
        document = {
            "$ref": "#/definitions/row",
            "definitions": {
                "row": {"allOf": [{"properties": {"a": {"type": "integer"}}, "required": ["a"]}]}
            },
        }
        properties = properties_of(json.dumps(document))
        assert properties.allowed == {"a": Allowed(frozenset({"integer"}))}
        assert properties.required == {"a"}

    def test_alternatives_give_all_their_properties_and_require_what_each_requires(self) -> None:
        document = {
            "oneOf": [
                {
                    "properties": {"kind": {"const": "a"}, "x": {"type": "integer"}},
                    "required": ["kind", "x"],
                },
                {
                    "properties": {"kind": {"const": "b"}, "x": {"type": "number"}, "y": True},
                    "required": ["kind"],
                },
            ]
        }
        properties = properties_of(json.dumps(document))
        assert list(properties.allowed) == ["kind", "x", "y"]
        assert properties.allowed["x"].types == {"number"}
        assert properties.allowed["kind"].types == {"string"}
        assert properties.required == {"kind"}

    def test_conditional_properties_are_there_and_not_required(self) -> None:
        document = {
            "properties": {"a": {"type": "string"}},
            "if": {"required": ["a"]},
            "then": {"properties": {"a": {"minLength": 1}, "b": {"type": "boolean"}}},
            "dependentSchemas": {"b": {"properties": {"c": {"type": "null"}}, "required": ["c"]}},
        }
        properties = properties_of(json.dumps(document))
        assert {name: set(rule.types) for name, rule in properties.allowed.items()} == {
            "a": {"string"},
            "b": {"boolean"},
            "c": {"null"},
        }
        assert not properties.required

    def test_a_schema_that_refers_to_itself_is_read_once(self) -> None:
        document = {
            "properties": {"value": {"type": "integer"}, "next": {"$ref": "#"}},
            "allOf": [{"$ref": "#"}],
            "type": "object",
        }
        properties = properties_of(json.dumps(document)).allowed
        assert properties["value"].types == {"integer"}
        assert properties["next"].types == {"object"}

    def test_doubling_references_take_no_exponential_time(self) -> None:
        for keyword in ("allOf", "anyOf"):
            defs: dict[str, Any] = {
                f"d{i}": {keyword: [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(40)
            }
            defs["d40"] = {"type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}}
            document = {"$ref": "#/$defs/d0", "$defs": defs}
            assert properties_of(json.dumps(document)).allowed["a"].types == {"object"}

    def test_subschemas_that_are_nested_without_end_are_left_to_the_validator(self) -> None:
        node: dict[str, Any] = {"type": "integer"}
        for _ in range(300):
            node = {"allOf": [node]}
        assert properties_of(json.dumps({"properties": {"a": node}})).allowed["a"] == ANYTHING

    def test_a_schema_without_properties_names_none(self) -> None:
        assert not properties_of("true").allowed
        assert not properties_of('{"type": "array"}').allowed
