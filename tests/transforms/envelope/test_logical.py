"""Values of Connect's JSON converter, read by their schema."""

from __future__ import annotations

import base64
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.envelope.logical import decoded
from transforms.errors import Reject

CONNECT = "org.apache.kafka.connect.data."
DEBEZIUM = "io.debezium.time."


def unscaled(number: int) -> str:
    """As Java's ``BigInteger.toByteArray`` writes it, in base64."""
    length = (number + (number < 0)).bit_length() // 8 + 1
    return base64.b64encode(number.to_bytes(length, "big", signed=True)).decode()


def of(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "any", "name": name, **more}


@given(st.integers(-(10**60), 10**60), st.integers(0, 40))
def test_decimals_are_exact_however_long(number: int, scale: int) -> None:
    schema = of(f"{CONNECT}Decimal", parameters={"scale": str(scale)})
    value = decoded(unscaled(number), schema)
    assert value.as_tuple().exponent == -scale
    sign, digits, _ = value.as_tuple()
    assert (-1) ** sign * int("".join(map(str, digits))) == number


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (f"{CONNECT}Date", 19_723, date(2024, 1, 1)),
        (f"{CONNECT}Date", -1, date(1969, 12, 31)),
        (f"{CONNECT}Time", 3_723_004, time(1, 2, 3, 4_000)),
        (f"{CONNECT}Timestamp", 1_704_067_200_123, datetime(2024, 1, 1, 0, 0, 0, 123_000, UTC)),
        (f"{CONNECT}Timestamp", -1, datetime(1969, 12, 31, 23, 59, 59, 999_000, UTC)),
        (f"{DEBEZIUM}Date", 19_723, date(2024, 1, 1)),
        (f"{DEBEZIUM}Timestamp", 1_704_067_200_001, datetime(2024, 1, 1, 0, 0, 0, 1_000)),
        (f"{DEBEZIUM}MicroTimestamp", 1_704_067_200_000_001, datetime(2024, 1, 1, 0, 0, 0, 1)),
        (f"{DEBEZIUM}NanoTimestamp", 1_704_067_200_000_001_000, datetime(2024, 1, 1, 0, 0, 0, 1)),
        (f"{DEBEZIUM}NanoTimestamp", 1_704_067_200_000_001_007, "2024-01-01T00:00:00.000001007"),
        (f"{DEBEZIUM}MicroTime", 1, time(0, 0, 0, 1)),
        (f"{DEBEZIUM}NanoTime", 1, "00:00:00.000000001"),
        (f"{DEBEZIUM}ZonedTimestamp", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ("io.debezium.data.Json", '{"a": 1.10}', {"a": Decimal("1.10")}),
        ("io.debezium.data.Json", *["__debezium_unavailable_value"] * 2),
        ("io.debezium.data.VariableScaleDecimal", {"scale": 1, "value": "fw=="}, Decimal("12.7")),
    ],
)
def test_named_types(name: str, value: Any, expected: Any) -> None:
    assert decoded(value, of(name)) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (f"{CONNECT}Date", "2024-01-01"),
        (f"{CONNECT}Date", 10**9),
        (f"{CONNECT}Date", True),
        (f"{CONNECT}Time", 86_400_000),
        (f"{CONNECT}Timestamp", 10**20),
        (f"{CONNECT}Decimal", "not base64!"),
        ("io.debezium.data.VariableScaleDecimal", {"value": "fw=="}),
        ("io.debezium.data.Json", "{"),
    ],
)
def test_what_does_not_fit_its_schema_is_refused(name: str, value: Any) -> None:
    with pytest.raises(Reject, match="not what its schema says"):
        decoded(value, of(name, parameters={"scale": "2"}))


def test_parts_are_read_by_the_schemas_of_their_parts() -> None:
    days = of(f"{CONNECT}Date")
    schema = {
        "type": "struct",
        "fields": [
            {"field": "day", **days},
            {"field": "days", "type": "array", "items": days},
            {"field": "named", "type": "map", "keys": {"type": "string"}, "values": days},
            {"field": "pairs", "type": "map", "keys": days, "values": days},
            {"field": "raw", "type": "bytes"},
            {"field": "null", **days},
        ],
    }
    row = {"day": 0, "days": [1], "named": {"a": 0}, "pairs": [[0, 1]], "raw": "AAE=", "null": None}
    first, second = date(1970, 1, 1), date(1970, 1, 2)
    assert decoded({**row, "other": 5}, schema) == {
        "day": first,
        "days": [second],
        "named": {"a": first},
        "pairs": [[first, second]],
        "raw": b"\0\1",
        "null": None,
        "other": 5,
    }


def test_a_schema_without_a_bottom_is_refused() -> None:
    schema: dict[str, Any] = {"type": "array"}
    schema["items"] = schema
    value: Any = []
    for _ in range(200):
        value = [value]
    with pytest.raises(Reject, match="nested deeper"):
        decoded(value, schema)
