"""The JSON Schema of the messages that a schema of Protobuf describes, for a table of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from transforms.parse.allowed import BYTES
from transforms.parse.protobuf.descriptors import Descriptors
from transforms.parse.protobuf.values import fields_of, is_well_known, name_of
from transforms.parse.registry.schema import Unusable

_MOST = {
    FieldDescriptor.TYPE_UINT64: 2**64 - 1,
    FieldDescriptor.TYPE_FIXED64: 2**64 - 1,
}
"""What is beyond a signed integer of 64 bits."""

_TYPES: dict[int, str] = {
    FieldDescriptor.CPPTYPE_INT32: "integer",
    FieldDescriptor.CPPTYPE_INT64: "integer",
    FieldDescriptor.CPPTYPE_UINT32: "integer",
    FieldDescriptor.CPPTYPE_UINT64: "integer",
    FieldDescriptor.CPPTYPE_DOUBLE: "number",
    FieldDescriptor.CPPTYPE_FLOAT: "number",
    FieldDescriptor.CPPTYPE_BOOL: "boolean",
    FieldDescriptor.CPPTYPE_ENUM: "string",
    FieldDescriptor.CPPTYPE_STRING: "string",
    FieldDescriptor.CPPTYPE_MESSAGE: "object",
}
_STANDING: dict[str, dict[str, Any]] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string"},
    "google.protobuf.FieldMask": {"type": "string"},
    "google.protobuf.ListValue": {"type": "array"},
    "google.protobuf.Value": {"type": ["array", "boolean", "number", "object", "string"]},
    "confluent.type.Decimal": {"type": "number"},
}


def json_schema_of(
    text: str, references: Sequence[tuple[str, str]], field: str = ""
) -> dict[str, Any]:
    """What the first message of a schema has: each field is a property, the comment in front of it its description.

    No field is required: messages of other versions may lack any.

    Args:
        text: The schema.
        references: Names and texts of what it imports.
        field: The field of that message which holds the records, if they are not the messages themselves.

    Raises:
        Unusable: It cannot be read, or has no message.
    """
    descriptors = Descriptors(text, references)
    try:
        message = descriptors.message((0,))
    except LookupError:
        raise Unusable("it has no message") from None
    comments = descriptors.comments
    path = message.name
    if field:
        outer, holder = message, message.fields_by_name.get(field)
        if holder is None or holder.message_type is None or holder.is_repeated:
            raise Unusable(f"its field {field} is no message")
        message = holder.message_type
        path = message.full_name.removeprefix(f"{outer.file.package}.")
    properties = {}
    for part in fields_of(message):
        schema = _property(part)
        comment = comments.get(f"{path}.{name_of(part)}")
        properties[name_of(part)] = {**schema, "description": comment} if comment else schema
    whole: dict[str, Any] = {"type": "object", "properties": properties}
    comment = comments.get(path)
    return {**whole, "description": comment} if comment else whole


def _property(field: FieldDescriptor) -> dict[str, Any]:
    if field.is_repeated:
        message = field.message_type
        is_map = message is not None and message.GetOptions().map_entry
        return {"type": "object" if is_map else "array"}
    schema = _single(field)
    if not field.has_presence:
        return schema
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return {**schema, "type": [*types, "null"]}


def _single(field: FieldDescriptor) -> dict[str, Any]:
    message = field.message_type
    if message is None:
        schema: dict[str, Any] = {"type": _TYPES[field.cpp_type]}
        if field.type == FieldDescriptor.TYPE_BYTES:
            return {**schema, "format": BYTES}
        most = _MOST.get(field.type)
        return schema if most is None else {**schema, "minimum": 0, "maximum": most}
    if not is_well_known(message):
        return {"type": "object"}
    standing = _STANDING.get(message.full_name)
    if standing is not None:
        return dict(standing)
    wrapped = message.fields_by_name.get("value")
    return {"type": "object"} if wrapped is None else _single(wrapped)
