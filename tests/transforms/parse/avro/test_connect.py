"""The types that Connect and Debezium name beside those of Avro."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from tests.transforms.parse.avro.types import written
from transforms.errors import Reject
from transforms.parse.avro.columns import FEW
from transforms.parse.avro.connect import has_no_zone, meaning
from transforms.parse.avro.decoder import AvroDecoder
from transforms.parse.avro.json_schema import json_schema_of

CONNECT, DEBEZIUM = "org.apache.kafka.connect.data.", "io.debezium.time."
VARIABLE = {
    "type": "record",
    "name": "VariableScaleDecimal",
    "namespace": "io.debezium.data",
    "fields": [{"name": "scale", "type": "int"}, {"name": "value", "type": "bytes"}],
}


def named(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "connect.version": 1, "connect.name": name, **more}


CASES = [
    (named("int", f"{DEBEZIUM}Date"), -1, date(1969, 12, 31)),
    (named("int", f"{DEBEZIUM}Time"), 3_723_004, time(1, 2, 3, 4_000)),
    (named("long", f"{DEBEZIUM}MicroTime"), 1, time(0, 0, 0, 1)),
    (named("long", f"{DEBEZIUM}MicroTime"), 86_400_000_000, "24:00:00"),
    (named("long", f"{DEBEZIUM}NanoTime"), 2_999, time(0, 0, 0, 2)),
    (
        named("long", f"{DEBEZIUM}Timestamp"),
        1_704_067_200_001,
        datetime(2024, 1, 1, 0, 0, 0, 1_000),
    ),
    (named("long", f"{DEBEZIUM}MicroTimestamp"), -1, datetime(1969, 12, 31, 23, 59, 59, 999_999)),
    (named("long", f"{DEBEZIUM}NanoTimestamp"), 1_999, datetime(1970, 1, 1, 0, 0, 0, 1)),
    (named("string", f"{DEBEZIUM}ZonedTimestamp"), "2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
    (named("int", f"{CONNECT}Date", logicalType="date"), 1, date(1970, 1, 2)),
    (named("int", f"{CONNECT}Date"), 1, date(1970, 1, 2)),
    (named("int", f"{CONNECT}Time"), 1, time(0, 0, 0, 1_000)),
    (named("long", f"{CONNECT}Timestamp"), 1, datetime(1970, 1, 1, 0, 0, 0, 1_000, UTC)),
    (named("string", "io.debezium.data.Json"), '{"a": 1.10}', {"a": Decimal("1.10")}),
    (named("string", "io.debezium.data.Json"), *["__debezium_unavailable_value"] * 2),
    (
        VARIABLE | {"connect.name": "io.debezium.data.VariableScaleDecimal"},
        {"scale": 3, "value": (-1_500).to_bytes(2, "big", signed=True)},
        Decimal("-1.500"),
    ),
    # What is named like that and stored as something else is what it is stored as.
    (named("string", f"{DEBEZIUM}Date"), "x", "x"),
    (named("long", "io.debezium.data.Json"), 7, 7),
    (
        VARIABLE
        | {"connect.name": "io.debezium.data.VariableScaleDecimal"}
        | {"fields": [{"name": "scale", "type": "int"}]},
        {"scale": 3},
        {"scale": 3},
    ),
]


def decoder(kind: Any) -> AvroDecoder:
    fields = [{"name": "a", "type": ["null", kind]}, {"name": "b", "type": kind}]
    if isinstance(kind, dict) and kind["type"] == "record":
        fields[1]["type"] = f"{kind['namespace']}.{kind['name']}"  # by its name, as later ones are
    return AvroDecoder(json.dumps({"type": "record", "name": "R", "fields": fields}), (), 100)


def plain(kind: Any, stored: Any) -> bytes:
    """``stored`` twice, as a value of a type without its names."""
    bare = {
        name: part for name, part in kind.items() if name not in ("connect.name", "logicalType")
    }
    raw = written(bare, stored)
    return b"\2" + raw + raw


@pytest.mark.parametrize(("kind", "stored", "expected"), CASES)
def test_each_type_alone_and_among_many(kind: Any, stored: Any, expected: Any) -> None:
    raw = plain(kind, stored)
    value = decoder(kind).one(raw, 0)
    assert value == {"a": expected, "b": expected}
    assert type(value["b"]) is type(expected)
    assert decoder(kind).many([raw] * (FEW + 1), 0) == [value] * (FEW + 1)
    if isinstance(expected, Decimal):
        assert value["a"].as_tuple() == expected.as_tuple()


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        (named("string", "io.debezium.data.Json"), "{"),
        (named("int", f"{DEBEZIUM}Time"), -1),
        (
            VARIABLE | {"connect.name": "io.debezium.data.VariableScaleDecimal"},
            {"scale": 2**31 - 1, "value": b"\1"},
        ),
        (
            VARIABLE | {"connect.name": "io.debezium.data.VariableScaleDecimal"},
            {"scale": 0, "value": b"\1" * 5_000},
        ),
    ],
)
def test_what_does_not_fit_is_refused(kind: Any, stored: Any) -> None:
    raw = plain(kind, stored)
    assert decoder(kind).many([raw], 0) is None
    with pytest.raises(Reject):
        decoder(kind).one(raw, 0)


def test_zones() -> None:
    assert has_no_zone(named("long", f"{DEBEZIUM}MicroTimestamp"))
    assert has_no_zone({"type": "long", "logicalType": "local-timestamp-micros"})
    assert not has_no_zone(named("long", f"{CONNECT}Timestamp"))
    assert not has_no_zone(named("long", f"{CONNECT}Timestamp", logicalType="timestamp-millis"))
    assert meaning(named("string", "other")) is None


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (named("long", f"{DEBEZIUM}MicroTimestamp"), {"type": "string"}),
        (named("int", f"{DEBEZIUM}Date"), {"type": "string", "format": "date"}),
        (named("long", f"{CONNECT}Timestamp"), {"type": "string", "format": "date-time"}),
        (VARIABLE | {"connect.name": "io.debezium.data.VariableScaleDecimal"}, {"type": "number"}),
    ],
)
def test_columns_of_a_table(kind: Any, expected: Any) -> None:
    text = json.dumps({"type": "record", "name": "R", "fields": [{"name": "a", "type": kind}]})
    assert json_schema_of(text, ())["properties"]["a"] == expected


def test_json_may_be_anything() -> None:
    kind = ["null", named("string", "io.debezium.data.Json")]
    text = json.dumps({"type": "record", "name": "R", "fields": [{"name": "a", "type": kind}]})
    types = json_schema_of(text, ())["properties"]["a"]["type"]
    assert {"object", "array", "string", "number", "boolean", "null"} == set(types)
