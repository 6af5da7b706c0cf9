"""A pinned object as a seekable file, for libraries with random access (Parquet)."""

from __future__ import annotations

import io

from sources.storage.objects import PinnedObject


class RangedFile(io.RawIOBase):
    """Reads ranges of ``pinned``; wrap it in ``io.BufferedReader`` for small reads."""

    def __init__(self, pinned: PinnedObject, size: int) -> None:
        super().__init__()
        self._pinned = pinned
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        """Yes: an open object can be read."""
        return True

    def seekable(self) -> bool:
        """Yes: reads go to any offset."""
        return True

    def tell(self) -> int:
        """The offset of the next read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to ``offset``, where the next read begins; returns the new offset."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read at most one block into ``buffer``; returns how many bytes, 0 at the end."""
        length = min(len(buffer), self._size - self._at, self._pinned.block_bytes)
        if length <= 0:
            return 0
        block = self._pinned.read_at(self._at, length)
        buffer[: len(block)] = block
        self._at += len(block)
        return len(block)
