"""Where the blocks of a JSON text stand: offsets, lines, and the byte order mark at its start."""

from __future__ import annotations

from sources.files.framing import BOM


class BlockPosition:
    """The position of the current block in its text.

    Args:
        start: Offset in the stream of the first byte fed.
    """

    def __init__(self, start: int) -> None:
        self.offset = start
        self._counted = start == 0
        self._lines = 0
        self._early: bytes | None = b"" if start == 0 else None

    def enter(self, block: bytes) -> bytes:
        """What to scan of the next block: without a byte order mark at the start of the text."""
        if self._early is None:
            return block
        block = self._early + block
        if len(block) < len(BOM) and BOM.startswith(block):
            self._early = block  # perhaps a mark: wait for all of it
            return b""
        self._early = None
        if not block.startswith(BOM):
            return block
        self.offset = len(BOM)
        return block[len(BOM) :]

    def finish(self) -> bytes:
        """What is left to scan, since the text has ended: the start of a mark that is none."""
        early, self._early = self._early, None
        return early or b""

    def leave(self, block: bytes) -> None:
        """Go on to what follows ``block``, which has been scanned."""
        self.offset += len(block)
        if self._counted:
            self._lines += block.count(b"\n")

    def place(self, block: bytes, at: int) -> str:
        """Where the byte at an index of the current block stands, for a message."""
        byte = f"byte {self.offset + at:,}"
        if not self._counted:
            return byte
        return f"line {self._lines + block.count(NEWLINE, 0, at) + 1:,}, {byte}"


NEWLINE = b"\n"
