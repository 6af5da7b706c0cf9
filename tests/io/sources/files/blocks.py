"""A stream in memory."""

from __future__ import annotations


class Blocks:
    """A stream of blocks."""

    def __init__(self, *blocks: bytes) -> None:
        self._blocks = list(blocks)

    @property
    def stored(self) -> int:
        return 0

    def read(self) -> bytes:
        return self._blocks.pop(0) if self._blocks else b""
