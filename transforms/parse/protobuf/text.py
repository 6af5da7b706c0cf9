"""Parse the text of a ``.proto`` file into its descriptor.

Services and most options do not change how a message is read, and are passed over. Names of types stay
as they are written: the pool of descriptors resolves them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    Edition,
    EnumDescriptorProto,
    FeatureSet,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from transforms.parse.protobuf.features import take_option, take_options
from transforms.parse.protobuf.fields import (
    Fields,
    Repeated,
    add_synthetic_oneofs,
    entry_of,
    set_type,
)
from transforms.parse.protobuf.tokens import Tokens
from transforms.parse.registry.schema import Unusable

_DEEPEST = 60
_LABELS = {
    "optional": FieldDescriptorProto.LABEL_OPTIONAL,
    "required": FieldDescriptorProto.LABEL_REQUIRED,
    "repeated": FieldDescriptorProto.LABEL_REPEATED,
}
_PASSED_OVER = ("reserved", "service")
_OPTIONS_OF = ".google.protobuf."
_EVERY_NUMBER = 1 << 29
_EDITIONS = dict(Edition.items())


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
        Unusable: It is no Protobuf of ``proto2``, ``proto3`` or an edition.
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
        if word in ("export", "local"):  # who may use it
            word = tokens.take("message", "enum")
        if word in ("syntax", "edition"):
            tokens.take("=")
            self._language(word, tokens.string())
            tokens.take(";")
        elif word == "package":
            file.package = tokens.type_name()
            tokens.take(";")
        elif word == "import":
            self._import()
        elif word == "message":
            self._message(file.message_type.add(), "", comment, 0)
        elif word == "enum":
            self._enum(file.enum_type.add())
        elif word == "option":
            self._option(file.options)
        elif word == "extend":
            self._extend(file.extension, file.message_type, "", 0)
        elif word in _PASSED_OVER:
            tokens.skip_statement()
        elif word != ";":
            raise Unusable(f"its text has {word[:40]!r} where a statement should begin")

    def _language(self, word: str, name: str) -> None:
        """What a file says it is written in."""
        file = self.file.descriptor
        if word == "syntax":
            if name not in ("proto2", "proto3"):
                raise Unusable(f"its syntax is {name[:20]!r}, neither proto2 nor proto3")
            file.syntax = name
            self._proto3 = name == "proto3"
            return
        edition = _EDITIONS.get(f"EDITION_{name}") if name.isdecimal() else None
        if edition is None:
            raise Unusable(
                f"it is written in edition {name[:20]!r} of Protobuf, which is not known here"
            )
        file.syntax = "editions"
        file.edition = edition

    def _import(self) -> None:
        """What follows ``import``; what is imported for options alone is not needed."""
        tokens, file = self._tokens, self.file.descriptor
        kind = tokens.take() if tokens.next in ("public", "weak", "option") else ""
        name = tokens.string()
        tokens.take(";")
        if kind == "public":
            file.public_dependency.append(len(file.dependency))
        if kind != "option":
            file.dependency.append(name)

    def _option(self, options: _Options) -> None:
        """What follows ``option``."""
        features = FeatureSet()
        take_option(self._tokens, features)
        self._tokens.take(";")
        _set_features(options, features)

    def _message(self, message: DescriptorProto, within: str, comment: str, depth: int) -> None:
        """A message, from its name on."""
        message.name = self._tokens.word()
        self._body(message, f"{within}{message.name}", comment, depth)

    def _body(self, message: DescriptorProto, path: str, comment: str, depth: int) -> None:
        if depth > _DEEPEST:
            raise Unusable(f"its messages are nested deeper than {_DEEPEST}")
        tokens = self._tokens
        tokens.take("{")
        if comment:
            self.file.comments[path] = comment
        fields = Fields(message.field, message.nested_type, path, depth)
        while not tokens.took("}"):
            comment = tokens.comment
            word = tokens.take()
            if word in ("export", "local") and tokens.next in ("message", "enum"):
                word = tokens.take()
            if word == "message" and self._is_block():
                self._message(message.nested_type.add(), f"{path}.", comment, depth + 1)
            elif word == "enum" and self._is_block():
                self._enum(message.enum_type.add())
            elif word == "oneof":
                self._oneof(message, fields)
            elif word == "option" and tokens.next != "=":
                self._option(message.options)
            elif word == "extensions" and tokens.next != "=":
                self._extensions(message)
            elif word == "extend" and tokens.next != "=":
                self._extend(message.extension, message.nested_type, f"{path}.", depth)
            elif word in _PASSED_OVER and tokens.next != "=":
                tokens.skip_statement()
            elif word != ";":
                self._field(fields, word, comment)
        # Behind the messages that are written out: an index of a message does not count these.
        message.nested_type.extend(fields.entries)
        if self._proto3:
            add_synthetic_oneofs(message)

    def _is_block(self) -> bool:
        """Whether a name follows: ``message`` and ``enum`` may be the first words of types too."""
        return self._tokens.next.isidentifier()

    def _extensions(self, message: DescriptorProto) -> None:
        """The numbers that are kept for extensions."""
        tokens = self._tokens
        while True:
            start = tokens.integer()
            end = start + 1
            if tokens.took("to"):
                end = _EVERY_NUMBER if tokens.took("max") else tokens.integer() + 1
            try:
                message.extension_range.add(start=start, end=end)
            except ValueError:
                raise Unusable("it has numbers of extensions that are out of range") from None
            tokens.skip_brackets()
            if tokens.take(",", ";") == ";":
                return

    def _extend(
        self,
        extensions: Repeated[FieldDescriptorProto],
        nested: Repeated[DescriptorProto],
        within: str,
        depth: int,
    ) -> None:
        """Fields that a file adds to a message; those that it adds to options are not needed."""
        tokens = self._tokens
        extendee = tokens.type_name()
        if f".{extendee.lstrip('.')}".startswith(_OPTIONS_OF) and extendee.endswith("Options"):
            tokens.skip_statement()
            return
        fields = Fields(extensions, nested, within.removesuffix("."), depth, extendee=extendee)
        tokens.take("{")
        while not tokens.took("}"):
            word = tokens.take()
            if word != ";":
                self._field(fields, word, "")

    def _oneof(self, message: DescriptorProto, fields: Fields) -> None:
        tokens = self._tokens
        index = len(message.oneof_decl)
        oneof = message.oneof_decl.add(name=tokens.word())
        tokens.take("{")
        while not tokens.took("}"):
            comment = tokens.comment
            word = tokens.take()
            if word == "option" and tokens.next != "=":
                self._option(oneof.options)
            elif word != ";":
                self._field(fields, word, comment).oneof_index = index

    def _field(self, fields: Fields, word: str, comment: str) -> FieldDescriptorProto:
        """A field, whose first word is ``word``."""
        tokens = self._tokens
        proto = fields.target.add(label=FieldDescriptorProto.LABEL_OPTIONAL)
        if fields.extendee:
            proto.extendee = fields.extendee
        if word in _LABELS and tokens.next != "=":
            proto.label = _LABELS[word]
            proto.proto3_optional = self._proto3 and word == "optional" and not fields.extendee
            word = "" if tokens.next == "." else tokens.take()
        if word == "group":
            self._group(fields, proto, comment)
            return proto
        if word == "map" and tokens.took("<"):
            self._map(fields, proto)
        else:
            set_type(proto, tokens.type_name(word))
            proto.name = tokens.word()
            self._number(proto)
        tokens.take(";")
        comment = comment or tokens.remark
        if comment and not fields.extendee:
            self.file.comments[f"{fields.path}.{proto.name}"] = comment
        return proto

    def _number(self, proto: FieldDescriptorProto) -> None:
        """The number of a field, and its options."""
        self._tokens.take("=")
        number = self._tokens.integer()
        if not 0 < number < _EVERY_NUMBER:
            raise Unusable(f"the number of its field {proto.name[:100]} is out of range")
        proto.number = number
        features = FeatureSet()
        take_options(self._tokens, features)
        _set_features(proto.options, features)

    def _map(self, fields: Fields, proto: FieldDescriptorProto) -> None:
        """A field that is a map, from the type of its keys on."""
        tokens = self._tokens
        key = tokens.word()
        tokens.take(",")
        value = tokens.type_name()
        tokens.take(">")
        proto.name = tokens.word()
        proto.label = FieldDescriptorProto.LABEL_REPEATED
        self._number(proto)
        entry = entry_of(proto.name, key, value)
        if proto.options.HasField("features"):
            for part in entry.field:
                part.options.features.CopyFrom(proto.options.features)
        fields.entries.append(entry)
        proto.type_name = entry.name

    def _group(self, fields: Fields, proto: FieldDescriptorProto, comment: str) -> None:
        tokens = self._tokens
        name = tokens.word()
        proto.name, proto.type_name = name.lower(), name
        proto.type = FieldDescriptorProto.TYPE_GROUP
        self._number(proto)
        nested = fields.nested.add(name=name)
        path = f"{fields.path}.{name}" if fields.path else name
        self._body(nested, path, comment, fields.depth + 1)

    def _enum(self, enum: EnumDescriptorProto) -> None:
        tokens = self._tokens
        enum.name = tokens.word()
        tokens.take("{")
        while not tokens.took("}"):
            word = tokens.take()
            if word == "option" and tokens.next != "=":
                self._option(enum.options)
            elif word == "reserved" and tokens.next != "=":
                tokens.skip_statement()
            elif word != ";":
                tokens.take("=")
                enum.value.add(name=word, number=_of_enum(tokens.integer()))
                tokens.skip_brackets()
                tokens.take(";")
        numbers = [value.number for value in enum.value]
        if len(set(numbers)) < len(numbers):
            enum.options.allow_alias = True


class _Options(Protocol):
    """Options of any kind."""

    @property
    def features(self) -> FeatureSet: ...


def _set_features(options: _Options, features: FeatureSet) -> None:
    if features.ByteSize():
        options.features.MergeFrom(features)


def _of_enum(number: int) -> int:
    if not -(1 << 31) <= number < 1 << 31:
        raise Unusable("an enum has a number that is out of range")
    return number
