"""A pinned object as a seekable file, for libraries that read at random (Parquet)."""

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
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """The offset of the next read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to ``offset``; the next read is of there."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill ``buffer`` from here, in reads that suit the storage; fewer bytes at the end."""
        wanted = min(len(buffer), self._size - self._at, self._pinned.block_bytes)
        if wanted <= 0:
            return 0
        block = self._pinned.read_at(self._at, wanted)
        buffer[: len(block)] = block
        self._at += len(block)
        return len(block)
