"""Types of Avro, values that are written with them, and the JSON that their records become."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID


@dataclass(frozen=True)
class AvroCase:
    """A type, a value of it, and the value as JSON."""

    type: Any
    value: Any
    stored: Any

    def schema(self, name: str) -> dict[str, Any]:
        fields = [{"name": "id", "type": "string"}, {"name": "v", "type": self.type}]
        return {"type": "record", "name": name, "namespace": "cases", "fields": fields}


def _logical(kind: str, logical: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "logicalType": logical, **more}


_TREE = {
    "type": "record",
    "name": "Tree",
    "fields": [
        {"name": "n", "type": "int"},
        {"name": "of", "type": {"type": "array", "items": "Tree"}},
    ],
}
_AT = datetime(2026, 11, 27, 4, 5, 6, 123456, UTC)
_LOCAL = datetime(2026, 11, 27, 4, 5, 6, 123456)
_MILLIS = _AT.replace(microsecond=123000)

AVRO_CASES = {
    "null": AvroCase("null", None, None),
    "boolean": AvroCase("boolean", True, True),
    "int": AvroCase("int", -(2**31), -(2**31)),
    "long": AvroCase("long", 2**63 - 1, 2**63 - 1),
    "float": AvroCase("float", 1.5, 1.5),
    "double": AvroCase("double", 0.1, 0.1),
    "bytes": AvroCase("bytes", b"\x00\xff", "AP8="),
    "string": AvroCase("string", "Zürich ☃ \U0001f600", "Zürich ☃ \U0001f600"),
    "fixed": AvroCase({"type": "fixed", "name": "Three", "size": 3}, b"abc", "YWJj"),
    "enum": AvroCase({"type": "enum", "name": "Suit", "symbols": ["A", "B"]}, "B", "B"),
    "array": AvroCase({"type": "array", "items": "int"}, [1, 2, -3], [1, 2, -3]),
    "map": AvroCase({"type": "map", "values": "long"}, {"a": 1, "b": -2}, {"a": 1, "b": -2}),
    "union": AvroCase(["null", "string", "long"], 7, 7),
    "union_null": AvroCase(["null", "string"], None, None),
    "record_union": AvroCase(
        ["null", {"type": "record", "name": "In", "fields": [{"name": "a", "type": "int"}]}],
        {"a": 1},
        {"a": 1},
    ),
    "recursive": AvroCase(
        _TREE,
        {"n": 1, "of": [{"n": 2, "of": []}, {"n": 3, "of": [{"n": 4, "of": []}]}]},
        {"n": 1, "of": [{"n": 2, "of": []}, {"n": 3, "of": [{"n": 4, "of": []}]}]},
    ),
    "decimal_bytes": AvroCase(
        _logical("bytes", "decimal", precision=20, scale=4),
        Decimal("-1234567890123456.7891"),
        Decimal("-1234567890123456.7891"),
    ),
    "decimal_fixed": AvroCase(
        _logical("fixed", "decimal", precision=9, scale=2, name="Money", size=5),
        Decimal("19.90"),
        Decimal("19.90"),
    ),
    "date": AvroCase(_logical("int", "date"), date(2026, 11, 27), "2026-11-27"),
    "time_millis": AvroCase(
        _logical("int", "time-millis"), time(4, 5, 6, 123000), "04:05:06.123000"
    ),
    "time_micros": AvroCase(
        _logical("long", "time-micros"), time(4, 5, 6, 123456), "04:05:06.123456"
    ),
    "timestamp_millis": AvroCase(
        _logical("long", "timestamp-millis"), _MILLIS, "2026-11-27T04:05:06.123000Z"
    ),
    "timestamp_micros": AvroCase(
        _logical("long", "timestamp-micros"), _AT, "2026-11-27T04:05:06.123456Z"
    ),
    "timestamp_nanos": AvroCase(
        _logical("long", "timestamp-nanos"),
        1_795_752_306_123_456_789,
        "2026-11-27T04:05:06.123456Z",
    ),
    "local_millis": AvroCase(
        _logical("long", "local-timestamp-millis"),
        _LOCAL.replace(microsecond=123000),
        "2026-11-27T04:05:06.123000",
    ),
    "local_micros": AvroCase(
        _logical("long", "local-timestamp-micros"), _LOCAL, "2026-11-27T04:05:06.123456"
    ),
    "uuid_string": AvroCase(
        _logical("string", "uuid"), UUID(int=7), "00000000-0000-0000-0000-000000000007"
    ),
    "uuid_fixed": AvroCase(
        _logical("fixed", "uuid", name="U", size=16),
        UUID(int=7).bytes,
        "00000000-0000-0000-0000-000000000007",
    ),
    "duration": AvroCase(
        _logical("fixed", "duration", name="D", size=12),
        b"\x0e\0\0\0\x03\0\0\0\xdc\x05\0\0",
        "P14M3DT1.5S",
    ),
}
