"""What a range of an object held: a checksum by which the same bytes are recognised later."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

_POLYNOMIAL = 0xEDB88320
"""Of CRC-32 as zlib computes it, the lowest bit first."""

_ONE = 1 << 31


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a range.

    Attributes:
        length: How many there are.
        crc: Their CRC-32, as ``zlib.crc32`` computes it.
        framing: How records are cut out of them; empty if that makes no difference.
    """

    length: int = 0
    crc: int = 0
    framing: str = ""

    def __str__(self) -> str:
        """The text that ``content_from`` reads.

        >>> str(Content(5, 0xABC, "csv"))
        '5 00000abc csv'
        """
        return f"{self.length} {self.crc:08x} {self.framing}".rstrip()

    def then(self, after: Content) -> Content:
        """These bytes followed by those of ``after``.

        >>> from zlib import crc32
        >>> Content(2, crc32(b"ab")).then(Content(3, crc32(b"cde"))).crc == crc32(b"abcde")
        True
        """
        if not after.length:
            return self
        if not self.length:
            return after
        crc = _times(_power(after.length), self.crc) ^ after.crc
        return Content(self.length + after.length, crc, self.framing)

    def without(self, before: Content) -> Content:
        """What follows on ``before``, with which these bytes begin.

        >>> from zlib import crc32
        >>> Content(5, crc32(b"abcde")).without(Content(2, crc32(b"ab"))).crc == crc32(b"cde")
        True
        """
        length = self.length - before.length
        if not before.length or not length:
            return self if length else Content(framing=self.framing)
        return Content(length, self.crc ^ _times(_power(length), before.crc), self.framing)


def content_from(text: str) -> Content:
    """The content that a text stands for, as ``str`` writes it.

    >>> content_from("5 00000abc csv")
    Content(length=5, crc=2748, framing='csv')
    """
    length, crc, *framing = text.split(" ", 2)
    return Content(int(length), int(crc, 16), *framing)


def _times(a: int, b: int) -> int:
    """The product of two polynomials over GF(2), modulo that of CRC-32."""
    product = 0
    while a:
        if a & _ONE:
            product ^= b
        a = (a << 1) & 0xFFFFFFFF
        b = (b >> 1) ^ _POLYNOMIAL if b & 1 else b >> 1
    return product


def _power(length: int) -> int:
    """What to multiply a checksum by so that ``length`` bytes may follow: x to the 8 * length."""
    power, bit = _ONE, 3
    while length:
        if length & 1:
            power = _times(_squared(bit), power)
        length >>= 1
        bit += 1
    return power


@cache
def _squared(times: int) -> int:
    """x, squared so many times."""
    value = _ONE >> 1
    for _ in range(times):
        value = _times(value, value)
    return value
