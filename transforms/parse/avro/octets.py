"""The bytes of several messages in one piece, and the numbers at many places of it, read at once.

Places are counted from the beginning of all bytes. Whoever reads on has to see to it that no message is
read beyond its end (``check``): what stands there is the next message.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from transforms.parse.avro.reading import Unfit

Places = np.ndarray[tuple[Any, ...], np.dtype[np.int64]]
"""Where values begin or end, or other whole numbers, one for each message that is looked at."""

_PADDING = bytes(16)
"""So that what a short message lacks is read from somewhere; ``check`` tells later."""

_MOST_SHIFT = 63
_MORE = 128
_SHORT = np.array([(byte >> 1) ^ -(byte & 1) for byte in range(_MORE)], np.int64)
"""The number that each last byte stands for."""


class Octets:
    """The bytes of messages.

    Args:
        raws: The messages.
        at: Where the body of each begins.

    Attributes:
        raws: The messages.
        whole: All of them.
        starts: Where each one begins.
        bodies: Where the body of each begins.
        ends: Where each one ends.
    """

    def __init__(self, raws: Sequence[bytes], at: int) -> None:
        self.raws = raws
        self.whole = b"".join((*raws, _PADDING))
        self.ends: Places = np.cumsum(np.fromiter(map(len, raws), np.int64, len(raws)))
        self.starts: Places = np.concatenate((_NONE, self.ends[:-1]))
        self.bodies: Places = self.starts + at
        self._bytes = np.frombuffer(self.whole, np.uint8)

    @cached_property
    def characters(self) -> str:
        """Each byte as a character: texts of ASCII are parts of it."""
        return self.whole.decode("latin-1")

    def bytes_at(self, at: Places) -> np.ndarray[tuple[Any, ...], np.dtype[np.uint8]]:
        """The byte at each place."""
        return self._bytes[at]

    def doubles_at(self, at: Places) -> np.ndarray[tuple[Any, ...], np.dtype[np.float64]]:
        """The number of eight bytes at each place."""
        places = np.ndarray((len(self.whole) - 7,), "<f8", self.whole, 0, (1,))
        return places[at]

    def floats_at(self, at: Places) -> np.ndarray[tuple[Any, ...], np.dtype[np.float32]]:
        """The number of four bytes at each place."""
        places = np.ndarray((len(self.whole) - 3,), "<f4", self.whole, 0, (1,))
        return places[at]

    def longs_at(self, at: Places) -> tuple[Places, Places]:
        """The integer of up to 64 bits at each place, and where it ends.

        Raises:
            Unfit: One is longer.
            IndexError: The bytes end.
        """
        byte = self._bytes[at]
        if byte.max(initial=0) < _MORE:
            return _SHORT[byte], at + 1
        value = (byte & 127).astype(np.uint64)
        at = at + 1
        rest = np.flatnonzero(byte >= _MORE)
        shift = 7
        while len(rest):
            byte = self._bytes[at[rest]]
            if shift == _MOST_SHIFT and byte.max() > 1:
                raise Unfit("a number has more than 64 bits")
            value[rest] |= (byte & 127).astype(np.uint64) << np.uint64(shift)
            at[rest] += 1
            rest = rest[byte >= _MORE]
            shift += 7
        one = np.uint64(1)
        signed: Places = ((value >> one) ^ (np.uint64(0) - (value & one))).view(np.int64)
        return signed, at

    def counts_at(self, at: Places) -> tuple[Places, Places]:
        """How many items the next block of each array or map has; 0 ends it.

        Raises:
            Unfit, IndexError: As ``longs_at``.
        """
        count, at = self.longs_at(at)
        sized = np.flatnonzero(count < 0)
        if len(sized):
            count[sized] = -count[sized]
            if count.min() < 0:
                raise Unfit(
                    "a block is longer than any message"
                )  # the least number has no negative
            _, at[sized] = self.longs_at(at[sized])
        return count, at

    def lengths_at(self, at: Places, of: Places) -> tuple[Places, Places]:
        """Where the bytes or the text at each place begin and end.

        Args:
            at: The places.
            of: The number of the message that each is in.

        Raises:
            Unfit, IndexError: As ``longs_at``, or one ends beyond its message.
        """
        length, at = self.longs_at(at)
        if length.min(initial=0) < 0 or (length > self.ends[of] - at).any():
            raise Unfit("a length does not fit")
        return at, at + length

    def check(self, at: Places, of: Places) -> None:
        """Check that places are not beyond the ends of the messages that they belong to.

        Raises:
            Unfit: One is.
        """
        if (at > self.ends[of]).any():
            raise Unfit("a message ends too early")


_NONE = np.zeros(1, np.int64)
