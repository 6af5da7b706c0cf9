"""Read the parts of a record in Avro's binary encoding (https://avro.apache.org/docs/1.12.0/specification/).

The functions that ``program`` compiles for a schema have the usual cases written out and call these
for the others. Each takes the bytes and where to begin, and returns a value and where it ends.
"""

from __future__ import annotations

from struct import Struct

DOUBLE = Struct("<d").unpack_from
FLOAT = Struct("<f").unpack_from

_MOST_SHIFT = 63
_LAST = 0x80


class Unfit(ValueError):
    """The bytes do not fit the schema; the message says why and quotes nothing of them."""


def long_at(data: bytes, at: int) -> tuple[int, int]:
    """An integer of up to 64 bits.

    Raises:
        Unfit: It is longer.
        IndexError: The bytes end within it.

    >>> long_at(bytes([0x80, 0x01]), 0)
    (64, 2)
    """
    byte = data[at]
    value, shift = byte & 0x7F, 7
    while byte >= _LAST:
        at += 1
        byte = data[at]
        if shift == _MOST_SHIFT and byte > 1:
            raise Unfit("a number has more than 64 bits")
        value |= (byte & 0x7F) << shift
        shift += 7
    return (value >> 1) ^ -(value & 1), at + 1


def length_at(data: bytes, at: int) -> tuple[int, int]:
    """The length of bytes or text.

    Raises:
        Unfit: It is negative, or no integer of 64 bits.
        IndexError: The bytes end within it.
    """
    length, at = long_at(data, at)
    if length < 0:
        raise Unfit("a length is negative")
    return length, at


def count_at(data: bytes, at: int) -> tuple[int, int]:
    """How many items the next block of an array or a map has; 0 ends it.

    Raises:
        Unfit, IndexError: As ``long_at``.
    """
    count, at = long_at(data, at)
    if count < 0:
        _, at = long_at(data, at)  # the size of the block, for those who pass over it
        count = -count
    return count, at
