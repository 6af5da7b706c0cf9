"""The headers of Parquet's pages, which pyarrow does not show.

They stand before each page, in Thrift's compact protocol (PageHeader in
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift). Only they say
how large a page becomes before it is decompressed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DATA, DICTIONARY, DATA_V2 = 0, 2, 3
"""Types of pages that hold values."""

PLAIN, RLE = 0, 3
"""Encodings."""

_PLAIN_DICTIONARY = 2
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_DEEPEST = 8
_DETAILS = {DATA: 5, DICTIONARY: 7, DATA_V2: 8}
"""The field of the header that describes a page of each type."""

Fields = Mapping[int, Any]


class Incomplete(Exception):
    """The header goes on beyond the bytes that there are."""


@dataclass(frozen=True, slots=True)
class PageHeader:
    """What stands before a page.

    Attributes:
        length: Of the header itself, in bytes.
        type: ``DATA``, ``DICTIONARY``, ``DATA_V2`` or another, which readers pass over.
        stored: Bytes of the page as it is stored.
        size: Bytes of the page once it is decompressed.
        details: The fields that describe a page of this type.
    """

    length: int
    type: int
    stored: int
    size: int
    details: Fields

    @property
    def is_plain(self) -> bool:
        """Whether the values stand in the page one after another, as they are."""
        if self.type == DICTIONARY:
            return self.details.get(2) in (PLAIN, _PLAIN_DICTIONARY)
        if self.type == DATA_V2:
            return self.details.get(4) == PLAIN
        return self.type == DATA and tuple(map(self.details.get, (2, 3, 4))) == (PLAIN, RLE, RLE)

    def resized(self, stored: int, size: int) -> bytes:
        """The bytes of this header for a page of another size.

        A page of type ``DATA_V2`` is then not compressed.
        """
        details = {key: value for key, value in self.details.items() if type(value) is not dict}
        if self.type == DATA_V2:
            details[7] = False
        fields = {1: self.type, 2: size, 3: stored, _DETAILS[self.type]: details}
        return _struct_bytes(fields)


def read_header(data: bytes | memoryview) -> PageHeader:
    """The header that ``data`` begins with.

    Raises:
        Incomplete: ``data`` ends within it.
        ValueError: It is none.
    """
    try:
        fields, at = _struct(data, 0, 0)
    except IndexError:
        raise Incomplete from None
    kind, size, stored = fields.get(1), fields.get(2), fields.get(3)
    if type(kind) is not int or type(size) is not int or type(stored) is not int:
        raise ValueError("a page's header lacks its type or size")
    if size < 0 or stored < 0:
        raise ValueError("a page's header has a negative size")
    details = fields.get(_DETAILS.get(kind, 0), {})
    return PageHeader(at, kind, stored, size, details if type(details) is dict else {})


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
            raise ValueError("a number in a page's header has no end")


def _struct(data: bytes | memoryview, at: int, depth: int) -> tuple[dict[int, Any], int]:
    """The fields of the struct that begins at ``at``, and where it ends."""
    if depth > _DEEPEST:
        raise ValueError("a page's header is nested too deep")
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
    """The value of another type than a boolean that begins at ``at``; None for binary."""
    if _BYTE < kind < _DOUBLE:
        number, at = _varint(data, at)
        return (number >> 1) ^ -(number & 1), at
    if kind == _STRUCT:
        return _struct(data, at, depth + 1)
    if kind == _BINARY:
        length, at = _varint(data, at)
        end = at + length
    elif kind == _BYTE:
        end = at + 1
    elif kind == _DOUBLE:
        end = at + 8
    else:
        raise ValueError(f"a page's header has a field of type {kind}")
    if end > len(data):
        raise IndexError
    return None, end


def _struct_bytes(fields: Fields) -> bytes:
    """A struct of integers, booleans and structs."""
    parts = []
    before = 0
    for number, value in sorted(fields.items()):
        if value is None:
            continue
        kind = _STRUCT if isinstance(value, dict) else 5
        if isinstance(value, bool):
            kind = _TRUE if value else _FALSE
        parts.append(bytes([(number - before) << 4 | kind]))
        before = number
        if isinstance(value, dict):
            parts.append(_struct_bytes(value))
        elif not isinstance(value, bool):
            parts.append(_varint_bytes(value << 1 if value >= 0 else (-value << 1) - 1))
    return b"".join([*parts, b"\0"])


def _varint_bytes(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)
