"""The headers of Parquet's pages, which pyarrow does not show.

They stand before each page, in Thrift's compact protocol (PageHeader in
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift). Only they say
how large a page becomes before it is decompressed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sources.files.parquet.thrift import read_struct, struct_bytes

DATA, DICTIONARY, DATA_V2 = 0, 2, 3
"""Types of pages that hold values."""

PLAIN, RLE = 0, 3
"""Encodings."""

_PLAIN_DICTIONARY = 2
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
        return struct_bytes(fields)


def read_header(data: bytes | memoryview) -> PageHeader:
    """The header that ``data`` begins with.

    Raises:
        Incomplete: ``data`` ends within it.
        ValueError: It is none.
    """
    try:
        fields, at = read_struct(data)
    except IndexError:
        raise Incomplete from None
    kind, size, stored = fields.get(1), fields.get(2), fields.get(3)
    if type(kind) is not int or type(size) is not int or type(stored) is not int:
        raise ValueError("a page's header lacks its type or size")
    if size < 0 or stored < 0:
        raise ValueError("a page's header has a negative size")
    details = fields.get(_DETAILS.get(kind, 0), {})
    return PageHeader(at, kind, stored, size, details if type(details) is dict else {})
