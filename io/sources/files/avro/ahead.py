"""Blocks that are read before their turn, so that several of them make one batch."""

from __future__ import annotations

from collections import deque

from sources.files.avro.blocks import Block, Blocks


class Ahead:
    """The blocks of an object in order, of which the next ones can be seen.

    Args:
        blocks: Where they come from.
    """

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._waiting: deque[Block] = deque()
        self._halted: Exception | None = None
        self._alone = 0

    @property
    def ended(self) -> bool:
        """Whether no block follows the last one taken."""
        return not self._waiting and self._halted is None and self._blocks.ended

    def next(self, *, skip_to: int = 0) -> Block | None:
        """The next block, as ``Blocks.next`` says."""
        if self._waiting:
            self._alone = max(0, self._alone - 1)
            return self._waiting.popleft()
        if self._halted is not None:
            error, self._halted = self._halted, None
            raise error
        return self._blocks.next(skip_to=skip_to)

    def several(self, records: int, size: int) -> list[Block]:
        """The next blocks that are whole and sound, as far as ``taken`` is called with their number.

        Args:
            records: How many records they have together, at most.
            size: How many bytes.
        """
        several: list[Block] = []
        while not self._alone:
            block = self._at(len(several))
            if block is None or block.problem or block.pieces is not None:
                break
            records -= block.count
            size -= len(block.data)
            if not block.count or records < 0 or size < 0:
                break
            several.append(block)
        return several

    def taken(self, count: int) -> None:
        """Go on behind the next ``count`` blocks."""
        for _ in range(count):
            self._waiting.popleft()

    def leave_alone(self, count: int) -> None:
        """Have ``several`` return nothing before the next ``count`` blocks are taken by ``next``."""
        self._alone = count

    def _at(self, place: int) -> Block | None:
        """The block behind the next ``place`` ones; None at the end, and where none can be read now."""
        if place == len(self._waiting):
            if self._halted is not None:
                return None
            try:
                block = self._blocks.next()
            except Exception as error:  # noqa: BLE001 - it is raised behind the blocks before it
                self._halted = error
                return None
            if block is None:
                return None
            self._waiting.append(block)
        return self._waiting[place]
