"""Thrift's compact protocol, in which Parquet's footers and pages' headers are written.

Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_TRUE, _FALSE, _BYTE, _I32, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = (
    1,
    2,
    3,
    5,
    7,
    8,
    9,
    10,
    11,
    12,
)
_DEEPEST = 12


def read_struct(data: bytes | memoryview, at: int = 0) -> tuple[dict[int, Any], int]:
    """The fields of the struct that begins at ``at``, by number, and where it ends.

    Raises:
        IndexError: ``data`` ends within it.
        ValueError: It is none.
    """
    return _struct(data, at, 0)


def struct_bytes(fields: Mapping[int, Any]) -> bytes:
    """The bytes of a struct of integers, booleans, bytes and structs; a number is an i32."""
    parts = []
    before = 0
    for number, value in sorted(fields.items()):
        if value is None:
            continue
        kind, written = _I32, b""
        if isinstance(value, bool):
            kind = _TRUE if value else _FALSE
        elif isinstance(value, dict):
            kind, written = _STRUCT, struct_bytes(value)
        elif isinstance(value, bytes):
            kind, written = _BINARY, varint_bytes(len(value)) + value
        else:
            written = varint_bytes(value << 1 if value >= 0 else (-value << 1) - 1)
        parts.append(bytes([(number - before) << 4 | kind]) + written)
        before = number
    return b"".join([*parts, b"\0"])


def varint_bytes(number: int) -> bytes:
    """A number that is not negative, 7 bits in each byte."""
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def list_bytes(structs: Sequence[bytes]) -> bytes:
    """A list of structs, each of which is written already."""
    count = len(structs)
    head = bytes([count << 4 | _STRUCT]) if count < 15 else bytes([0xF0 | _STRUCT])
    return head + (varint_bytes(count) if count >= 15 else b"") + b"".join(structs)


def _varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
        if shift > 63:
            raise ValueError("a number has no end")


def _struct(data: bytes | memoryview, at: int, depth: int) -> tuple[dict[int, Any], int]:
    """The fields of the struct that begins at ``at``, and where it ends."""
    if depth > _DEEPEST:
        raise ValueError("it is nested too deep")
    fields: dict[int, Any] = {}
    number = 0
    while True:
        head = data[at]
        at += 1
        if head == 0:
            return fields, at
        kind, step = head & 0x0F, head >> 4
        if step:
            number += step
        else:
            number, at = _varint(data, at)
            number = (number >> 1) ^ -(number & 1)
        if kind in (_TRUE, _FALSE):
            fields[number] = kind == _TRUE
        else:
            fields[number], at = _value(data, at, kind, depth)


def _value(data: bytes | memoryview, at: int, kind: int, depth: int) -> tuple[Any, int]:
    """The value that begins at ``at``, of another type than the boolean of a field."""
    if _BYTE < kind < _DOUBLE:
        number, at = _varint(data, at)
        return (number >> 1) ^ -(number & 1), at
    if kind == _STRUCT:
        return _struct(data, at, depth + 1)
    if kind in (_LIST, _SET):
        return _list(data, at, depth + 1)
    if kind == _BINARY:
        length, at = _varint(data, at)
        end = at + length
    elif kind in (_TRUE, _FALSE, _BYTE):  # in a list, a boolean is a byte
        end = at + 1
    elif kind == _DOUBLE:
        end = at + 8
    elif kind == _MAP and data[at] == 0:
        return None, at + 1
    else:
        raise ValueError(f"it has a field of type {kind}")
    if end > len(data):
        raise IndexError
    return bytes(data[at:end]), end


def _list(data: bytes | memoryview, at: int, depth: int) -> tuple[list[Any], int]:
    if depth > _DEEPEST:
        raise ValueError("it is nested too deep")
    head = data[at]
    at += 1
    count, kind = head >> 4, head & 0x0F
    if count == 15:
        count, at = _varint(data, at)
    items = []
    for _ in range(count):
        item, at = _value(data, at, kind, depth)
        items.append(item)
    return items, at
