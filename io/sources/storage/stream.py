"""The bytes of one pinned object in order, in blocks of bounded size."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from sources.storage.objects import PinnedObject

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

    Of a distant object the next block is fetched while the one before is worked on, so
    that two blocks are held.

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
        self._block = b""
        self._taken = 0
        self._coming: Future[bytes] | None = None

    @property
    def stored(self) -> int:
        """The offset reached."""
        return self._at

    def read(self) -> bytes:
        """The next block; empty at the end."""
        if self._taken >= len(self._block):
            self._block = self._fetch()
            self._taken = 0
            self._fetch_ahead(self._at + len(self._block))
        part = self._block[self._taken : self._taken + BLOCK_BYTES]
        self._taken += len(part)
        self._at += len(part)
        return part

    def _fetch(self) -> bytes:
        """The block at the offset reached."""
        coming, self._coming = self._coming, None
        if coming is not None:
            return coming.result()
        length = min(self._end - self._at, self._pinned.block_bytes)
        if length <= 0:
            if not self._beyond:
                return b""
            length = _OVERRUN_BYTES
        return self._pinned.read_at(self._at, length)

    def _fetch_ahead(self, at: int) -> None:
        """Begin to fetch the block after the one just fetched."""
        length = min(self._end - at, self._pinned.block_bytes)
        if self._pinned.distant and self._block and length > 0:
            self._coming = _pool().submit(self._pinned.read_at, at, length)


_pools: dict[int, ThreadPoolExecutor] = {}
_lock = threading.Lock()


def _pool() -> ThreadPoolExecutor:
    """The threads of this process that fetch ahead."""
    process = os.getpid()  # threads do not survive a fork
    with _lock:
        if process not in _pools:
            _pools[process] = ThreadPoolExecutor(max_workers=8, thread_name_prefix="fetch")
        return _pools[process]
