"""A stream over an object of which only the ranges that are read are fetched."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any


class RangedObject(io.RawIOBase):
    """A seekable stream of ``size`` bytes.

    Args:
        size: Of the object.
        fetch: Returns the bytes ``[low, high)``.
    """

    def __init__(self, size: int, fetch: Callable[[int, int], bytes]) -> None:
        super().__init__()
        self._size = size
        self._fetch = fetch
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        high = min(self._position + len(buffer), self._size)
        if high <= self._position:
            return 0
        data = self._fetch(self._position, high)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
