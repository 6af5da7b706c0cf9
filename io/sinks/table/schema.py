"""The columns of a target table that is created: from a JSON Schema, or key and payload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sinks.table.config import SqlConfig
from sinks.table.target import PAYLOAD, key_of
from transforms.errors import ConfigError
from transforms.parse.allowed import BYTES, Allowed, descriptions_of, properties_of

LogicalType = Literal[
    "text", "uuid", "timestamp", "date", "time", "integer", "numeric", "boolean", "json", "bytes"
]

_FORMATS: dict[str, LogicalType] = {
    "uuid": "uuid",
    "date-time": "timestamp",
    "date": "date",
    "time": "time",
    BYTES: "bytes",
}
_TYPES: dict[str, LogicalType] = {
    "string": "text",
    "number": "numeric",
    "boolean": "boolean",
    "array": "json",
    "object": "json",
}
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1  # of a bigint


@dataclass(frozen=True, slots=True)
class NewColumn:
    """A column to create."""

    name: str
    type: LogicalType
    nullable: bool = True
    comment: str = ""


def whole_records(config: SqlConfig) -> bool:
    """Whether a table that is created takes whole records: nothing else says which columns it has."""
    return config.schema is None and not config.evolves


def new_columns(config: SqlConfig) -> tuple[NewColumn, ...]:
    """The columns of the target table that ``config`` asks for.

    With a JSON Schema, one for each property, also of referenced and combined subschemas; otherwise the key as text, and, unless the table
    evolves, ``payload``. If there is no key, the columns of the record's origin come first. A table that
    evolves gets the column that marks its rows.

    Raises:
        ConfigError: The schema has no properties, or lacks a key or compared column.
    """
    origin = () if config.key else tuple(map(_origin_column, key_of(config, None)))
    if config.schema is None:
        key = tuple(NewColumn(name, "text", nullable=False) for name in config.key)
        payload = (NewColumn(PAYLOAD, "json", nullable=False),) if whole_records(config) else ()
        return (*origin, *key, *_mark(config), *payload)
    properties = properties_of(config.schema)
    if not properties.allowed:
        raise ConfigError(
            f"table {config.table_name}: the schema has no properties to make columns of; create the "
            "table yourself"
        )
    required = properties.required.union(config.key)
    missing = [name for name in config.key if name not in properties.allowed]
    if missing:
        raise ConfigError(
            f"table {config.table_name}: the schema has no property for the key {', '.join(missing)}"
        )
    comments = descriptions_of(config.schema)
    columns = [
        NewColumn(
            name,
            _column_type(name, allowed),
            _may_be_null(allowed, name in required),
            comments.get(name, ""),
        )
        for name, allowed in properties.allowed.items()
    ]
    if config.unknown_fields == "payload" and PAYLOAD not in properties.allowed:
        columns.append(NewColumn(PAYLOAD, "json"))
    if config.mark not in properties.allowed:
        columns += _mark(config)
    return (*origin, *columns)


def further_column(schema: str | None, name: str) -> NewColumn | None:
    """A column to add for the property ``name``; None if the schema does not name it."""
    allowed = None if schema is None else properties_of(schema).allowed.get(name)
    if schema is None or allowed is None:
        return None
    comment = descriptions_of(schema).get(name, "")
    return NewColumn(name, _column_type(name, allowed), comment=comment)


def _mark(config: SqlConfig) -> tuple[NewColumn, ...]:
    """The column that marks rows which are gone, where no record may bring it."""
    return (NewColumn(config.mark, "boolean"),) if config.mark and config.evolves else ()


def _origin_column(name: str) -> NewColumn:
    numbers = ("ingest_offset", "ingest_element")
    return NewColumn(name, "integer" if name in numbers else "text", nullable=False)


def _may_be_null(allowed: Allowed, required: bool) -> bool:
    return not required or "null" in allowed.types or not allowed.types


def _column_type(name: str, allowed: Allowed) -> LogicalType:
    """The type of a column that takes every allowed value; JSON if these have several types."""
    types = allowed.types - {"null"}
    if len(types) != 1:
        return "json"
    (only,) = types
    if only == "string":
        kinds = {_FORMATS.get(kind, "text") for kind in allowed.formats}
        return kinds.pop() if len(kinds) == 1 else "text"
    if only == "integer":
        bounds = (bound for bound in (allowed.low, allowed.high) if bound is not None)
        return "integer" if all(_LOWEST <= bound <= _HIGHEST for bound in bounds) else "numeric"
    if only not in _TYPES:
        raise ConfigError(f"the schema gives property {name} the unknown type {only!r}")
    return _TYPES[only]
