from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from transforms.errors import Reject
from transforms.parse.patterns import MOST_STEPS
from transforms.parse.registry.json_bodies import JsonDecoder, validator
from transforms.parse.registry.schema import Unusable

NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def decoder(schema: Any, **references: Any) -> JsonDecoder:
    named = {name.replace("_", "."): json.dumps(each) for name, each in references.items()}
    return JsonDecoder(1_000_000, 10, validator(json.dumps(schema), [*named.items()]))


def refusal(subject: JsonDecoder, value: Any, *, quotes: bool = True) -> Reject:
    raw = json.dumps(value).encode()
    assert subject.many([b"{}" if value else b"x", raw], 0) is None
    with pytest.raises(Reject) as refused:
        subject.one(raw, 0, quotes=quotes)
    return refused.value


def accepts(subject: JsonDecoder, value: Any) -> bool:
    raw = b"12345" + json.dumps(value).encode()
    if subject.many([raw], 5) != [value]:
        return False
    return bool(subject.one(raw, 5) == value)


def test_numbers_are_exact() -> None:
    decoder = JsonDecoder(1_000, 10)
    raw = b'12345{"n": 0.10000000000000000001}'
    assert decoder.one(raw, 5) == {"n": Decimal("0.10000000000000000001")}
    assert decoder.many([raw, b'12345{"n": 1}'], 5) == [decoder.one(raw, 5), {"n": 1}]
    assert decoder.one(b'"a key"', 0) == "a key"


def test_bounds_are_those_of_json() -> None:
    decoder = JsonDecoder(10, 2)
    assert decoder.many([b"[" * 3 + b"]" * 3], 0) is None
    with pytest.raises(Reject, match="nested 3 levels"):
        decoder.one(b"[" * 3 + b"]" * 3, 0)
    with pytest.raises(Reject, match="limit 10"):
        decoder.one(b'"' + b"a" * 20 + b'"', 0)


def test_what_does_not_conform_is_refused_with_its_reason() -> None:
    subject = decoder(NUMBER)
    assert accepts(subject, {"n": 1, "more": "x"})
    assert subject.many([b'{"n": 1}', b'{"n": 1.5}'], 0) is None
    error = refusal(subject, {"n": "secret"})
    assert error.category == "schema"
    assert error.message == '/n: "secret" is not of type "integer"'
    assert refusal(subject, {}).category == "schema"


def test_a_value_is_quoted_only_where_it_may_be() -> None:
    error = refusal(decoder(NUMBER), {"n": "secret"}, quotes=False)
    assert (error.message, error.category) == ("the message does not conform to it", "schema")


def test_formats_say_nothing() -> None:
    for draft in (
        "http://json-schema.org/draft-07/schema#",
        "https://json-schema.org/draft/2020-12/schema",
    ):
        dated = {"$schema": draft, "properties": {"at": {"type": "string", "format": "date-time"}}}
        assert accepts(decoder(dated), {"at": "yesterday"})


def test_a_pattern_that_takes_too_long_is_no_answer() -> None:
    subject = decoder({"properties": {"a": {"pattern": r"^(?:(a+)+\1)+$"}}})
    raw = json.dumps({"a": "a" * (MOST_STEPS // 100) + "b"}).encode()
    assert subject.many([raw], 0) is None
    with pytest.raises(Reject) as refused:
        subject.one(raw, 0)
    assert refused.value.category == "pattern_limit"


OF_TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "references"),
    [
        ({"$ref": "a.json"}, {"a_json": OF_TEXT}),
        ({"$ref": "a.json#/definitions/x"}, {"a_json": {"definitions": {"x": OF_TEXT}}}),
        ({"$id": "https://h/dir/root.json", "$ref": "a.json"}, {"a_json": OF_TEXT}),
        ({"$ref": "https://h/a.json"}, {"a_json": {"$id": "https://h/a.json", **OF_TEXT}}),
        ({"$ref": "a.json"}, {"b_json": OF_TEXT, "a_json": {"$ref": "b.json"}}),
        (
            {"$ref": "a.json"},
            {"b_json": OF_TEXT, "a_json": {"$id": "https://h/x/a.json", "$ref": "b.json"}},
        ),
        (
            {
                "$schema": "http://json-schema.org/draft-04/schema#",
                "id": "https://h/r",
                "$ref": "a.json",
            },
            {"a_json": OF_TEXT},
        ),
    ],
)
def test_references_by_their_names_and_addresses(
    schema: Mapping[str, Any], references: Mapping[str, Any]
) -> None:
    root = {name: schema[name] for name in ("$schema", "$id", "id") if name in schema}
    subject = decoder({**root, "properties": {"a": {"$ref": schema["$ref"]}}}, **references)
    assert accepts(subject, {"a": "x"})
    assert refusal(subject, {"a": 1}).category == "schema"


def test_an_address_of_the_whole_name() -> None:
    checked = validator(
        '{"$ref": "https://h/a.json"}', [("https://h/a.json", '{"type": "string"}')]
    )
    assert checked.is_valid("x")
    assert not checked.is_valid(1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not JSON"),
        ('"text"', "must be an object"),
        ('{"type": "whole"}', "not a valid JSON Schema"),
        ('{"$ref": "http://127.0.0.1:1/a.json"}', "not among the references"),
        ('{"$schema": "http://h/own"}', "Unknown meta-schema"),
    ],
)
def test_a_schema_that_is_of_no_use_says_why(text: str, reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        validator(text, ())


def test_a_reference_that_is_of_no_use_says_why() -> None:
    with pytest.raises(Unusable, match="not JSON"):
        validator("{}", [("a.json", "{")])


@pytest.mark.parametrize("text", ["{}", '{"$ref": "a.json"}'])
def test_a_reference_that_refers_elsewhere_says_so(text: str) -> None:
    with pytest.raises(Unusable, match=re.escape("https://h/b.json")):
        validator(text, [("a.json", '{"$ref": "https://h/b.json"}')])


def test_references_with_too_many_addresses() -> None:
    references = [(f"{n}.json", json.dumps({"$id": f"https://h/{n}/x"})) for n in range(200)]
    with pytest.raises(Unusable, match="too many"):
        validator("{}", references)
