from __future__ import annotations

import random
from collections.abc import Sequence
from struct import error as StructError
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transforms.parse.avro.types import typed, written
from transforms.parse.avro.columns import FEW, MANY, Columns
from transforms.parse.avro.program import compiled

BAD = (ValueError, IndexError, StructError, ArithmeticError)

RECORD: Any = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "one", "type": ["null", "string", {"type": "array", "items": "int"}]},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "by", "type": {"type": "map", "values": ["double", "null"]}},
        {"name": "in", "type": {"type": "record", "name": "I", "fields": []}},
        {"name": "last", "type": {"type": "fixed", "name": "F", "size": 2}},
    ],
}


def row(number: int) -> dict[str, Any]:
    """A record in which much depends on its number."""
    return {
        "id": f"{number:04}" + "ä" * (number % 7 == 0),
        "at": number * 10**9,
        "one": (None, "text", [], [number, -number])[number % 4],
        "tags": [str(number)] * (number % 5 if number % 50 else 60),
        "by": {f"k{place}": None if place else number / 8 for place in range(number % 3)},
        "in": {},
        "last": b"%2d" % (number % 100),
    }


class Both:
    """Reads messages of a schema together, and one by one."""

    def __init__(self, schema: Any) -> None:
        names: dict[str, Any] = {}
        parsed = fastavro.parse_schema(schema, names)
        self._columns, self._read = Columns(parsed, names, 100), compiled(parsed, names, 100)

    def __call__(
        self, raws: Sequence[bytes], at: int = 0
    ) -> tuple[list[Any] | None, list[Any] | None]:
        """What the messages become together, and one by one; None if one does not fit."""
        try:
            return self._columns.values(raws, at), self._singles(raws, at)
        except BAD:
            return None, self._singles(raws, at)

    def _singles(self, raws: Sequence[bytes], at: int) -> list[Any] | None:
        values = []
        try:
            for raw in raws:
                value, end = self._read(raw, at, 0)
                if end != len(raw):
                    return None
                values.append(value)
        except BAD:
            return None
        return values


BOTH = Both(RECORD)
ROWS = [written(RECORD, row(number)) for number in range(MANY + 300)]


@pytest.mark.parametrize("count", [1, FEW, MANY + 300])
def test_the_values_are_those_of_single_messages(count: int) -> None:
    together, single = BOTH(ROWS[:count])
    assert together is not None
    assert single is not None
    assert together == single
    assert [list(map(type, value.values())) for value in together] == [
        list(map(type, value.values())) for value in single
    ]


LOGICAL = [
    {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
    {"type": "fixed", "name": "D", "size": 4, "logicalType": "decimal", "precision": 9, "scale": 2},
    {"type": "int", "logicalType": "date"},
    {"type": "int", "logicalType": "time-millis"},
    {"type": "long", "logicalType": "time-micros"},
    *(
        {"type": "long", "logicalType": f"{local}timestamp-{unit}"}
        for local in ("", "local-")
        for unit in ("millis", "micros", "nanos")
    ),
    {"type": "string", "logicalType": "uuid"},
    {"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"},
    {"type": "fixed", "name": "P", "size": 12, "logicalType": "duration"},
]


@pytest.mark.parametrize("schema", LOGICAL, ids=lambda schema: "-".join(map(str, schema.values())))
def test_logical_types_are_those_of_single_messages(schema: dict[str, Any]) -> None:
    stored = {**schema, "logicalType": None}
    kind, size = schema["type"], schema.get("size", 4)
    values: list[Any] = [number * 1_000 for number in range(FEW)]
    if kind == "fixed":
        values = [bytes([number]) * size for number in range(FEW)]
    elif kind in ("bytes", "string"):
        values = [bytes([number]) * (number % size) for number in range(FEW)]
        values = values if kind == "bytes" else [value.decode() for value in values]
    raws = [written(stored, value) for value in values]
    together, single = Both(schema)(raws)
    assert together is not None
    assert together == single
    assert set(map(type, together)) == set(map(type, single or ()))


def test_bodies_begin_behind_a_head() -> None:
    raws = [b"12345" + raw for raw in ROWS[:100]]
    assert BOTH(raws, 5) == BOTH(ROWS[:100])


def test_large_messages_are_read_in_parts() -> None:
    raws = [written("bytes", bytes([number]) * 300_000) for number in range(9)]
    values = [bytes([number]) * 300_000 for number in range(9)]
    assert Both("bytes")(raws) == (values, values)


def test_one_message_that_is_cut_or_goes_on_anywhere() -> None:
    for number in (3, 47):
        whole = ROWS[number]
        for part in (*(whole[:end] for end in range(len(whole))), whole + b"\0"):
            assert BOTH([*ROWS[:number], part, *ROWS[number + 1 : FEW]]) == (None, None)


def test_an_array_that_would_go_on_into_the_messages_behind_it() -> None:
    claims = written("long", 2**62)
    for items in ("int", {"type": "fixed", "name": "F", "size": 1}):
        schema = {"type": "array", "items": items}
        assert Both(schema)([claims + b"\1"] * 1_000) == (None, None)


def test_bytes_that_are_changed_are_read_or_refused_as_by_themselves() -> None:
    chance = random.Random(7)
    read = refused = 0
    for _ in range(120):
        raws = ROWS[: FEW * 2]
        number = chance.randrange(len(raws))
        changed = bytearray(raws[number])
        changed[chance.randrange(len(changed))] = chance.choice((0, 1, 2, 127, 128, 255))
        raws[number] = bytes(changed)
        together, single = BOTH(raws)
        assert repr(together) == repr(single)
        read, refused = read + (single is not None), refused + (single is None)
    assert read > 10
    assert refused > 10


def test_records_that_nest_too_deep() -> None:
    names: dict[str, Any] = {}
    inner: Any = {"type": "record", "name": "B", "fields": []}
    outer = {"type": "record", "name": "A", "fields": [{"name": "b", "type": inner}]}
    parsed = fastavro.parse_schema(outer, names)
    assert Columns(parsed, names, 2).values([b""] * FEW, 0) == [{"b": {}}] * FEW
    with pytest.raises(RecursionError):
        Columns(parsed, names, 1)


@settings(max_examples=40)
@given(st.data())
def test_any_values_of_any_type(data: st.DataObject) -> None:
    schema, values = data.draw(typed())
    few = data.draw(st.lists(values, min_size=1, max_size=4))
    raws = [written(schema, value) for value in few] * FEW
    together, single = Both(schema)(raws)
    assert repr(together) == repr(single)
    assert single is not None


@settings(max_examples=40)
@given(st.data(), st.lists(st.binary(max_size=12), min_size=1, max_size=3))
def test_any_bytes_are_read_or_refused(data: st.DataObject, raws: list[bytes]) -> None:
    schema, _ = data.draw(typed())
    together, single = Both(schema)(raws * FEW)
    assert repr(together) == repr(single)
