"""The bytes of one pinned object in order, in blocks of bounded size."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from sources.storage.objects import PinnedObject
from transforms.per_process import PerProcess

BLOCK_BYTES = 1 << 20
_OVERRUN_BYTES = 64 << 10


class Stream(Protocol):
    """Blocks of bytes, decompressed where the object is compressed."""

    @property
    def stored(self) -> int:
        """How many stored bytes have been read, of the size of the object."""
        ...

    def read(self) -> bytes:
        """The next block, at most 1 MiB; empty at the end.

        Raises:
            ObjectFailed: The object changed, vanished or is corrupt.
            SourceUnavailable: The storage cannot be reached; the same read can be tried again.
        """
        ...


class PlainStream:
    """An object as it is stored, from ``start`` on.

    The next block of a distant object is fetched while the current one is processed, so that two
    blocks are held.

    Args:
        pinned: The object.
        start: Offset of the first byte to read.
        end: Where the object ends, or the part of it to read.
        beyond: Whether to read on beyond ``end``, in short reads, since one record may end
            there.
        first: How many bytes to read at first, and nothing ahead of them, since the start may be
            all that is wanted; 0 for a whole block.
    """

    def __init__(
        self,
        pinned: PinnedObject,
        start: int,
        end: int,
        *,
        beyond: bool = False,
        first: int = 0,
    ) -> None:
        self._pinned = pinned
        self._end = end
        self._beyond = beyond
        self._first = first
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
            if self._pinned.distant and self._block and not self._first:
                self._fetch_ahead(self._at + len(self._block))
            self._first = 0
        part = self._block[self._taken : self._taken + BLOCK_BYTES]
        self._taken += len(part)
        self._at += len(part)
        return part

    def _fetch(self) -> bytes:
        """The block at the offset reached."""
        coming, self._coming = self._coming, None
        if coming is not None:
            return coming.result()
        length = min(self._end - self._at, self._first or self._pinned.block_bytes)
        if length <= 0:
            if not self._beyond:
                return b""
            length = _OVERRUN_BYTES
        return self._pinned.read_at(self._at, length)

    def _fetch_ahead(self, at: int) -> None:
        """Begin to fetch the block after the one just fetched."""
        length = min(self._end - at, self._pinned.block_bytes)
        if length > 0:
            self._coming = _FETCHERS.get(None).submit(self._pinned.read_at, at, length)


_FETCHERS: PerProcess[None, ThreadPoolExecutor] = PerProcess(
    lambda key: ThreadPoolExecutor(max_workers=8, thread_name_prefix="fetch")
)
"""The threads of this process that fetch ahead."""
