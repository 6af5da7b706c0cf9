"""What is checked in columns is what is checked record by record: who passes, and what is said of the others."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transforms.parse.columns.test_json_columns import (
    FORMS,
    GOOD,
    HOSTILE,
    TYPES,
    batch,
    record,
)
from transforms.batch.record import RecordBatch
from transforms.parse.columns.columnar import Columnar
from transforms.parse.columns.conforming import DOUBTS_SHARE, checked_columns
from transforms.parse.columns.json_columns import FEWEST, Reader
from transforms.parse.parse import ParseConfig, parse
from transforms.parse.validate import column_checks, validate

EXACT = ParseConfig(max_depth=4)
QUICK = replace(EXACT, columns=FORMS)
USUAL = record(dict.fromkeys(TYPES, b"1"))

VALUES = [
    *HOSTILE,
    *(b'"0190a5c4-7f6e-4a3b-9c1d-2f3e4d5c6b7a"', b'"0190A5C4-7F6E-4A3B-9C1D-2F3E4D5C6B7A"'),
    *(b'"2026-02-29"', b'"2026-01-01T00:00:00Z"', b'"2026-01-01T00:00:00"', b'"abc"', b'"abcd"'),
    *(b"0", b"-1", b"0.1", b"99.999999", b"100", b"100.0", b"100.000001", b"1.0", b"false"),
    *(b"0.10000000000000000001", b"100.00000000000000000000001", b"9007199254740993"),
    *(b'{"k":"x"}', b'{"k":1,"m":2}', b"[1]", b'["a"]', b"[[]]"),
]

PARTS: list[Any] = [
    *({}, True, False, {"description": "anything"}),
    *({"type": kind} for kind in ("string", "integer", "number", "boolean", "null", "object")),
    *({"type": "array"}, {"type": ["number", "null"]}, {"type": ["string", "object", "null"]}),
    *({"type": ["integer", "string"]}, {"type": ["array", "boolean"]}),
    *({"type": "number", "minimum": 0}, {"type": ["number", "null"], "maximum": 100}),
    *({"type": "number", "minimum": 0.1, "maximum": 100.0}, {"minimum": -1}, {"maximum": 10**400}),
    *({"type": "integer", "minimum": 1}, {"type": "number", "exclusiveMinimum": 0}),
    *({"type": "number", "multipleOf": 0.5}, {"enum": [1, "x", None]}, {"const": 1}),
    *({"type": "string", "enum": ["x", "abc"]}, {"type": ["string", "null"], "maxLength": 3}),
    *({"type": "string", "format": "uuid"}, {"type": "string", "format": "date-time"}),
    *({"format": "date"}, {"type": "string", "pattern": "^[a-c]*$"}, {"minLength": 2}),
    {"type": "object", "required": ["k"], "properties": {"k": {"type": ["integer", "string"]}}},
    *(
        {"type": "object", "additionalProperties": False},
        {"type": "array", "items": {"type": "integer"}},
    ),
    *({"not": {"type": "string"}}, {"anyOf": [{"type": "null"}, {"minimum": 2}]}),
    {"title": "a number", "type": "number", "default": 0, "examples": [1.5]},
]


def schema_of(parts: dict[str, Any], **more: Any) -> str:
    return json.dumps({"type": "object", "properties": parts, **more})


def outcome(checked: RecordBatch) -> tuple[Any, ...]:
    """All that a later step, or somebody who looks at a dead letter, is told."""
    assert checked.values is not None
    return (
        list(checked.offsets),
        list(checked.raws),
        repr([list(value.items()) for value in checked.values]),
        [replace(failure, stack="") for failure in checked.failures],
        [failure.stack.count("\n") for failure in checked.failures],
    )


def compare(raws: list[bytes], schema: str) -> RecordBatch:
    """Fail unless both ways say the same; returns what the way of columns says."""
    quick = validate(parse(batch(raws), QUICK), schema)
    assert outcome(quick) == outcome(validate(parse(batch(raws), EXACT), schema))
    return quick


@pytest.fixture(autouse=True)
def read_by_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transforms.parse.columns.json_columns._readers", {})
    monkeypatch.setattr(Reader, "may_try", lambda _: True)


@pytest.mark.parametrize("part", PARTS, ids=json.dumps)
def test_any_value_of_any_field_passes_or_is_refused_as_by_itself(part: Any) -> None:
    cells = dict.fromkeys(TYPES, b"1")
    for name in TYPES:
        schema = schema_of({name: part})
        assert column_checks(schema) is not None
        compare([USUAL] * FEWEST + [record({**cells, name: value}) for value in VALUES], schema)


@settings(max_examples=100)
@given(
    st.lists(
        st.fixed_dictionaries(
            dict.fromkeys(TYPES, st.sampled_from([*GOOD, *GOOD, *GOOD, *VALUES]))
        ).map(record),
        max_size=30,
    ),
    st.dictionaries(st.sampled_from([*TYPES, "z"]), st.sampled_from(PARTS), max_size=4),
    st.fixed_dictionaries(
        {},
        optional={
            "required": st.lists(st.sampled_from([*TYPES, "z"]), max_size=3, unique=True),
            "additionalProperties": st.booleans(),
            "$schema": st.sampled_from(
                [
                    "http://json-schema.org/draft-07/schema#",
                    "https://json-schema.org/draft/2020-12/schema",
                ]
            ),
        },
    ),
)
def test_made_up_schemas_say_the_same_of_hostile_records(
    raws: list[bytes], parts: dict[str, Any], more: dict[str, Any]
) -> None:
    compare([USUAL] * FEWEST + raws, schema_of(parts, **more))


def test_good_records_stay_columns_and_the_others_are_told_why() -> None:
    schema = schema_of({"t": {"type": "string"}, "n": {"minimum": 0}}, required=["t"])
    good, bad = ({"a": b"1", "n": n, "t": b'"x"'} for n in (b"1.5", b"-2"))
    raws = [record(good)] * 2 * FEWEST + [record(bad)] + [record(good)]
    checked = compare(raws, schema)
    assert isinstance(checked.values, Columnar)
    assert checked.values.columns["n"] == ["1.5"] * (2 * FEWEST + 1)
    (failure,) = checked.failures
    assert failure.category == "schema"
    assert failure.message == "/n: -2 is less than the minimum of 0"


def test_a_string_in_a_column_of_numbers_is_no_number() -> None:
    schema = schema_of({"n": {"type": "number"}})
    raws = [record({"n": b"1"})] * FEWEST + [record({"n": b'"1"'})]
    (failure,) = compare(raws, schema).failures
    assert failure.message == '/n: "1" is not of type "number"'
    alone = [record({"n": b'"1"'})] * FEWEST
    assert len(compare(alone, schema).failures) == FEWEST


def test_numbers_that_floats_cannot_tell_from_a_bound_are_looked_at() -> None:
    schema = schema_of({"n": {"minimum": 0.1, "maximum": 100}})
    inside, below, above = b"0.1", b"0.09999999999999999999999", b"100.00000000000000000001"
    raws = [record({"n": b"1"})] * FEWEST + [record({"n": n}) for n in (inside, below, above)]
    assert [json.loads(failure.raw) for failure in compare(raws, schema).failures] == [
        json.loads(record({"n": n})) for n in (below, above)
    ]


@pytest.mark.parametrize(
    "document",
    [
        True,
        {"$ref": "#/$defs/event", "$defs": {"event": {"type": "object"}}},
        {"properties": {"t": {"$ref": "#/$defs/t"}}, "$defs": {"t": {"type": "string"}}},
        {"properties": {"t": {"$id": "urn:t", "type": "string"}}},
        {"properties": {"t": {"type": "string"}}, "minProperties": 1},
        {"properties": {"t": {"type": "string"}}, "patternProperties": {"^x": False}},
        {"properties": {"t": {"type": "string"}}, "additionalProperties": {"type": "string"}},
        {"properties": {"t": {"type": "string"}}, "allOf": [{"required": ["t"]}]},
        {"properties": {"t": {"type": "string", "pattern": "(?=a)a"}}},
        {"type": "array"},
    ],
    ids=json.dumps,
)
def test_a_schema_that_says_more_of_a_record_is_left_to_whole_records(document: Any) -> None:
    assert column_checks(json.dumps(document)) is None


def test_many_doubtful_records_are_looked_at_as_a_whole() -> None:
    schema = schema_of({"t": {"type": "string"}})
    good, bad = record({"t": b'"x"'}), record({"t": b"1"})
    few = [good] * (DOUBTS_SHARE - 1) * FEWEST + [bad] * (FEWEST - 1)
    many = [good] * FEWEST + [bad] * FEWEST
    assert isinstance(compare(few, schema).values, Columnar)
    assert not isinstance(compare(many, schema).values, Columnar)


def test_a_field_that_a_record_must_have_and_one_that_it_must_not_have() -> None:
    raws = [record({"t": b'"x"'})] * FEWEST
    assert len(compare(raws, schema_of({}, required=["z"])).failures) == FEWEST
    assert len(compare(raws, schema_of({}, additionalProperties=False)).failures) == FEWEST
    assert not compare(raws, schema_of({"t": {}}, additionalProperties=False)).failures


def test_of_records_that_lack_the_same_field_each_is_told_what_else_is_wrong_with_it() -> None:
    schema = schema_of({"n": {"minimum": 0}, "t": {"type": "string"}}, required=["y", "t", "z"])
    fine, low = (record({"n": n, "t": b'"x"'}) for n in (b"1", b"-2"))
    failures = compare([fine] * FEWEST + [low] + [fine], schema).failures
    lacks = '"y" is a required property; "z" is a required property'
    assert [failure.message for failure in failures] == [
        *[lacks] * FEWEST,
        f"{lacks}; /n: -2 is less than the minimum of 0",
        lacks,
    ]


def test_no_records_lack_nothing() -> None:
    checks = column_checks(schema_of({}, required=["z"]))
    none = Columnar({"n": []}, 0, lambda _: {})
    empty = replace(batch([]), values=none)
    assert checked_columns(empty, none, checks, "validate", lambda value: value) is None
