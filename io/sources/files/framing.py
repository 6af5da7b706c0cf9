"""Cut a stream of blocks into lines: records, their byte offsets, and lines too long to keep.

There is no loop over records on the usual way: one split a block, and lengths accumulated
to offsets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate, compress, repeat
from operator import add
from typing import Protocol

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that can be located but not be passed on.

    Attributes:
        offset: Of its first byte.
        raw: Its bytes, or as many of its first ones as are kept.
        category: The category of its failure.
        exception: What to call it.
        message: What is wrong with it.
    """

    offset: int
    raw: bytes
    category: str
    exception: str
    message: str


@dataclass(slots=True)
class Framed:
    """Records cut so far and not taken yet, as parallel lists.

    Attributes:
        offsets: Of each record's first byte, ascending.
        raws: Each record without its newline.
        refused: Records that cannot be passed on, ascending.
    """

    offsets: list[int] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


class Framer(Protocol):
    """Cuts records out of blocks."""

    framed: Framed
    """What has been cut and not taken yet."""

    next: int
    """Offset of the first record that is not framed yet."""

    @property
    def unfinished(self) -> bool:
        """Whether the last record has begun and has no newline yet."""
        ...

    def feed(self, block: bytes) -> None:
        """Cut ``block``, the bytes that follow what was fed before."""
        ...

    def finish(self) -> None:
        """The stream has ended: frame what is left."""
        ...


class Held:
    """The start of a record whose end has not come; of a long one only the head is kept."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.length = 0
        self._parts: list[bytes] = []
        self._room = limit

    def add(self, part: bytes) -> None:
        """Append ``part`` to the record, as far as there is room."""
        self.length += len(part)
        if self._room and part:
            kept = part[: self._room]
            self._parts.append(kept)
            self._room -= len(kept)

    @property
    def too_long(self) -> bool:
        """Whether the record is longer than what is kept."""
        return self.length > self.limit

    def take(self) -> bytes:
        """What is kept of the record; starts over."""
        record = b"".join(self._parts)
        self._parts.clear()
        self._room = self.limit
        self.length = 0
        return record


def too_large(offset: int, head: bytes, length: int) -> Refused:
    """A record of ``length`` bytes of which only ``head`` is kept."""
    return Refused(
        offset,
        head,
        "too_large",
        "RecordTooLarge",
        f"a record of {length:,} bytes is too large; its first {len(head):,} bytes are kept",
    )


class LineFramer:
    r"""Cuts lines at ``\n``.

    A line of nothing but white space is no record; a byte order mark at the start of the
    object is no part of the first record, whose offset is 0 all the same; a ``\r`` before
    the ``\n`` stays in the record (JSON takes it for white space).

    Args:
        start: Offset in the stream of the first byte fed.
        partial: The first byte fed lies within a line that is not ours: skip to after
            the first newline.
        limit: Of longer lines only so many bytes are kept.
    """

    def __init__(self, start: int, *, partial: bool, limit: int) -> None:
        self.framed = Framed()
        self.next = start
        self._skipping = partial
        self._held = Held(limit)

    @property
    def unfinished(self) -> bool:
        """Whether the last record has begun and has no newline yet."""
        return bool(self._held.length)

    def feed(self, block: bytes) -> None:
        """Cut ``block``, the bytes that follow what was fed before."""
        if self._skipping:
            found = block.find(b"\n")
            self._skipping = found < 0
            skipped = len(block) if found < 0 else found + 1
            self.next += skipped
            block = block[skipped:]
        held = self._held
        lines = block.split(b"\n")
        tail = lines.pop()
        if lines:
            if held.length:
                held.add(lines[0])
                if held.too_long:
                    self._refuse_held(newline=1)
                    del lines[0]
                else:
                    lines[0] = held.take()
            self._add(lines)
        held.add(tail)

    def finish(self) -> None:
        """The stream has ended: what is left is a line without its newline."""
        if self._held.too_long:
            self._refuse_held(newline=0)
        elif self._held.length:
            self._add([self._held.take()])
            self.next -= 1

    def _refuse_held(self, newline: int) -> None:
        length = self._held.length
        self.framed.refused.append(too_large(self.next, self._held.take(), length))
        self.next += length + newline

    def _add(self, lines: list[bytes]) -> None:
        """Frame whole lines, each with its newline, that follow each other from ``next`` on."""
        if not lines:
            return
        start = self.next
        offsets = list(accumulate(map(add, map(len, lines), repeat(1)), initial=start))
        self.next = offsets.pop()
        if start == 0:
            lines[0] = lines[0].removeprefix(BOM)
        if not all(map(bytes.strip, lines)):
            filled = [bool(line.strip()) for line in lines]
            offsets, lines = list(compress(offsets, filled)), list(compress(lines, filled))
        limit = self._held.limit
        if self.next - start > limit and any(len(line) > limit for line in lines):
            self.framed.refused += [
                too_large(offset, line[:limit], len(line))
                for offset, line in zip(offsets, lines, strict=True)
                if len(line) > limit
            ]
            within = [len(line) <= limit for line in lines]
            offsets, lines = list(compress(offsets, within)), list(compress(lines, within))
        self.framed.offsets += offsets
        self.framed.raws += lines
