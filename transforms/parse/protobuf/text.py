"""Parse the text of a ``.proto`` file into its descriptor.

Options, services and extensions do not change how a message is read, and are passed over. Names of
types stay as they are written: the pool of descriptors resolves them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from transforms.parse.protobuf.tokens import Tokens
from transforms.parse.registry.schema import Unusable

_DEEPEST = 60
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
_LABELS = {
    "optional": FieldDescriptorProto.LABEL_OPTIONAL,
    "required": FieldDescriptorProto.LABEL_REQUIRED,
    "repeated": FieldDescriptorProto.LABEL_REPEATED,
}
_PASSED_OVER = ("option", "reserved", "extensions", "extend", "service")


@dataclass(slots=True)
class ProtoFile:
    """A file.

    Attributes:
        descriptor: Its descriptor.
        comments: What stands in front of messages and fields, by their names from the file's outermost
            messages on: ``Order``, ``Order.total``.
    """

    descriptor: FileDescriptorProto
    comments: dict[str, str] = field(default_factory=dict)


def parsed(name: str, text: str) -> ProtoFile:
    """The file called ``name`` that has this text.

    Raises:
        Unusable: It is no Protobuf of ``proto2`` or ``proto3``.
    """
    return _Parser(name, text).file


class _Parser:
    def __init__(self, name: str, text: str) -> None:
        self._tokens = Tokens(text)
        self.file = ProtoFile(FileDescriptorProto(name=name, syntax="proto2"))
        self._proto3 = False
        while self._tokens.next:
            self._statement()

    def _statement(self) -> None:
        tokens, file = self._tokens, self.file.descriptor
        comment = tokens.comment
        word = tokens.take()
        if word == "syntax":
            tokens.take("=")
            file.syntax = tokens.string()
            if file.syntax not in ("proto2", "proto3"):
                raise Unusable(f"its syntax is {file.syntax[:20]!r}, neither proto2 nor proto3")
            self._proto3 = file.syntax == "proto3"
            tokens.take(";")
        elif word == "edition":
            raise Unusable("it is written in an edition of Protobuf; proto2 and proto3 are read")
        elif word == "package":
            file.package = tokens.take()
            tokens.take(";")
        elif word == "import":
            public = tokens.took("public")
            tokens.took("weak")
            if public:
                file.public_dependency.append(len(file.dependency))
            file.dependency.append(tokens.string())
            tokens.take(";")
        elif word == "message":
            self._message(file.message_type.add(), "", comment, 0)
        elif word == "enum":
            self._enum(file.enum_type.add())
        elif word in _PASSED_OVER:
            tokens.skip_statement()
        elif word != ";":
            raise Unusable(f"its text has {word[:40]!r} where a statement should begin")

    def _message(self, message: DescriptorProto, within: str, comment: str, depth: int) -> None:
        """A message, from its name on."""
        tokens = self._tokens
        message.name = tokens.take()
        self._body(message, f"{within}{message.name}", comment, depth)

    def _body(self, message: DescriptorProto, path: str, comment: str, depth: int) -> None:
        if depth > _DEEPEST:
            raise Unusable(f"its messages are nested deeper than {_DEEPEST}")
        tokens = self._tokens
        if comment:
            self.file.comments[path] = comment
        tokens.take("{")
        entries: list[DescriptorProto] = []
        while not tokens.took("}"):
            comment = tokens.comment
            word = tokens.take()
            if word == "message" and tokens.next != "=" and self._is_block():
                self._message(message.nested_type.add(), f"{path}.", comment, depth + 1)
            elif word == "enum" and self._is_block():
                self._enum(message.enum_type.add())
            elif word == "oneof":
                self._oneof(message, path, entries, depth)
            elif word in _PASSED_OVER and tokens.next != "=":
                tokens.skip_statement()
            elif word != ";":
                self._field(message, word, path, comment, entries, depth)
        # Behind the messages that are written out: an index of a message does not count these.
        message.nested_type.extend(entries)
        if self._proto3:
            _add_synthetic_oneofs(message)

    def _is_block(self) -> bool:
        """Whether a name and a block follow: ``message`` and ``enum`` may be names of types too."""
        name = self._tokens.next
        return "." not in name and name.isidentifier()

    def _oneof(
        self, message: DescriptorProto, path: str, entries: list[DescriptorProto], depth: int
    ) -> None:
        tokens = self._tokens
        index = len(message.oneof_decl)
        message.oneof_decl.add(name=tokens.take())
        tokens.take("{")
        while not tokens.took("}"):
            comment = tokens.comment
            word = tokens.take()
            if word == "option":
                tokens.skip_statement()
            elif word != ";":
                self._field(message, word, path, comment, entries, depth, oneof=index)

    def _field(
        self,
        message: DescriptorProto,
        word: str,
        path: str,
        comment: str,
        entries: list[DescriptorProto],
        depth: int,
        oneof: int | None = None,
    ) -> None:
        """A field, whose first word is ``word``."""
        tokens = self._tokens
        proto = message.field.add(label=FieldDescriptorProto.LABEL_OPTIONAL)
        if word in _LABELS and tokens.next != "=":
            proto.label = _LABELS[word]
            proto.proto3_optional = self._proto3 and word == "optional"
            word = tokens.take()
        if word == "group":
            self._group(message, proto, path, comment, depth)
        elif word == "map" and tokens.took("<"):
            key = tokens.take()
            tokens.take(",")
            value = tokens.take()
            tokens.take(">")
            proto.name = tokens.take()
            proto.label = FieldDescriptorProto.LABEL_REPEATED
            entry = _entry(proto.name, key, value)
            entries.append(entry)
            proto.type_name = entry.name
        else:
            _set_type(proto, word)
            proto.name = tokens.take()
        if proto.type != FieldDescriptorProto.TYPE_GROUP:
            tokens.take("=")
            proto.number = tokens.integer()
            tokens.skip_brackets()
            tokens.take(";")
        if oneof is not None:
            proto.oneof_index = oneof
        if comment:
            self.file.comments[f"{path}.{proto.name}"] = comment

    def _group(
        self,
        message: DescriptorProto,
        proto: FieldDescriptorProto,
        path: str,
        comment: str,
        depth: int,
    ) -> None:
        tokens = self._tokens
        name = tokens.take()
        tokens.take("=")
        proto.number = tokens.integer()
        tokens.skip_brackets()
        proto.name, proto.type_name = name.lower(), name
        proto.type = FieldDescriptorProto.TYPE_GROUP
        nested = message.nested_type.add(name=name)
        self._body(nested, f"{path}.{name}", comment, depth + 1)

    def _enum(self, enum: EnumDescriptorProto) -> None:
        tokens = self._tokens
        enum.name = tokens.take()
        tokens.take("{")
        while not tokens.took("}"):
            word = tokens.take()
            if word in ("option", "reserved") and tokens.next != "=":
                tokens.skip_statement()
            elif word != ";":
                tokens.take("=")
                enum.value.add(name=word, number=tokens.integer())
                tokens.skip_brackets()
                tokens.take(";")
        numbers = [value.number for value in enum.value]
        if len(set(numbers)) < len(numbers):
            enum.options.allow_alias = True


def _set_type(proto: FieldDescriptorProto, word: str) -> None:
    kind = _TYPES.get(word)
    if kind is None:
        proto.type_name = word
    else:
        proto.type = kind


def _entry(name: str, key: str, value: str) -> DescriptorProto:
    """The message that stands for the entries of a map."""
    camel = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    entry = DescriptorProto(name=f"{camel}Entry")
    entry.options.map_entry = True
    for number, (label, kind) in enumerate((("key", key), ("value", value)), 1):
        part = entry.field.add(name=label, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
        _set_type(part, kind)
    return entry


def _add_synthetic_oneofs(message: DescriptorProto) -> None:
    """Each optional field of ``proto3`` is the only one of a oneof; these follow the real ones."""
    for proto in message.field:
        if proto.proto3_optional:
            proto.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{proto.name}")
