"""Fields of a ``.proto`` file, as descriptors have them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto

_TYPES = {
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "float": FieldDescriptorProto.TYPE_FLOAT,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "uint32": FieldDescriptorProto.TYPE_UINT32,
    "uint64": FieldDescriptorProto.TYPE_UINT64,
    "sint32": FieldDescriptorProto.TYPE_SINT32,
    "sint64": FieldDescriptorProto.TYPE_SINT64,
    "fixed32": FieldDescriptorProto.TYPE_FIXED32,
    "fixed64": FieldDescriptorProto.TYPE_FIXED64,
    "sfixed32": FieldDescriptorProto.TYPE_SFIXED32,
    "sfixed64": FieldDescriptorProto.TYPE_SFIXED64,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "string": FieldDescriptorProto.TYPE_STRING,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
}

Made_co = TypeVar("Made_co", covariant=True)


class Repeated(Protocol[Made_co]):
    """A repeated field of descriptors."""

    def add(self, **parts: Any) -> Made_co: ...


@dataclass(slots=True)
class Fields:
    """Where fields of one block go.

    Attributes:
        target: The fields.
        nested: The messages beside them: a group is a field and a message.
        path: The name of the message, from the file's outermost messages on.
        depth: How many messages enclose it.
        extendee: Which message they extend; empty if they are its own.
        entries: The messages that stand for entries of maps.
    """

    target: Repeated[FieldDescriptorProto]
    nested: Repeated[DescriptorProto]
    path: str
    depth: int
    extendee: str = ""
    entries: list[DescriptorProto] = field(default_factory=list)


def set_type(proto: FieldDescriptorProto, word: str) -> None:
    """Give a field the type that ``word`` names: a scalar one, or one that the pool resolves."""
    kind = _TYPES.get(word)
    if kind is None:
        proto.type_name = word
    else:
        proto.type = kind


def entry_of(name: str, key: str, value: str) -> DescriptorProto:
    """The message that stands for the entries of a map."""
    camel = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    entry = DescriptorProto(name=f"{camel}Entry")
    entry.options.map_entry = True
    for number, (label, kind) in enumerate((("key", key), ("value", value)), 1):
        part = entry.field.add(name=label, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
        set_type(part, kind)
    return entry


def add_synthetic_oneofs(message: DescriptorProto) -> None:
    """Each optional field of ``proto3`` is the only one of a oneof; these follow the real ones."""
    names = {*(proto.name for proto in message.field), *(one.name for one in message.oneof_decl)}
    for proto in message.field:
        if proto.proto3_optional:
            name = f"_{proto.name}"
            while name in names:
                name = f"X{name}"
            names.add(name)
            proto.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=name)
