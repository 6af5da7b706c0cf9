"""The columns of a target table that is created: from a JSON Schema, or key and payload."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sinks.table.config import SqlConfig
from sinks.table.target import ORIGIN_COLUMNS, PAYLOAD
from transforms.errors import ConfigError

LogicalType = Literal[
    "text", "uuid", "timestamp", "date", "time", "integer", "numeric", "boolean", "json"
]

_FORMATS: dict[str, LogicalType] = {
    "uuid": "uuid",
    "date-time": "timestamp",
    "date": "date",
    "time": "time",
}
_TYPES: dict[str, LogicalType] = {
    "string": "text",
    "number": "numeric",
    "boolean": "boolean",
    "array": "json",
    "object": "json",
}
_BIGINT = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class NewColumn:
    """A column to create."""

    name: str
    type: LogicalType
    nullable: bool = True


def new_columns(config: SqlConfig) -> tuple[NewColumn, ...]:
    """The columns of the target table that ``config`` asks for.

    With a JSON Schema, one for each property; otherwise the key as text, and ``payload``. If there
    is no key, the columns of the record's origin come first.

    Raises:
        ConfigError: The schema has no properties, or lacks a key or compared column.
    """
    origin = () if config.key else tuple(map(_origin_column, ORIGIN_COLUMNS))
    if config.schema is None:
        key = tuple(NewColumn(name, "text", nullable=False) for name in config.key)
        return (*origin, *key, NewColumn(PAYLOAD, "json", nullable=False))
    schema = json.loads(config.schema)
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or not properties:
        raise ConfigError(
            "the schema has no properties to make columns of; create the table yourself"
        )
    required = {*schema.get("required", ()), *config.key}
    missing = [name for name in config.key if name not in properties]
    if missing:
        raise ConfigError(f"the schema has no property for the key {', '.join(missing)}")
    columns = [
        NewColumn(name, *_column_type(name, rule, required=name in required))
        for name, rule in properties.items()
    ]
    if config.unknown_fields == "payload" and PAYLOAD not in properties:
        columns.append(NewColumn(PAYLOAD, "json"))
    return (*origin, *columns)


def _origin_column(name: str) -> NewColumn:
    return NewColumn(name, "integer" if name == "ingest_offset" else "text", nullable=False)


def _column_type(name: str, rule: Any, *, required: bool) -> tuple[LogicalType, bool]:
    if not isinstance(rule, Mapping):
        return "json", True  # `true` allows anything, including null
    types = _type_names(rule)
    nullable = not required or "null" in types or not types
    concrete = [name for name in types if name != "null"]
    if set(concrete) == {"integer", "number"}:
        concrete = ["number"]
    if len(concrete) != 1:
        return "json", nullable
    (only,) = concrete
    if only == "string":
        return _FORMATS.get(str(rule.get("format")), "text"), nullable
    if only == "integer":
        return _integer_type(rule), nullable
    if only not in _TYPES:
        raise ConfigError(f"the schema gives property {name} the unknown type {only!r}")
    return _TYPES[only], nullable


def _type_names(rule: Mapping[str, Any]) -> Sequence[str]:
    """The types that a property may have; for an enum or const, those of its values."""
    stated = rule.get("type")
    if isinstance(stated, str):
        return [stated]
    if isinstance(stated, list):
        return [str(name) for name in stated]
    values = rule["enum"] if isinstance(rule.get("enum"), list) else [rule.get("const")]
    if values and all(isinstance(value, str) for value in values):
        return ["string"]
    return []


def _integer_type(rule: Mapping[str, Any]) -> LogicalType:
    bounds = [
        rule[name]
        for name in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
        if isinstance(rule.get(name), (int, float))
    ]
    return "integer" if all(int(bound) in _BIGINT for bound in bounds) else "numeric"
