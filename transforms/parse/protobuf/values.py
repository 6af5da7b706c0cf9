"""Messages of Protobuf as plain Python values."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal
from keyword import iskeyword
from math import inf
from typing import Any

from google.protobuf import (
    duration_pb2,
    field_mask_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

from transforms.parse.far_dates import timestamp_of
from transforms.parse.numbers import MAX_DIGITS

Convert = Callable[[Any], Any]

_MICROSECONDS = 1_000_000
_NANOS = 1_000_000_000
_MOST_SECONDS = 315_576_000_000  # what the specification allows a duration, either way
_MOST_SCALE = 10_000
_EXACT = Context(prec=2 * MAX_DIGITS, Emax=10**6, Emin=-(10**6))


class Values:
    """What turns messages of one pool of descriptors into values; made once for each type."""

    def __init__(self) -> None:
        self._of: dict[str, Convert] = {}

    def of(self, message: Descriptor) -> Convert:
        """The function that turns a message of this type into its value; usually a dict.

        It raises ``ValueError`` for a value that the type does not allow.
        """
        if is_well_known(message):
            return _WELL_KNOWN[message.full_name]
        name = message.full_name
        if name not in self._of:
            self._of[name] = lambda value: self._of[name](value)  # for a type that contains itself
            self._of[name] = self._compiled(message)
        return self._of[name]

    def _compiled(self, message: Descriptor) -> Convert:
        """A function with each field written out, which takes half of the time of a loop over them."""
        # By its class: a field may be called like a method of its message.
        kind = GetMessageClass(message)
        constants: dict[str, Any] = {"has": kind.HasField, "has_extension": kind.HasExtension}
        constants["extensions"] = kind.Extensions.__get__
        parts = []
        for number, field in enumerate(fields_of(message)):
            convert = self._field(field)
            constants[f"n{number}"], constants[f"c{number}"] = name_of(field), convert
            value = f"m.{field.name}" if _is_plain(field.name) else f"getattr(m, n{number})"
            has = f"has(m, n{number})"
            if field.is_extension:
                constants[f"e{number}"] = field
                value = f"extensions(m)[e{number}]"
                has = f"has_extension(m, e{number})"
            if convert is not None:
                value = f"c{number}({value})"
            if field.has_presence:
                value = f"({value} if {has} else None)"
            parts.append(f"n{number}: {value}")
        function: Convert = eval(f"lambda m: {{{', '.join(parts)}}}", constants)  # noqa: S307 - plain names
        return function

    def _field(self, field: FieldDescriptor) -> Convert | None:
        """What turns the value of a field into a plain one; None where it is one."""
        message = field.message_type
        if message is not None and message.GetOptions().map_entry:
            key, value = message.fields_by_name["key"], message.fields_by_name["value"]
            return _map(_key(key), self._single(value))
        convert = self._single(field)
        if field.is_repeated:
            return list if convert is None else lambda items: [convert(item) for item in items]
        return convert

    def _single(self, field: FieldDescriptor) -> Convert | None:
        if field.message_type is not None:
            return self.of(field.message_type)
        if field.enum_type is not None:
            names: dict[int, str] = {}
            for value in field.enum_type.values:
                names.setdefault(value.number, value.name)  # of two names, the first one
            return lambda number: names.get(number, str(number))
        return None


def fields_of(message: Descriptor) -> list[FieldDescriptor]:
    """The fields of a message, and behind them the extensions that the files of its pool define."""
    if not message.is_extendable:
        return list(message.fields)
    extensions = message.file.pool.FindAllExtensions(message)
    return [*message.fields, *sorted(extensions, key=lambda field: field.number)]


def name_of(field: FieldDescriptor) -> str:
    """The name of a field in a value; one of an extension is written as in Protobuf's JSON.

    So an extension ``limit`` of a package ``shop`` is ``[shop.limit]``, which no field can be called.
    """
    return f"[{field.full_name}]" if field.is_extension else field.name


def has_required(message: Descriptor) -> bool:
    """Whether a message, or one within it, has a field that must be there."""
    seen = {message.full_name}
    left = [message]
    while left:
        for field in fields_of(left.pop()):
            if field.is_required:
                return True
            inner = field.message_type
            if inner is not None and inner.full_name not in seen:
                seen.add(inner.full_name)
                left.append(inner)
    return False


def _is_plain(name: str) -> bool:
    """Whether a name may stand in a program."""
    return name.isascii() and name.isidentifier() and not iskeyword(name)


def depth_of(message: Descriptor) -> float:
    """How deep values of a type are nested at most; infinity for one that contains itself, or any value."""
    try:
        return _depth(message, {})
    except RecursionError:
        return inf


def _depth(message: Descriptor, depths: dict[str, float]) -> float:
    name = message.full_name
    if is_well_known(message):
        return inf if name in _FREE else 0.0
    if name not in depths:
        depths[name] = inf  # as long as it is not known: it contains itself
        deepest = 0.0
        for field in fields_of(message):
            inner, entries = 0.0, field.message_type
            if entries is not None and entries.GetOptions().map_entry:
                value = entries.fields_by_name["value"].message_type
                inner = 0.0 if value is None else _depth(value, depths)
            elif entries is not None:
                inner = _depth(entries, depths)
            deepest = max(deepest, inner + bool(field.is_repeated))
        depths[name] = 1.0 + deepest
    return depths[name]


def _map(name: Callable[[Any], str], convert: Convert | None) -> Convert:
    """What turns a map into a dict; it asks for keys that are there, since others would get a value."""
    if convert is None:
        return lambda held: {name(key): held[key] for key in list(held)}
    return lambda held: {name(key): convert(held[key]) for key in list(held)}


def _key(field: FieldDescriptor) -> Callable[[Any], str]:
    """What makes a key of a map a name, as Protobuf's JSON does."""
    if field.type == FieldDescriptor.TYPE_BOOL:
        return lambda key: "true" if key else "false"
    return str


def _timestamp(message: Any) -> Any:
    if not 0 <= message.nanos < _NANOS:
        raise ValueError("a timestamp has nanoseconds beyond a second")
    return timestamp_of(message.seconds * _MICROSECONDS + message.nanos // 1_000, utc=True)


def duration_text(message: Any) -> str:
    """A duration as ISO 8601 writes it, to the nanosecond: ``PT1.5S``, ``-PT0.000000001S``.

    Raises:
        ValueError: Its seconds and nanoseconds have different signs, or it is beyond 10,000 years.
    """
    seconds, nanos = message.seconds, message.nanos
    if abs(nanos) >= _NANOS or abs(seconds) > _MOST_SECONDS or seconds * nanos < 0:
        raise ValueError("a duration is out of its range")
    sign = "-" if seconds < 0 or nanos < 0 else ""
    fraction = f".{abs(nanos):09}".rstrip("0") if nanos else ""
    return f"{sign}PT{abs(seconds)}{fraction}S"


def _struct(message: Any) -> dict[str, Any]:
    return {name: _value(message.fields[name]) for name in list(message.fields)}


def _list(message: Any) -> list[Any]:
    return [_value(item) for item in message.values]


def _value(message: Any) -> Any:
    kind = message.WhichOneof("kind")
    if kind is None or kind == "null_value":
        return None
    value = getattr(message, kind)
    if kind == "struct_value":
        return _struct(value)
    return _list(value) if kind == "list_value" else value


def _decimal(message: Any) -> Decimal:
    if abs(message.scale) > _MOST_SCALE or len(message.value) > _MOST_SCALE:
        raise ValueError("a decimal has too many digits")
    unscaled = int.from_bytes(message.value, "big", signed=True)
    return Decimal(unscaled).scaleb(-message.scale, _EXACT)


def _wrapped(message: Any) -> Any:
    return message.value


_WELL_KNOWN: dict[str, Convert] = {
    "google.protobuf.Timestamp": _timestamp,
    "google.protobuf.Duration": duration_text,
    "google.protobuf.Struct": _struct,
    "google.protobuf.Value": _value,
    "google.protobuf.ListValue": _list,
    "google.protobuf.FieldMask": lambda message: ",".join(message.paths),
    "confluent.type.Decimal": _decimal,
    **{
        f"google.protobuf.{kind}Value": _wrapped
        for kind in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32")
    },
    **{f"google.protobuf.{kind}Value": _wrapped for kind in ("Bool", "String", "Bytes")},
}
"""Messages that stand for a value."""

_FREE = {f"google.protobuf.{kind}" for kind in ("Struct", "Value", "ListValue")}
"""Those that stand for any value."""


def _layout(message: Descriptor) -> list[tuple[str, int, bool]]:
    return [(field.name, field.type, field.is_repeated) for field in message.fields]


_FILES: tuple[Any, ...] = (
    duration_pb2,
    field_mask_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
_LAYOUTS = {
    message.full_name: _layout(message)
    for file in _FILES
    for message in file.DESCRIPTOR.message_types_by_name.values()
} | {
    "confluent.type.Decimal": [
        ("value", FieldDescriptor.TYPE_BYTES, False),
        ("precision", FieldDescriptor.TYPE_UINT32, False),
        ("scale", FieldDescriptor.TYPE_INT32, False),
    ]
}


def is_well_known(message: Descriptor) -> bool:
    """Whether a message stands for a value; one that is only called like it does not."""
    name = message.full_name
    return name in _WELL_KNOWN and _layout(message) == _LAYOUTS[name]
