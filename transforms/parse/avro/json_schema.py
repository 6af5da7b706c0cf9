"""The JSON Schema of the records that a schema of Avro describes, for a table of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import fastavro
from fastavro.schema import SchemaParseException, UnknownType

from transforms.parse.allowed import BYTES, TYPES
from transforms.parse.avro.connect import JSON, has_no_zone, meaning
from transforms.parse.registry.schema import Unusable

_PRIMITIVES: dict[str, dict[str, Any]] = {
    "null": {"type": "null"},
    "boolean": {"type": "boolean"},
    "int": {"type": "integer"},
    "long": {"type": "integer"},
    "float": {"type": "number"},
    "double": {"type": "number"},
    "bytes": {"type": "string", "format": BYTES},
    "string": {"type": "string"},
    "enum": {"type": "string"},
    "fixed": {"type": "string", "format": BYTES},
    "array": {"type": "array"},
    "map": {"type": "object"},
    "record": {"type": "object"},
    "error": {"type": "object"},
}
_FORMATS = {"date": "date", "time": "time", "timestamp": "date-time"}


def json_schema_of(text: str, references: Sequence[str], field: str = "") -> dict[str, Any]:
    """What the records of a schema have: each field is a property, its documentation the description.

    A field without a default is required: records of other versions of a compatible schema have it too.

    Args:
        text: The schema, as JSON.
        references: Schemas that it refers to, each behind those that it refers to itself.
        field: The field that holds the records, if they are not the values themselves.

    Raises:
        Unusable: It cannot be read, or its values are no records.
    """
    names: dict[str, Any] = {}
    try:
        for reference in references:
            fastavro.parse_schema(json.loads(reference), names)
        parsed: Any = fastavro.parse_schema(json.loads(text), names)
    except (SchemaParseException, UnknownType, ValueError, TypeError, LookupError, RecursionError):
        raise Unusable("it is no valid schema of Avro") from None
    if field:
        parsed = _within(parsed, field, names)
    if not _is_record(parsed):
        raise Unusable("its values are no records")
    fields = parsed["fields"]
    schema = {
        "type": "object",
        "properties": {field["name"]: _property(field, names) for field in fields},
        "required": [field["name"] for field in fields if "default" not in field],
    }
    return _described(schema, parsed)


def _is_record(schema: Any) -> bool:
    return isinstance(schema, dict) and schema["type"] in ("record", "error")


def _within(schema: Any, name: str, names: Mapping[str, Any]) -> Any:
    """The type of a field of a record; where that is a union, its only type that is not null."""
    fields = schema["fields"] if _is_record(schema) else ()
    kind = next((field["type"] for field in fields if field["name"] == name), None)
    if isinstance(kind, list):
        real = [branch for branch in kind if branch != "null"]
        kind = real[0] if len(real) == 1 else None
    return names.get(kind) if isinstance(kind, str) else kind


def _property(field: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    return _described(_type(field["type"], names), field)


def _described(schema: dict[str, Any], of: Mapping[str, Any]) -> dict[str, Any]:
    doc = of.get("doc")
    return {**schema, "description": doc} if isinstance(doc, str) and doc else schema


def _type(schema: Any, names: Mapping[str, Any]) -> dict[str, Any]:
    """What a value is; what is within a record, an array or a map is left to Avro."""
    if isinstance(schema, list):
        branches = [_type(branch, names) for branch in schema]
        types = sorted({name for branch in branches for name in _names(branch["type"])})
        if {"integer", "number"} <= set(types):
            types.remove("integer")
        formats = {branch.get("format") for branch in branches if branch["type"] != "null"}
        merged: dict[str, Any] = {"type": types if len(types) > 1 else types[0]}
        only = formats.pop() if len(formats) == 1 else None
        return merged if only is None else {**merged, "format": only}
    if isinstance(schema, str):
        own = _PRIMITIVES.get(schema)
        return dict(own) if own is not None else _type(names[schema], names)
    kind = schema["type"]
    if isinstance(kind, list | dict):
        return _type(kind, names)
    shape = meaning(schema)
    if shape is not None and shape[0] == "decimal":
        return {"type": "number"}
    if shape is not None and shape[0] == "timestamp" and has_no_zone(schema):
        return {"type": "string"}  # no column of a new table takes a time without a zone
    if shape is not None and shape[0] in _FORMATS:
        return {"type": "string", "format": _FORMATS[shape[0]]}
    if shape is not None and schema.get("logicalType") == "duration":
        return {"type": "string"}
    if schema.get("connect.name") == JSON:
        return {"type": sorted(TYPES)}
    if schema.get("logicalType") == "uuid" and (shape is not None or kind == "string"):
        return {"type": "string", "format": "uuid"}
    return _type(kind, names)


def _names(types: str | list[str]) -> list[str]:
    return [types] if isinstance(types, str) else types
