"""Random schemas of Protobuf: the text of each, and the descriptor that protoc would make of it.

Text and descriptor are made of one model, so neither depends on the reader of the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    Edition,
    EnumDescriptorProto,
    FeatureSet,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

SCALARS = {
    name: Field.Type.Value(f"TYPE_{name.upper()}")
    for name in (
        *("double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string"),
        *("bytes", "uint32", "sfixed32", "sfixed64", "sint32", "sint64"),
    )
}
KEYS = tuple(name for name in SCALARS if name not in ("double", "float", "bytes"))
WELL_KNOWN = {
    **dict.fromkeys(("Timestamp",), "timestamp"),
    **dict.fromkeys(("Duration",), "duration"),
    **dict.fromkeys(("Struct", "Value", "ListValue"), "struct"),
    **dict.fromkeys(("FieldMask",), "field_mask"),
    **dict.fromkeys(("DoubleValue", "FloatValue", "Int64Value", "UInt64Value"), "wrappers"),
    **dict.fromkeys(("Int32Value", "UInt32Value", "BoolValue"), "wrappers"),
    **dict.fromkeys(("StringValue", "BytesValue"), "wrappers"),
}
DECIMAL = "confluent.type.Decimal"
WORDS = (
    *("a", "id", "name", "value", "message", "optional", "repeated", "required", "map", "syntax"),
    *("import", "package", "enum", "oneof", "option", "reserved", "extensions", "extend", "to"),
    *("max", "class", "from", "lambda", "int32", "string", "group", "rpc", "stream", "service"),
    *("public", "weak", "true", "inf", "nan", "default", "clear", "fields", "edition", "returns"),
)
TYPES = ("Order", "Item", "Kind", "Entry", "Money", "State", "Node", "Tree", "Line", "Part")


@dataclass
class Message:
    """A message of the model.

    Attributes:
        full_name: Its name with package and all that surrounds it.
        path: Its place among the messages of the file, then among those within part.
        descriptor: What is made of it.
        lines: The text of what is in it.
    """

    full_name: str
    path: tuple[int, ...]
    descriptor: DescriptorProto
    lines: list[str] = field(default_factory=list)
    inner: list[Message] = field(default_factory=list)
    enums: list[tuple[EnumDescriptorProto, list[str]]] = field(default_factory=list)


@dataclass
class File:
    """A file, as it would be registered.

    Attributes:
        name: The name under which others import it.
        text: The file.
        descriptor: What protoc would make of it.
        messages: The full name of each message, and its place; entries of maps have none.
    """

    name: str
    text: str
    descriptor: FileDescriptorProto
    messages: dict[str, tuple[int, ...]]


class Maker:
    """Makes one file.

    Args:
        random: All choices.
        name: The name of the file.
        imported: Full names of messages of another file, which this one imports.
    """

    def __init__(self, random: Random, name: str, imported: File | None = None) -> None:
        self.random = random
        self.syntax = random.choice(("proto2", "proto3", "2023"))
        self.package = random.choice(("", "shop", "shop.v1", "google.shop"))
        if imported is not None and self.package == imported.descriptor.package:
            self.package = "own.files"
        self.file = FileDescriptorProto(name=name, package=self.package)
        self.implicit = self.syntax == "proto3"
        self.imported = imported
        self.messages: list[Message] = []
        self.enums: list[tuple[EnumDescriptorProto, list[str]]] = []
        self.closed: dict[str, bool] = {}
        self.first: dict[str, int] = {}
        self.used: set[str] = set()
        self.taken: dict[str, set[str]] = {}
        self.head: list[str] = []

    def file_of(self) -> File:
        """The file."""
        random = self.random
        if self.syntax == "2023":
            self.file.syntax, self.file.edition = "editions", Edition.EDITION_2023
            if random.random() < 0.4:
                self.implicit = True
                self.file.options.features.field_presence = FeatureSet.IMPLICIT
                self.head.append("option features.field_presence = IMPLICIT;")
        elif self.syntax == "proto3":
            self.file.syntax = "proto3"
        for number in range(random.randint(1, 3)):
            self.messages.append(self._message(self.package, (number,), 0))
        if random.random() < 0.6:
            self.enums.append(self._enum(self.package))
        everything = list(_all(self.messages))
        for message in everything:
            self._fill(message, everything)
        for message in self.messages:
            self.file.message_type.append(_assembled(message))
        self.file.enum_type.extend(enum for enum, _ in self.enums)
        paths = {message.full_name: message.path for message in everything}
        return File(self.file.name, self._text(), self.file, paths)

    def _named(self, pool: tuple[str, ...], taken: set[str]) -> str:
        """A name that differs from others also without regard to case and underscores."""
        while True:
            name = self.random.choice(pool)
            if self.random.random() < 0.5:
                name += f"{self.random.choice(('', '_'))}{self.random.randint(1, 99)}"
            if (plain := name.replace("_", "").lower()) not in taken:
                taken.add(plain)
                return name

    def _message(self, scope: str, path: tuple[int, ...], depth: int) -> Message:
        taken = self._taken(scope)
        name = self._named(TYPES, taken)
        full = f"{scope}.{name}" if scope else name
        message = Message(full, path, DescriptorProto(name=name))
        inner = self.random.randint(0, 2) if depth < 2 else 0
        for number in range(inner):
            message.inner.append(self._message(full, (*path, number), depth + 1))
        if self.random.random() < 0.4:
            message.enums.append(self._enum(full))
        return message

    def _taken(self, scope: str) -> set[str]:
        return self.taken.setdefault(scope, set())

    def _enum(self, scope: str) -> tuple[EnumDescriptorProto, list[str]]:
        random = self.random
        taken = self._taken(scope)
        enum = EnumDescriptorProto(name=self._named(TYPES, taken))
        full = f"{scope}.{enum.name}" if scope else enum.name
        lines = []
        closed = self.syntax == "proto2"
        if self.syntax == "2023" and random.random() < 0.3:
            closed = True
            enum.options.features.enum_type = FeatureSet.CLOSED
            lines.append("option features.enum_type = CLOSED;")
        numbers = random.sample((-(2**31), -1, 1, 2, 3, 7, 300, 2**31 - 1), random.randint(0, 4))
        if not closed or not numbers or random.random() < 0.5:
            numbers.insert(0, 0)
        if random.random() < 0.3:
            enum.options.allow_alias = True
            lines.append("option allow_alias = true;")
            numbers.append(numbers[0])
        for number in numbers:
            name = self._named(tuple(word.upper() for word in WORDS), taken)
            enum.value.add(name=name, number=number)
            lines.append(f"{name} = {self._number(number)};")
        self.closed[full] = closed
        self.first[full] = enum.value[0].number
        return enum, lines

    def _number(self, number: int) -> str:
        if number > 0 and self.random.random() < 0.2:
            return self.random.choice((f"0x{number:x}", f"0{number:o}", f"0X{number:X}"))
        return str(number)

    def _fill(self, message: Message, everything: list[Message]) -> None:
        """Give a message its fields."""
        random, names = self.random, self._taken(message.full_name)
        numbers = {*(part * 3 + 1 for part in range(8)), 16, 2047, 18_999, 20_000, 2**29 - 1}
        left = random.sample(sorted(numbers), len(numbers))
        types = [part.full_name for part in everything]
        for _ in range(random.randint(0, 6)):
            kind = random.random()
            if kind < 0.12 and len(left) > 4:
                self._oneof(
                    message, [left.pop() for _ in range(random.randint(1, 3))], types, names
                )
            elif kind < 0.27:
                self._map(message, left.pop(), types, names)
            elif kind < 0.35 and self.syntax == "proto2":
                self._group(message, left.pop(), names)
            else:
                self._field(message, left.pop(), types, names)
        if random.random() < 0.2:
            message.lines.insert(0, 'reserved 1000 to 1010, 5000; reserved "gone", "old";')
        if random.random() < 0.1:
            message.lines.append(random.choice((";", "option deprecated = true;")))

    def _type(self, message: Message, types: list[str]) -> tuple[str, int, str]:
        """A type for a field: how it is written, its number, and its full name, if it has one."""
        random = self.random
        chosen = random.random()
        if chosen < 0.55:
            name = random.choice(tuple(SCALARS))
            return name, SCALARS[name], ""
        if chosen < 0.7 and self.closed:
            full = random.choice(sorted(self.closed))
            return self._reference(full, message.full_name), Field.TYPE_ENUM, full
        if chosen < 0.85:
            full = random.choice(types)
            if self.imported is not None and random.random() < 0.4:
                full = random.choice(sorted(self.imported.messages))
                self.used.add(self.imported.name)
            return self._reference(full, message.full_name), Field.TYPE_MESSAGE, full
        if random.random() < 0.15:
            self.used.add("confluent/type/decimal.proto")
            return f".{DECIMAL}", Field.TYPE_MESSAGE, DECIMAL
        name = random.choice(tuple(WELL_KNOWN))
        self.used.add(f"google/protobuf/{WELL_KNOWN[name]}.proto")
        full = f"google.protobuf.{name}"
        return self._reference(full, message.full_name), Field.TYPE_MESSAGE, full

    def _reference(self, full: str, scope: str) -> str:
        """One of the ways in which a type may be called within ``scope``."""
        parts = full.split(".")
        ways = [f".{full}"]
        for start in range(len(parts)):
            way = ".".join(parts[start:])
            if self._resolved(way, scope) == full:
                ways.append(way)
        return self.random.choice(ways)

    def _resolved(self, way: str, scope: str) -> str | None:
        """What a name means within ``scope``: where its first part is found, the rest must be."""
        types = {part.full_name for part in _all(self.messages)} | set(self.closed)
        types |= set(self.imported.messages) if self.imported is not None else set()
        types |= {DECIMAL, *(f"google.protobuf.{name}" for name in WELL_KNOWN)}
        packages = {name[:end] for name in types for end, c in enumerate(name) if c == "."}
        first = way.split(".")[0]
        scopes = scope.split(".")
        for end in range(len(scopes), -1, -1):
            prefix = ".".join([*scopes[:end], ""]) if end else ""
            if prefix + first in types | packages:
                return prefix + way
        return None

    def _field(
        self, message: Message, number: int, types: list[str], names: set[str], oneof: int = -1
    ) -> None:
        random = self.random
        written, kind, full = self._type(message, types)
        name = self._named(WORDS, names)
        proto = Field(name=name, number=number, type=kind, label=Field.LABEL_OPTIONAL)
        if full:
            proto.type_name = f".{full}"
        label, options = "", list[str]()
        closed = kind == Field.TYPE_ENUM and self.closed[full]
        if oneof >= 0:
            proto.oneof_index = oneof
        elif random.random() < 0.25:
            label, proto.label = "repeated", Field.LABEL_REPEATED
            self._packing(proto, options)
        elif self.syntax == "proto2":
            required = random.random() < 0.2 and kind != Field.TYPE_MESSAGE
            label = "required" if required else "optional"
            proto.label = Field.LABEL_REQUIRED if required else Field.LABEL_OPTIONAL
            if kind == Field.TYPE_INT32 and random.random() < 0.5:
                proto.default_value = "-7"
                options.append("default = -7")
        elif self.syntax == "proto3" and random.random() < 0.3:
            label, proto.proto3_optional = "optional", True
        elif self.syntax == "2023":
            self._presence(proto, options, closed)
        if random.random() < 0.1:
            options.append("deprecated = true")
            proto.options.deprecated = True
        if random.random() < 0.1:
            options.append(f'json_name = "{name}X"')
        ending = f" [{', '.join(options)}]" if options else ""
        message.descriptor.field.append(proto)
        line = f"{label} {written} {name} = {self._number(number)}{ending};"
        message.lines.append(line.strip())

    def _packing(self, proto: Field, options: list[str]) -> None:
        strings = (Field.TYPE_STRING, Field.TYPE_BYTES, Field.TYPE_MESSAGE)
        if proto.type in strings or self.random.random() < 0.6:
            return
        if self.syntax == "2023":
            proto.options.features.repeated_field_encoding = FeatureSet.EXPANDED
            options.append("features.repeated_field_encoding = EXPANDED")
        else:
            proto.options.packed = self.random.random() < 0.5
            options.append(f"packed = {str(proto.options.packed).lower()}")

    def _presence(self, proto: Field, options: list[str], closed: bool) -> None:
        random, features = self.random, proto.options.features
        if proto.type == Field.TYPE_MESSAGE:
            own = proto.type_name.rpartition(".")[0] and not proto.type_name.startswith(
                ".google.pro"
            )
            if own and random.random() < 0.3:
                features.message_encoding = FeatureSet.DELIMITED
                options.append("features.message_encoding = DELIMITED")
            return
        if closed and self.implicit:
            presence = "EXPLICIT"
        elif random.random() < 0.4:
            presence = random.choice(("EXPLICIT", "LEGACY_REQUIRED") + ("IMPLICIT",) * (not closed))
        else:
            return
        features.field_presence = FeatureSet.FieldPresence.Value(presence)
        options.append(f"features.field_presence = {presence}")

    def _oneof(
        self, message: Message, numbers: list[int], types: list[str], names: set[str]
    ) -> None:
        name = self._named(WORDS, names)
        index = len(message.descriptor.oneof_decl)
        message.descriptor.oneof_decl.add(name=name)
        before = len(message.lines)
        for number in numbers:
            self._field(message, number, types, names, index)
        inner = message.lines[before:]
        del message.lines[before:]
        message.lines.append(f"oneof {name} {{ {' '.join(inner)} }}")

    def _map(self, message: Message, number: int, types: list[str], names: set[str]) -> None:
        key = self.random.choice(KEYS)
        written, kind, full = self._type(message, types)
        if kind == Field.TYPE_ENUM and (self.first[full] or (self.implicit and self.closed[full])):
            written, kind, full = "int32", Field.TYPE_INT32, ""
        name = self._named(WORDS, names)
        entry = "".join(part[:1].upper() + part[1:] for part in name.split("_")) + "Entry"
        if (plain := entry.lower()) in names:
            return
        names.add(plain)
        nested = message.descriptor.nested_type.add(name=entry)
        nested.options.map_entry = True
        nested.field.add(name="key", number=1, type=SCALARS[key], label=Field.LABEL_OPTIONAL)
        value = nested.field.add(name="value", number=2, type=kind, label=Field.LABEL_OPTIONAL)
        if full:
            value.type_name = f".{full}"
        message.descriptor.field.add(
            name=name,
            number=number,
            type=Field.TYPE_MESSAGE,
            type_name=f".{message.full_name}.{entry}",
            label=Field.LABEL_REPEATED,
        )
        message.lines.append(f"map<{key}, {written}> {name} = {number};")

    def _group(self, message: Message, number: int, names: set[str]) -> None:
        name = self._named(tuple(f"Group{part}" for part in "ABC"), names)
        full = f"{message.full_name}.{name}"
        group = Message(full, (), DescriptorProto(name=name))
        group.descriptor.field.add(
            name="n", number=1, type=Field.TYPE_SINT64, label=Field.LABEL_OPTIONAL
        )
        group.descriptor.field.add(
            name="texts", number=2, type=Field.TYPE_STRING, label=Field.LABEL_REPEATED
        )
        message.descriptor.nested_type.append(group.descriptor)
        repeated = self.random.random() < 0.5
        message.descriptor.field.add(
            name=name.lower(),
            number=number,
            type=Field.TYPE_GROUP,
            type_name=f".{full}",
            label=Field.LABEL_REPEATED if repeated else Field.LABEL_OPTIONAL,
        )
        label = "repeated" if repeated else "optional"
        body = "optional sint64 n = 1; repeated string texts = 2;"
        message.lines.append(f"{label} group {name} = {number} {{ {body} }}")

    def _text(self) -> str:
        """The file, with blanks and comments in between."""
        parts = []
        if self.syntax == "2023":
            parts.append('edition = "2023";')
        elif self.syntax == "proto3" or self.random.random() < 0.5:
            parts.append(f'syntax = "{self.syntax}";')
        for name in sorted(self.used):
            parts.append(f'import "{name}";')
        self.file.dependency.extend(sorted(self.used))
        rest = [f"package {self.package};"] if self.package else []
        rest += [*self.head, 'option java_package = "com.shop";']
        self.file.options.java_package = "com.shop"
        rest += [self._written(message) for message in self.messages]
        rest += [f"enum {enum.name} {{ {' '.join(lines)} }}" for enum, lines in self.enums]
        return self._spread(" ".join([*parts, *rest]))

    def _written(self, message: Message) -> str:
        inner = [self._written(part) for part in message.inner]
        enums = [f"enum {enum.name} {{ {' '.join(lines)} }}" for enum, lines in message.enums]
        body = [*inner, *enums, *message.lines]
        if not any(part.path for part in message.inner):
            self.random.shuffle(body)
        return f"message {message.descriptor.name} {{ {' '.join(body)} }}"

    def _spread(self, text: str) -> str:
        blanks = (" ", "\n", "\t", "  ", " // it's { a comment\n", ' /* " */ ', "\r\n")
        weights = (20, 3, 1, 1, 1, 1, 1)
        pieces = text.split(" ")
        gaps = self.random.choices(blanks, weights, k=len(pieces))
        return "".join(piece + gap for piece, gap in zip(pieces, gaps, strict=True))


def _all(messages: list[Message]) -> Iterator[Message]:
    for message in messages:
        yield message
        yield from _all(message.inner)


def _assembled(message: Message) -> DescriptorProto:
    """The descriptor with what is within the message; entries of maps stand behind that."""
    proto = DescriptorProto()
    proto.CopyFrom(message.descriptor)
    del proto.nested_type[:]
    proto.nested_type.extend(_assembled(part) for part in message.inner)
    proto.nested_type.extend(message.descriptor.nested_type)
    proto.enum_type.extend(enum for enum, _ in message.enums)
    for index, part in enumerate(proto.field):
        if part.proto3_optional:
            proto.field[index].oneof_index = len(proto.oneof_decl)
            proto.oneof_decl.add(name=f"_{part.name}")
    return proto


def schemas(random: Random) -> list[File]:
    """One file, or a file and the one that it imports; the last one is the schema."""
    other = Maker(random, "other/common.proto").file_of() if random.random() < 0.4 else None
    main = Maker(random, "main.proto", other).file_of()
    return [main] if other is None else [other, main]
