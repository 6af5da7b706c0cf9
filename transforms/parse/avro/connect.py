"""What the types of a message's schema mean: Avro's logical types, and those that Connect and Debezium name.

Connect's converter for Avro writes the name of its own type as ``connect.name`` beside the type of Avro. For its
own dates and decimals there is a logical type as well, for Debezium's there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from transforms.parse.avro.shapes import (
    EXACT,
    MOST_DECIMAL_BYTES,
    Convert,
    days,
    logical,
    times_in,
    timestamps_in,
)
from transforms.parse.json_text import decode_long
from transforms.parse.numbers import MAX_DIGITS
from transforms.parse.typed_rows import Kind

UNAVAILABLE = "__debezium_unavailable_value"
"""What Debezium writes where it does not have the value of a column."""

JSON = "io.debezium.data.Json"
"""The type of texts that are JSON."""


def meaning(schema: Mapping[str, Any]) -> tuple[Kind, Convert] | None:
    """The kind of a type that has a meaning of its own, and what turns its stored values into the ones wanted.

    None where ``schema`` is read as what it is stored as.
    """
    shape = logical(schema)
    if shape is not None:
        return shape
    named = _NAMED.get((str(schema["type"]), str(schema.get("connect.name"))))
    return None if named is None else named(schema)


def has_no_zone(schema: Mapping[str, Any]) -> bool:
    """Whether ``schema``, which is a timestamp, has no zone."""
    if logical(schema) is not None:
        return str(schema["logicalType"]).startswith("local-")
    return str(schema.get("connect.name")).startswith("io.debezium.")


def stored(schema: Mapping[str, Any]) -> Any:
    """The type that the values of one with a meaning are stored as."""
    kind = schema["type"]
    if kind not in ("fixed", "record"):
        return kind
    return {**schema, "logicalType": None, "connect.name": None}


def _nanoseconds_of_a_day(schema: Any) -> tuple[Kind, Convert]:
    kind, convert = times_in(1)(schema)
    return kind, lambda stored: convert(stored // 1_000)


def _json(schema: Any) -> tuple[Kind, Convert]:
    return None, lambda text: text if text == UNAVAILABLE else decode_long(text)


def _variable_decimal(schema: Mapping[str, Any]) -> tuple[Kind, Convert] | None:
    types = {field["name"]: field["type"] for field in schema["fields"]}
    if types != {"scale": "int", "value": "bytes"}:
        return None

    def convert(stored: Mapping[str, Any]) -> Decimal:
        unscaled, scale = stored["value"], stored["scale"]
        if len(unscaled) > MOST_DECIMAL_BYTES or abs(scale) > MAX_DIGITS:
            raise ValueError(f"a decimal of {len(unscaled):,} bytes and scale {scale:,}")
        return Decimal(int.from_bytes(unscaled, "big", signed=True)).scaleb(-scale, EXACT)

    return "decimal", convert


_NAMED: dict[tuple[str, str], Callable[[Any], tuple[Kind, Convert] | None]] = {
    ("int", "org.apache.kafka.connect.data.Date"): days,
    ("int", "org.apache.kafka.connect.data.Time"): times_in(1_000),
    ("long", "org.apache.kafka.connect.data.Timestamp"): timestamps_in(1_000, 1, utc=True),
    ("int", "io.debezium.time.Date"): days,
    ("int", "io.debezium.time.Time"): times_in(1_000),
    ("long", "io.debezium.time.MicroTime"): times_in(1),
    ("long", "io.debezium.time.NanoTime"): _nanoseconds_of_a_day,
    ("long", "io.debezium.time.Timestamp"): timestamps_in(1_000, 1, utc=False),
    ("long", "io.debezium.time.MicroTimestamp"): timestamps_in(1, 1, utc=False),
    ("long", "io.debezium.time.NanoTimestamp"): timestamps_in(1, 1_000, utc=False),
    ("string", JSON): _json,
    ("record", "io.debezium.data.VariableScaleDecimal"): _variable_decimal,
}
