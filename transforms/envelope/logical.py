"""Values as Kafka Connect's JSON converter writes them, read exactly by the schema beside them.

The types are those of Connect (``org.apache.kafka.connect.data``) and of Debezium
(https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-data-types).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from transforms.errors import Reject
from transforms.parse.avro.connect import UNAVAILABLE
from transforms.parse.json_text import decode_long

CATEGORY = "envelope"
"""Category of a record whose envelope cannot be read."""

MOST_LEVELS = 100
"""How deep a schema may be nested."""

_DAY_ZERO = date(1970, 1, 1)
_EPOCH = datetime(1970, 1, 1)
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS_OF_A_DAY = 86_400_000_000


def decoded(value: Any, schema: Any, level: int = 0) -> Any:
    """``value`` as ``schema`` means it; without a schema as it is.

    Args:
        value: As JSON has it.
        schema: A schema of Connect, as JSON.
        level: How deep both are nested.

    Raises:
        Reject: The value does not fit its schema, or is nested too deep.
    """
    if value is None or not isinstance(schema, dict):
        return value
    if level > MOST_LEVELS:
        raise Reject(f"the schema is nested deeper than {MOST_LEVELS} levels", CATEGORY)
    name, kind = schema.get("name"), schema.get("type")
    reader = _NAMED.get(name) if isinstance(name, str) else None
    try:
        if reader is not None:
            return reader(value, schema)
        if kind == "struct":
            return _struct(value, schema, level)
        if kind == "array":
            return [decoded(each, schema.get("items"), level + 1) for each in value]
        if kind == "map":
            return _map(value, schema, level)
        return _bytes(value) if kind == "bytes" else value
    except Reject:
        raise
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        what = name if isinstance(name, str) else kind
        raise Reject(f"a value is not what its schema says: {str(what)[:100]}", CATEGORY) from error


def field_schemas(schema: Any) -> dict[str, Any]:
    """The schemas of the fields of a struct; empty where ``schema`` is none."""
    fields = schema.get("fields") if isinstance(schema, dict) else None
    if not isinstance(fields, list):
        return {}
    return {
        each["field"]: each
        for each in fields
        if isinstance(each, dict) and isinstance(each.get("field"), str)
    }


def _struct(value: Any, schema: Mapping[str, Any], level: int) -> dict[str, Any]:
    schemas = field_schemas(schema)
    return {name: decoded(part, schemas.get(name), level + 1) for name, part in value.items()}


def _map(value: Any, schema: Mapping[str, Any], level: int) -> Any:
    values = schema.get("values")
    if isinstance(value, list):  # pairs, where the keys are no texts
        keys = schema.get("keys")
        return [[decoded(k, keys, level + 1), decoded(v, values, level + 1)] for k, v in value]
    return {name: decoded(part, values, level + 1) for name, part in value.items()}


def _bytes(value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _decimal(value: Any, schema: Mapping[str, Any]) -> Decimal:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Decimal(value)  # decimal.format=NUMERIC
    return _unscaled(value, int(schema["parameters"]["scale"]))


def _variable_decimal(value: Any, _schema: Mapping[str, Any]) -> Decimal:
    return _unscaled(value["value"], int(value["scale"]))


def _unscaled(text: Any, scale: int) -> Decimal:
    number = int.from_bytes(_bytes(text), "big", signed=True)
    digits = tuple(map(int, str(abs(number))))
    return Decimal((int(number < 0), digits, -scale))  # exact, whatever the context's precision


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("not a whole number")
    return value


def _day(value: Any, _schema: Mapping[str, Any]) -> date:
    return _DAY_ZERO + timedelta(days=_whole(value))


def _time_of_day(unit: int) -> Callable[[Any, Mapping[str, Any]], time | str]:
    """Reads a time of day that counts ``unit`` nanoseconds."""

    def read(value: Any, _schema: Mapping[str, Any]) -> time | str:
        micros, nanos = divmod(_whole(value) * unit, 1_000)
        if not 0 <= micros < _MICROSECONDS_OF_A_DAY:
            raise ValueError("not within a day")
        moment = (_EPOCH + timedelta(microseconds=micros)).time()
        return _with_nanos(moment, nanos) if nanos else moment

    return read


def _instant(unit: int, epoch: datetime) -> Callable[[Any, Mapping[str, Any]], datetime | str]:
    """Reads a point in time that counts ``unit`` nanoseconds since ``epoch``."""

    def read(value: Any, _schema: Mapping[str, Any]) -> datetime | str:
        micros, nanos = divmod(_whole(value) * unit, 1_000)
        moment = epoch + timedelta(microseconds=micros)
        return _with_nanos(moment, nanos) if nanos else moment

    return read


def _with_nanos(moment: datetime | time, nanos: int) -> str:
    """As text: Python has no nanoseconds."""
    text = moment.isoformat(timespec="microseconds")
    head, zone = (text[:-6], text[-6:]) if text.endswith("+00:00") else (text, "")
    return f"{head}{nanos:03d}{zone}"


def _json(value: Any, _schema: Mapping[str, Any]) -> Any:
    return decode_long(value) if isinstance(value, str) and value != UNAVAILABLE else value


_MILLIS, _MICROS, _NANOS = 1_000_000, 1_000, 1

_NAMED: dict[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "org.apache.kafka.connect.data.Decimal": _decimal,
    "org.apache.kafka.connect.data.Date": _day,
    "org.apache.kafka.connect.data.Time": _time_of_day(_MILLIS),
    "org.apache.kafka.connect.data.Timestamp": _instant(_MILLIS, _EPOCH_UTC),
    "io.debezium.data.VariableScaleDecimal": _variable_decimal,
    "io.debezium.data.Json": _json,
    "io.debezium.time.Date": _day,
    "io.debezium.time.Time": _time_of_day(_MILLIS),
    "io.debezium.time.MicroTime": _time_of_day(_MICROS),
    "io.debezium.time.NanoTime": _time_of_day(_NANOS),
    "io.debezium.time.Timestamp": _instant(_MILLIS, _EPOCH),
    "io.debezium.time.MicroTimestamp": _instant(_MICROS, _EPOCH),
    "io.debezium.time.NanoTimestamp": _instant(_NANOS, _EPOCH),
}
