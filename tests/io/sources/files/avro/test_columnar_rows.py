"""Records of Avro that are not made yet are those that are made one by one, with the same bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sources.files.avro.columnar_rows import ESCAPED, FEWEST, around, columnar_of
from sources.files.avro.columns import rows_of
from sources.files.avro.decoder import Decoder

INNER = {
    "type": "record",
    "name": "inner",
    "fields": [{"name": "k", "type": "long"}, {"name": "s", "type": ["null", "string"]}],
}
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 7}
ENUM = {"type": "enum", "name": "e", "symbols": ["a", "b" * 500]}
CASES: list[tuple[Any, list[Any]]] = [
    ("long", [0, -(2**63), 2**63 - 1]),
    ("boolean", [True, False]),
    ("double", [0.1, float("nan"), float("-inf"), 1e300]),
    ("string", ["", "\0\x01\\", "é\u2028", '"']),
    (["null", "string"], [None, "a"]),
    (["string", "long"], [{"b0": "a"}, {"b1": 7}]),
    ("bytes", [b"", b"\xff" * 9]),
    (DECIMAL, [b"\x01", b"\xff\x00", b""]),
    ({"type": "long", "logicalType": "timestamp-micros"}, [0, -1, 2**62, 1_764_244_800_000_001]),
    ({"type": "int", "logicalType": "date"}, [0, -719_163, 2**31 - 1]),
    ({"type": "long", "logicalType": "time-micros"}, [0, 86_399_999_999, 86_400_000_000, -1]),
    (ENUM, ["a", "b" * 500]),
    (INNER, [{"k": 1, "s": None}, {"k": 2, "s": "\x02"}]),
]


def decoder(schema: Any) -> Decoder:
    fields = [{"name": "id", "type": "long"}, {"name": "c", "type": schema}]
    return Decoder(json.dumps({"type": "record", "name": "r", "fields": fields}).encode())


def records(values: list[Any]) -> list[dict[str, Any]]:
    return [{"id": number, "c": values[number % len(values)]} for number in range(FEWEST)]


@pytest.mark.parametrize(("schema", "values"), CASES)
def test_rows_and_their_bytes_are_those_that_are_made_one_by_one(
    schema: Any, values: list[Any]
) -> None:
    by_schema = decoder(schema)
    for some in (values, *([value] for value in values)):
        stored = records(some)
        exact = rows_of(stored, by_schema.shapes, by_schema.encoder, recursive=False)
        whole = columnar_of(stored, by_schema.shapes, by_schema.encoder, 0)
        if exact.faults:
            assert whole is None
            continue
        assert whole is not None
        assert repr(list(whole[0])) == repr(exact.values)
        assert repr(whole[0][1]) == repr(exact.values[1])
        assert list(whole[1]) == exact.raws
        assert by_schema.around is not None
        data = max(len(str(value).encode()) for value in some) + 20
        assert max(map(len, exact.raws)) <= ESCAPED * data + by_schema.around


@pytest.mark.parametrize("where", ["string", INNER])
def test_text_that_is_no_utf_8_is_left_to_the_other_way(where: Any) -> None:
    value: Any = "\udcff" if where == "string" else {"k": 1, "s": "\udcff"}
    by_schema = decoder(where)
    stored = records([value])
    assert columnar_of(stored, by_schema.shapes, by_schema.encoder, 0) is None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": "long"},
        {"type": "map", "values": "long"},
        ["null", {"type": "array", "items": "long"}],
        {"type": "record", "name": "n", "fields": [{"name": "m", "type": ["null", "r"]}]},
    ],
)
def test_rows_whose_bytes_have_no_bound_are_left_to_the_other_way(schema: Any) -> None:
    by_schema = decoder(schema)
    assert around(by_schema.shapes, by_schema.encoder) is None


def test_few_records_are_left_to_the_other_way() -> None:
    by_schema = decoder("long")
    assert columnar_of(records([1])[1:], by_schema.shapes, by_schema.encoder, 0) is None
