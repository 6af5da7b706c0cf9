"""The bytes of one pinned object in order, in blocks of bounded size."""

from __future__ import annotations

from typing import Protocol

from sources.objects import PinnedObject

BLOCK_BYTES = 1 << 20
_OVERRUN_BYTES = 64 << 10


class Stream(Protocol):
    """Blocks of bytes, decompressed where the object is compressed."""

    @property
    def stored(self) -> int:
        """How many stored bytes have been read: what of the object's size is done."""
        ...

    def read(self) -> bytes:
        """The next block, at most 1 MiB; empty at the end.

        Raises:
            ObjectFailed: The object changed, vanished or is corrupt.
            SourceUnavailable: The storage cannot be reached; reading again is right.
        """
        ...


class PlainStream:
    """An object as it is stored, from ``start`` on.

    Args:
        pinned: The object.
        start: Offset of the first byte to read.
        end: Where the object, or the wanted part of it, ends.
        beyond: Whether to read on beyond ``end``, in short reads, as long as asked: only
            the end of one record is wanted there.
    """

    def __init__(self, pinned: PinnedObject, start: int, end: int, *, beyond: bool = False) -> None:
        self._pinned = pinned
        self._end = end
        self._beyond = beyond
        self._at = start
        self._ahead = b""
        self._taken = 0

    @property
    def stored(self) -> int:
        """The offset reached."""
        return self._at

    def read(self) -> bytes:
        """The next block; empty at the end."""
        if self._taken >= len(self._ahead):
            self._ahead = self._fetch()
            self._taken = 0
        block = self._ahead[self._taken : self._taken + BLOCK_BYTES]
        self._taken += len(block)
        self._at += len(block)
        return block

    def _fetch(self) -> bytes:
        length = min(self._end - self._at, self._pinned.block_bytes)
        if length <= 0:
            if not self._beyond:
                return b""
            length = _OVERRUN_BYTES
        return self._pinned.read_at(self._at, length)
