"""How the values of an Avro schema become plain Python values, the same as those of Parquet.

fastavro decodes what is stored: numbers for dates and times, bytes for decimals. This module
turns that into values, since a date that Python lacks must not cost the whole block. A union of
several types is decoded as one record of a field for each branch, so that the branch is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal
from functools import partial
from struct import unpack
from typing import Any
from uuid import UUID

from transforms.errors import ObjectFailed
from transforms.parse.far_dates import date_of, timestamp_of
from transforms.parse.numbers import MAX_DIGITS
from transforms.parse.typed_rows import ANY, MIDNIGHT_AFTER, Kind

Convert = Callable[[Any], Any]

_MOST_FIELDS = 20_000
_DEEPEST = 200
_MOST_EMPTY = 4
_DAY = 86_400_000_000
EXACT = Context(prec=2 * MAX_DIGITS, Emax=10**6, Emin=-(10**6))
MOST_DECIMAL_BYTES = math.ceil(MAX_DIGITS / math.log10(256))
_DURATION_BYTES = 12
_PRIMITIVES = {
    **dict.fromkeys(("null", "boolean", "int", "long", "string")),
    "float": "float",
    "double": "float",
    "bytes": "bytes",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """How the values of a type become plain ones.

    Attributes:
        kind: The type as kept rows name it.
        convert: Turns a value as it is stored into the one wanted; None if they are the same.
        decoded: The schema to decode with.
    """

    kind: Kind
    convert: Convert | None
    decoded: Any


class Shapes:
    """The shapes of one schema.

    Args:
        names: Its named types, by full name.

    Attributes:
        fields: The shapes of the fields of each record type.
        recursive: Whether a type contains itself.
    """

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names
        self._closed: dict[str, Shape] = {}
        self._unions = 0
        self._count_of_fields = 0
        self._empty = 0
        self._empty_in: dict[str, int] = {}
        self._depth = 0
        self.fields: dict[str, dict[str, Shape]] = {}
        self.recursive = False

    def of(self, schema: Any) -> Shape:
        """The shape of the type ``schema``.

        Raises:
            ObjectFailed: Values of the type cannot be read with bounded memory.
        """
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ObjectFailed(f"its schema is nested deeper than {_DEEPEST}", "unknown_format")
        shape = self._of(schema)
        self._depth -= 1
        return shape

    def _of(self, schema: Any) -> Shape:
        if isinstance(schema, list):
            return self._union(schema)
        if isinstance(schema, str):
            if schema in _PRIMITIVES:
                return Shape(_PRIMITIVES[schema], None, schema)
            return self._named(schema)
        kind = schema["type"]
        if isinstance(kind, list | dict):
            return self.of(kind)
        if (shape := logical(schema)) is not None:
            name, convert = shape
            decoded = _plain(schema) if kind == "fixed" else kind
            return Shape(name, convert, decoded)
        if kind == "array":
            return self._array(schema)
        if kind == "map":
            values = self._of_many(schema["values"])
            named = None if values.kind is None else ["map", None, values.kind]
            return Shape(
                named, _each_value(values.convert), {**_plain(schema), "values": values.decoded}
            )
        if kind in ("record", "error"):
            return self._record(schema)
        if kind in ("enum", "fixed"):
            return Shape("bytes" if kind == "fixed" else None, None, _plain(schema))
        return self.of(kind)

    def _named(self, name: str) -> Shape:
        """The shape of a type that is defined elsewhere in the schema."""
        definition = self._names[name]
        if definition["type"] in ("enum", "fixed"):
            shape = self.of(definition)
            return Shape(shape.kind, shape.convert, name)
        closed = self._closed.get(name)
        if closed is None:
            self.recursive = True
            # Within itself, the type has no kind that could be written down.
            return Shape(ANY, lambda value: self._convert_named(name, value), name)
        self._count(_size(closed.kind))
        self._empty += self._empty_in[name]
        return Shape(closed.kind, closed.convert, name)

    def _convert_named(self, name: str, value: Any) -> Any:
        convert = self._closed[name].convert
        return value if convert is None else convert(value)

    def _count(self, fields: int) -> None:
        """Bound what a small schema can stand for."""
        self._count_of_fields += fields
        if self._count_of_fields > _MOST_FIELDS:
            raise ObjectFailed(
                f"its schema has more than {_MOST_FIELDS:,} fields", "unknown_format"
            )

    def _record(self, schema: Any) -> Shape:
        self._count(1 + len(schema["fields"]))
        empty = self._empty
        self._empty += sum(self._takes_no_bytes(each["type"]) for each in schema["fields"])
        fields = {field["name"]: self.of(field["type"]) for field in schema["fields"]}
        named = {name: shape.kind for name, shape in fields.items() if shape.kind is not None}
        converts = {name: each.convert for name, each in fields.items() if each.convert is not None}
        decoded = {
            **_plain(schema),
            "fields": [{"name": name, "type": shape.decoded} for name, shape in fields.items()],
        }
        shape = Shape(["struct", named] if named else None, _each_field(converts), decoded)
        self._closed[schema["name"]] = shape
        self._empty_in[schema["name"]] = self._empty - empty
        self.fields[schema["name"]] = fields
        return shape

    def _of_many(self, schema: Any) -> Shape:
        """The shape of the items of an array or a map, of which a few bytes may hold many."""
        empty = self._empty
        shape = self.of(schema)
        if self._empty - empty > _MOST_EMPTY:
            message = f"its schema repeats more than {_MOST_EMPTY} fields that take no bytes"
            raise ObjectFailed(message, "unknown_format")
        return shape

    def _array(self, schema: Any) -> Shape:
        items = self._of_many(schema["items"])
        if self._takes_no_bytes(schema["items"]):
            raise ObjectFailed("its schema has an array of what takes no bytes", "unknown_format")
        named = None if items.kind is None else ["list", items.kind]
        decoded = {**_plain(schema), "items": items.decoded}
        return Shape(named, _each_item(items.convert), decoded)

    def _union(self, branches: list[Any]) -> Shape:
        shapes = [self.of(branch) for branch in branches]
        real = [shape for shape, branch in zip(shapes, branches, strict=True) if branch != "null"]
        if len(real) <= 1:
            (only,) = real or shapes
            convert = only.convert
            nullable = (
                None if convert is None else lambda value: None if value is None else convert(value)
            )
            return Shape(only.kind, nullable, [shape.decoded for shape in shapes])
        decoded: list[Any] = []
        converts: dict[str, Convert | None] = {}
        for number, (shape, branch) in enumerate(zip(shapes, branches, strict=True)):
            if branch == "null":
                decoded.append("null")
                continue
            self._unions += 1
            name = f"b{number}"
            converts[name] = shape.convert
            field = {"name": name, "type": shape.decoded}
            decoded.append(
                {"type": "record", "name": f"sluice.Branch{self._unions}", "fields": [field]}
            )
        alike = all(shape.kind == real[0].kind for shape in real)
        return Shape(real[0].kind if alike else ANY, _branch(converts), decoded)

    def _takes_no_bytes(self, schema: Any, within: frozenset[str] = frozenset()) -> bool:
        if isinstance(schema, str):
            if schema in self._names and schema not in within:
                return self._takes_no_bytes(self._names[schema], within | {schema})
            return schema == "null"
        if isinstance(schema, list):
            return False  # the number of the branch
        kind = schema["type"]
        if kind in ("record", "error"):
            within |= {schema["name"]}
            return all(self._takes_no_bytes(each["type"], within) for each in schema["fields"])
        if kind == "fixed":
            return not schema["size"]
        return kind not in ("enum", "array", "map") and self._takes_no_bytes(kind, within)


def logical(schema: Mapping[str, Any]) -> tuple[Kind, Convert] | None:
    """The kind of a logical type, and what turns its stored values into the ones wanted.

    None where ``schema`` has no logical type, or one that is read as what it is stored as.
    """
    shape = _LOGICAL.get((str(schema["type"]), str(schema.get("logicalType"))))
    return None if shape is None else shape(schema)


def _size(kind: Kind) -> int:
    """How many types a kind is made of."""
    if isinstance(kind, dict):
        return 1 + sum(map(_size, kind.values()))
    return sum(map(_size, kind)) if isinstance(kind, list) else 1


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A type without what concerns its logical type, documentation and defaults."""
    return {name: schema[name] for name in ("type", "name", "size", "symbols") if name in schema}


def _each_value(convert: Convert | None) -> Convert | None:
    if convert is None:
        return None
    return lambda value: {key: convert(item) for key, item in value.items()}


def _each_item(convert: Convert | None) -> Convert | None:
    return None if convert is None else lambda value: list(map(convert, value))


def _each_field(converts: Mapping[str, Convert]) -> Convert | None:
    if not converts:
        return None
    return lambda value: {
        name: converts[name](field) if name in converts else field for name, field in value.items()
    }


def _branch(converts: Mapping[str, Convert | None]) -> Convert:
    def chosen(value: Any) -> Any:
        if value is None:
            return None
        ((name, inner),) = value.items()
        convert = converts[name]
        return inner if convert is None else convert(inner)

    return chosen


def _decimal(schema: Mapping[str, Any]) -> tuple[Kind, Convert] | None:
    precision, scale = schema.get("precision"), schema.get("scale", 0)
    if not isinstance(precision, int) or not isinstance(scale, int) or not 0 <= scale <= precision:
        return None  # as the specification says, it is then no decimal
    if scale > MAX_DIGITS:
        return None

    def convert(stored: bytes) -> Decimal:
        if len(stored) > MOST_DECIMAL_BYTES:
            raise ValueError(f"a decimal of {len(stored):,} bytes")
        return Decimal(int.from_bytes(stored, "big", signed=True)).scaleb(-scale, EXACT)

    return "decimal", convert


def times_in(units: int) -> Callable[[Any], tuple[Kind, Convert]]:
    """How times of day are read that count units of so many microseconds."""

    def convert(stored: int) -> time | str:
        microseconds = stored * units
        if microseconds == _DAY:
            return MIDNIGHT_AFTER
        if not 0 <= microseconds < _DAY:
            raise ValueError(f"a time of {stored:,} units")
        return (datetime.min + timedelta(microseconds=microseconds)).time()

    return lambda schema: ("time", convert)


def timestamps_in(
    numerator: int, denominator: int, *, utc: bool
) -> Callable[[Any], tuple[Kind, Convert]]:
    """How points in time are read that count units of so many microseconds, a fraction; cut to the earlier."""

    def convert(stored: int) -> datetime | str:
        return timestamp_of(stored * numerator // denominator, utc=utc)

    exact = partial(timestamp_of, utc=utc) if numerator == denominator else convert
    return lambda schema: ("timestamp", exact)


def _uuid(schema: Mapping[str, Any]) -> tuple[Kind, Convert] | None:
    return (None, lambda stored: str(UUID(bytes=stored))) if schema.get("size") == 16 else None


def _duration(schema: Mapping[str, Any]) -> tuple[Kind, Convert] | None:
    return (None, duration_text) if schema.get("size") == _DURATION_BYTES else None


def duration_text(stored: bytes) -> str:
    """A duration of months, days and milliseconds as ISO 8601 writes it.

    >>> duration_text(bytes([14, 0, 0, 0, 3, 0, 0, 0, 0xDC, 5, 0, 0]))
    'P14M3DT1.5S'
    """
    months, days, milliseconds = unpack("<III", stored)
    parts = [f"{months}M" if months else "", f"{days}D" if days else ""]
    if milliseconds:
        seconds, rest = divmod(milliseconds, 1_000)
        parts.append(f"T{seconds}" + (f".{rest:03}".rstrip("0") if rest else "") + "S")
    return "P" + ("".join(parts) or "T0S")


def days(schema: Mapping[str, Any]) -> tuple[Kind, Callable[[int], date | str]]:
    """How dates are read that count days."""
    return "date", date_of


_LOGICAL: dict[tuple[str, str], Callable[[Any], tuple[Kind, Convert] | None]] = {
    ("bytes", "decimal"): _decimal,
    ("fixed", "decimal"): _decimal,
    ("int", "date"): days,
    ("int", "time-millis"): times_in(1_000),
    ("long", "time-micros"): times_in(1),
    ("long", "timestamp-millis"): timestamps_in(1_000, 1, utc=True),
    ("long", "timestamp-micros"): timestamps_in(1, 1, utc=True),
    ("long", "timestamp-nanos"): timestamps_in(1, 1_000, utc=True),
    ("long", "local-timestamp-millis"): timestamps_in(1_000, 1, utc=False),
    ("long", "local-timestamp-micros"): timestamps_in(1, 1, utc=False),
    ("long", "local-timestamp-nanos"): timestamps_in(1, 1_000, utc=False),
    ("fixed", "uuid"): _uuid,
    ("fixed", "duration"): _duration,
}
