"""Cut a stream of blocks into lines: records, their byte offsets, and lines too long to keep.

The usual path has no loop over records: one split for each block, and offsets accumulated from
lengths.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import accumulate, compress, repeat
from operator import add
from typing import Protocol

from transforms.batch.record import Failure, Format, Origin
from transforms.batch.splits import BatchLimits
from transforms.errors import Reject
from transforms.parse.raw import CUT, HEAD_BYTES, cut_message

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class RefusedRecord:
    """A record that can be located but not passed on.

    Attributes:
        offset: Of its first byte.
        raw: Its bytes, or the first ones of a long record.
        category: The category of its failure.
        exception: The name of its failure.
        message: What is wrong with it.
    """

    offset: int
    raw: bytes
    category: str
    exception: str
    message: str

    def failure(self, origin: Origin, format: Format) -> Failure:  # noqa: A002
        """The failure of this record, whose first byte is at ``origin``."""
        return Failure(
            origin=origin,
            raw=self.raw,
            format=format,
            stage="read",
            category=self.category,
            exception=self.exception,
            message=self.message,
            stack="",
        )


@dataclass(slots=True)
class FramedRecords:
    """Records cut so far and not taken yet, as parallel lists.

    Attributes:
        offsets: Of each record's first byte, ascending.
        raws: Each record without its newline.
        refused: Records that cannot be passed on, ascending.
    """

    offsets: list[int] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    refused: list[RefusedRecord] = field(default_factory=list)

    def refuse_long(
        self, offsets: list[int], lines: list[bytes], limit: int
    ) -> tuple[list[int], list[bytes]]:
        """Refuse the lines that are longer than ``limit``; returns the others."""
        within = [len(line) <= limit for line in lines]
        if all(within):
            return offsets, lines
        kept = min(limit, HEAD_BYTES)
        self.refused += [
            too_large(offset, line[:kept], len(line), limit, sha256(line).hexdigest())
            for offset, line in zip(offsets, lines, strict=True)
            if len(line) > limit
        ]
        return list(compress(offsets, within)), list(compress(lines, within))

    def forget(self, taken: int) -> None:
        """Drop the first records, which are in batches already."""
        del self.offsets[:taken], self.raws[:taken]

    def leave(self, end: int) -> None:
        """Drop the records that begin at or after ``end``: they belong to the next part."""
        owned = bisect_left(self.offsets, end)
        del self.offsets[owned:], self.raws[owned:]
        if self.refused:
            self.refused = [each for each in self.refused if each.offset < end]

    def take_refused(self, end: int) -> list[RefusedRecord]:
        """Those of the refused records that begin before ``end``, which are then forgotten."""
        if not self.refused:
            return []
        taken = [each for each in self.refused if each.offset < end]
        self.refused = [each for each in self.refused if each.offset >= end]
        return taken

    def stop(self, low: int, limits: BatchLimits) -> int:
        """Index of the first record that does not fit into a batch that begins with ``low``."""
        stop = min(len(self.offsets), low + limits.records)
        if low < stop:
            full = self.offsets[low] + limits.bytes
            stop = max(low + 1, bisect_left(self.offsets, full, low, stop))
        return stop


class Framer(Protocol):
    """Cuts records out of blocks."""

    framed: FramedRecords
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
        """Frame what is left: the stream has ended."""
        ...


class PartialRecord:
    """The start of a record whose end has not come yet; of a long one only the head is kept.

    Args:
        limit: The longest record, in bytes, that is kept whole.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.length = 0
        self._parts: list[bytes] = []

    def add(self, part: bytes) -> None:
        """Append ``part`` to the record, as far as it is kept."""
        was_long = self.length > self.limit
        self.length += len(part)
        if self.length <= self.limit:
            self._parts.append(part)
            return
        if not was_long:
            self._hash = sha256()
            head = b"".join(self._parts)
            self._hash.update(head)
            kept = min(self.limit, HEAD_BYTES)
            self._parts = [(head + part[:kept])[:kept]]
        self._hash.update(part)

    @property
    def too_long(self) -> bool:
        """Whether the record is longer than what is kept whole."""
        return self.length > self.limit

    def take(self) -> bytes:
        """The record; starts over."""
        record = b"".join(self._parts)
        self._start_over()
        return record

    def refuse(self, offset: int) -> RefusedRecord:
        """The record, which is too long and begins at ``offset``; starts over."""
        refused = too_large(
            offset, b"".join(self._parts), self.length, self.limit, self._hash.hexdigest()
        )
        self._start_over()
        return refused

    def _start_over(self) -> None:
        self._parts.clear()
        self.length = 0


def too_large(offset: int, head: bytes, length: int, limit: int, digest: str) -> RefusedRecord:
    """A record of ``length`` bytes, with this SHA-256, of which only ``head`` is kept."""
    message = cut_message(length, limit, len(head), digest)
    return RefusedRecord(offset, head, "too_large", CUT, message)


def oversized(offset: int, raw: bytes, limit: int) -> RefusedRecord:
    """A record that is longer than ``limit`` and has been read as a whole.

    One of up to ``HEAD_BYTES`` is kept whole.
    """
    if len(raw) > HEAD_BYTES:
        return too_large(offset, raw[:HEAD_BYTES], len(raw), limit, sha256(raw).hexdigest())
    message = f"the record has {len(raw):,} bytes, limit {limit:,}"
    return RefusedRecord(offset, raw, "too_large", Reject.__name__, message)


def unreadable(offset: int, raw: bytes, fault: str, limit: int) -> RefusedRecord:
    """A row with a value that cannot be read; of one that is longer than ``limit``, the head."""
    if len(raw) <= max(limit, HEAD_BYTES):
        return RefusedRecord(offset, raw, "malformed", "UnreadableValue", fault)
    cut = oversized(offset, raw, limit)
    return replace(cut, category="malformed", message=f"{fault}; {cut.message}")


def line_offsets(lines: list[bytes], start: int) -> tuple[list[int], int]:
    """The offset of each line, all of which had a newline, and that of what follows them.

    >>> line_offsets([b"a", b"", b"bc"], 5)
    ([5, 7, 8], 11)
    """
    offsets = list(accumulate(map(add, map(len, lines), repeat(1)), initial=start))
    return offsets, offsets.pop()


class LineFramer:
    r"""Cuts lines at ``\n``.

    A line of nothing but white space is not a record. A byte order mark at the start of the
    object does not belong to the first record, whose offset is 0 all the same. A ``\r`` before
    the ``\n`` stays in the record (JSON takes it for white space).

    Args:
        start: Offset in the stream of the first byte fed.
        partial: Whether the first byte fed lies within a line of the range before, so that
            everything up to the first newline is skipped.
        limit: The longest line, in bytes, that is kept whole.
    """

    def __init__(self, start: int, *, partial: bool, limit: int) -> None:
        self.framed = FramedRecords()
        self.next = start
        self._skipping = partial
        self._partial = PartialRecord(limit)

    @property
    def unfinished(self) -> bool:
        """Whether the last record has begun and has no newline yet."""
        return bool(self._partial.length)

    def feed(self, block: bytes) -> None:
        """Cut ``block``, the bytes that follow what was fed before."""
        if self._skipping:
            newline = block.find(b"\n")
            self._skipping = newline < 0
            skipped = len(block) if newline < 0 else newline + 1
            self.next += skipped
            block = block[skipped:]
        partial = self._partial
        lines = block.split(b"\n")
        tail = lines.pop()
        if lines:
            if partial.length:
                partial.add(lines[0])
                if partial.too_long:
                    self._refuse_partial(newline=1)
                    del lines[0]
                else:
                    lines[0] = partial.take()
            self._add(lines)
        partial.add(tail)

    def finish(self) -> None:
        """Frame what is left, a line without its newline: the stream has ended."""
        if self._partial.too_long:
            self._refuse_partial(newline=0)
        elif self._partial.length:
            self._add([self._partial.take()])
            self.next -= 1

    def _refuse_partial(self, newline: int) -> None:
        length = self._partial.length
        self.framed.refused.append(self._partial.refuse(self.next))
        self.next += length + newline

    def _add(self, lines: list[bytes]) -> None:
        """Frame whole lines, each with its newline, that follow each other from ``next`` on."""
        if not lines:
            return
        start = self.next
        offsets, self.next = line_offsets(lines, start)
        if start == 0:
            lines[0] = lines[0].removeprefix(BOM)
        if not all(map(bytes.strip, lines)):
            filled = [bool(line.strip()) for line in lines]
            offsets, lines = list(compress(offsets, filled)), list(compress(lines, filled))
        limit = self._partial.limit
        if self.next - start > limit:
            offsets, lines = self.framed.refuse_long(offsets, lines, limit)
        self.framed.offsets += offsets
        self.framed.raws += lines
