"""Random messages of a type of Protobuf."""

from __future__ import annotations

from random import Random
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

from tests.fuzz.proto_files import DECIMAL


def filled(message: Any, random: Random, depth: int = 0) -> Any:
    """``message`` with values in some of its fields, and in all that are required."""
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None and depth > 4:
            continue
        if not field.is_required and random.random() < 0.3:
            continue
        if field.is_repeated:
            _fill_many(message, field, random, depth)
        elif field.message_type is not None:
            inner = getattr(message, field.name)
            inner.SetInParent()
            _fill_one(inner, random, depth + 1)
        else:
            setattr(message, field.name, _scalar(field, random))
    return message


def _fill_many(message: Any, field: Any, random: Random, depth: int) -> None:
    held = getattr(message, field.name)
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
        for _ in range(random.randint(0, 3)):
            name = _scalar(key, random)
            if value.message_type is not None:
                _fill_one(held[name], random, depth + 1)
            else:
                held[name] = _scalar(value, random)
        return
    for _ in range(random.randint(0, 3)):
        if entry is not None:
            _fill_one(held.add(), random, depth + 1)
        else:
            held.append(_scalar(field, random))


def _fill_one(message: Any, random: Random, depth: int) -> None:
    name = message.DESCRIPTOR.full_name
    if name == "google.protobuf.Timestamp":
        message.seconds = random.choice((0, -1, -62_135_596_800, 253_402_300_799, 1_795_752_306))
        message.nanos = random.choice((0, 1, 999, 1_000, 123_000_000, 999_999_999))
    elif name == "google.protobuf.Duration":
        sign = random.choice((1, -1))
        message.seconds = sign * random.choice((0, 1, 59, 315_576_000_000))
        message.nanos = sign * random.choice((0, 1, 500_000_000, 999_999_999))
    elif name == "google.protobuf.FieldMask":
        message.paths.extend(random.choices(("a", "b.c", "name"), k=random.randint(0, 3)))
    elif name == "google.protobuf.Value":
        _fill_value(message, random, depth)
    elif name == "google.protobuf.ListValue":
        for _ in range(random.randint(0, 3)):
            _fill_value(message.values.add(), random, depth + 1)
    elif name == "google.protobuf.Struct":
        for _ in range(random.randint(0, 3)):
            _fill_value(message.fields[_text(random)], random, depth + 1)
    elif name == DECIMAL:
        message.value = random.choice((b"", b"\0", b"\xff", b"\x7f\0\1", bytes(range(40))))
        message.scale = random.choice((0, 2, -3, 40))
    else:
        filled(message, random, depth)


def _fill_value(message: Any, random: Random, depth: int) -> None:
    kind = random.choice(("null", "number", "string", "bool", "struct", "list"))
    if kind == "null":
        message.null_value = 0
    elif kind == "number":
        message.number_value = random.choice((0.0, -0.5, 1e300, 2.0**53))
    elif kind == "string":
        message.string_value = _text(random)
    elif kind == "bool":
        message.bool_value = random.random() < 0.5
    elif depth > 6:
        message.string_value = "deep"
    else:
        inner = message.struct_value if kind == "struct" else message.list_value
        inner.SetInParent()
        _fill_one(inner, random, depth + 1)


def _text(random: Random) -> str:
    return "".join(
        random.choices(("a", "B", "é", "☃", "😀", "\0", '"', "\\", "\n"), k=random.randint(0, 4))
    )


def _scalar(field: Any, random: Random) -> Any:
    """A value of a scalar type or an enum, often at the end of its range."""
    kind = field.type
    if field.enum_type is not None:
        numbers = [value.number for value in field.enum_type.values]
        return random.choice(numbers if field.enum_type.is_closed else [*numbers, 4_711, -4_711])
    if kind == Field.TYPE_BOOL:
        return random.random() < 0.5
    if kind == Field.TYPE_STRING:
        return _text(random)
    if kind == Field.TYPE_BYTES:
        return bytes(random.choices(range(256), k=random.randint(0, 5)))
    if kind in (Field.TYPE_DOUBLE, Field.TYPE_FLOAT):
        numbers = [0.0, -0.0, 0.1, 1.5, -3.4e38, 1e-40, float("inf"), float("-inf"), float("nan")]
        return random.choice(numbers + [1e300] * (kind == Field.TYPE_DOUBLE))
    wide = kind in (
        *(Field.TYPE_INT64, Field.TYPE_UINT64, Field.TYPE_FIXED64),
        *(Field.TYPE_SFIXED64, Field.TYPE_SINT64),
    )
    bits = 64 if wide else 32
    if kind in (Field.TYPE_UINT64, Field.TYPE_FIXED64, Field.TYPE_UINT32, Field.TYPE_FIXED32):
        return random.choice((0, 1, 127, 128, 2 ** (bits - 1), 2**bits - 1))
    return random.choice((0, 1, -1, 63, -64, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
