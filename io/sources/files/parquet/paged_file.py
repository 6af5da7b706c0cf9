"""A Parquet object as pyarrow reads it, with a look at each page before pyarrow takes it.

pyarrow reads the pages of a column one by one, in order, and takes as much memory as a page says
that it needs. Here each page's header is read first. What would need too much memory raises
an error (``page_limits``), or reaches pyarrow without its long values (``long_values``).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from sources.files.parquet.page_headers import Incomplete, PageHeader, read_header
from sources.storage.objects import PinnedObject

_HEADER_BYTES = 256
_LONGEST_HEADER = 16 << 20


@dataclass(frozen=True, slots=True)
class Chunk:
    """The pages of one column in one row group.

    Attributes:
        column: The number of the column.
        path: The name of the column, with dots.
        start: Offset of the first page.
        end: Offset after the last one.
        codec: How pages are compressed, as Parquet's metadata names it.
        values: How many values it has.
        values_per_row: How many of them a row has, on average.
    """

    column: int
    path: str
    start: int
    end: int
    codec: str
    values: int
    values_per_row: float


@dataclass(frozen=True, slots=True)
class Page:
    """A page that pyarrow is about to read.

    Attributes:
        chunk: Where it belongs.
        header: What stands before it.
        offset: Where it begins in the object, after its header.
        pinned: The object.
    """

    chunk: Chunk
    header: PageHeader
    offset: int
    pinned: PinnedObject

    def stored(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes of the page as it is stored, from ``start`` up to ``end``, in pieces."""
        while start < end:
            piece = self.pinned.read_at(self.offset + start, min(end - start, 1 << 20))
            if not piece:
                return
            yield piece
            start += len(piece)


class PageGate(Protocol):
    """Decides about pages."""

    def admit(self, page: Page, room: int) -> bytes | None:
        """The bytes that pyarrow gets in the place of ``page``, header included.

        Args:
            page: The page.
            room: How many bytes there may be.

        Returns:
            None if pyarrow gets the page as it is.
        """
        ...


class PagedFile(io.RawIOBase):
    """The object as a file.

    Args:
        pinned: The object.
        size: Its bytes.
    """

    def __init__(self, pinned: PinnedObject, size: int) -> None:
        super().__init__()
        self.column = ""
        """The column that was read last."""
        self._pinned = pinned
        self._size = size
        self._at = 0
        self._block_bytes = pinned.block_bytes
        self._gate: PageGate | None = None
        self._chunks: dict[int, Chunk] = {}
        self._under_way: dict[int, _Pages] = {}

    def guard(self, chunks: list[Chunk], gate: PageGate, block_bytes: int) -> None:
        """From now on show every page of ``chunks`` to ``gate``."""
        self._gate = gate
        self._block_bytes = block_bytes
        self._chunks = {chunk.start: chunk for chunk in chunks}
        self._under_way = {}

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

    def read(self, size: int = -1) -> bytes | memoryview:
        """``size`` bytes; fewer at the end, and where a page of a column ends."""
        at = self._at
        if size < 0:
            size = self._size - at
        chunk = self._chunks.get(at)
        pages = self._under_way.pop(at, None)
        if chunk is not None and size > 0:
            chunk = replace(chunk, end=min(chunk.end, self._size))
            pages = _Pages(chunk, self._pinned, self._gate, self._block_bytes)
        if pages is not None:
            self.column = pages.chunk.path
            data: bytes | memoryview = pages.read(size)
            self._under_way[at + len(data)] = pages
        else:
            data = self._plain(at, min(size, self._size - at))
        self._at += len(data)
        return data

    def _plain(self, at: int, size: int) -> bytes:
        parts = []
        while size > 0:
            part = self._pinned.read_at(at, min(size, self._pinned.block_bytes))
            if not part:
                break
            parts.append(part)
            at += len(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


class _Pages:
    """The pages of a chunk, from the first one on, as far as pyarrow has read them."""

    def __init__(
        self, chunk: Chunk, pinned: PinnedObject, gate: PageGate | None, block_bytes: int
    ) -> None:
        self.chunk = chunk
        self._pinned = pinned
        self._gate = gate
        self._block_bytes = block_bytes
        self._at = chunk.start
        self._passed = 0
        self._left = 0
        self._instead = memoryview(b"")
        self._block = memoryview(b"")
        self._block_at = chunk.start

    def read(self, size: int) -> memoryview:
        """At most ``size`` bytes, not beyond the end of the page."""
        if not self._left and not self._instead:
            self._begin()
        if self._instead:
            data = self._instead[:size]
            self._instead = self._instead[len(data) :]
        else:
            data = self._peek(min(size, self._left))
            self._at += len(data)
            self._left -= len(data)
        self._passed += len(data)
        return data

    def _begin(self) -> None:
        """Look at the page that begins here."""
        header = self._header()
        if header is None:
            self._left = self.chunk.end - self._at  # for pyarrow to judge
            return
        self._left = header.length + header.stored
        if self._gate is None:
            return
        page = Page(self.chunk, header, self._at + header.length, self._pinned)
        room = self.chunk.end - self.chunk.start - self._passed
        instead = self._gate.admit(page, room)
        if instead is not None:
            self._instead = memoryview(instead)
            self._at += self._left
            self._left = 0

    def _header(self) -> PageHeader | None:
        size = _HEADER_BYTES
        while True:
            data = self._peek(size)
            try:
                return read_header(data)
            except ValueError:
                return None
            except Incomplete:
                if len(data) < size or size >= _LONGEST_HEADER:
                    return None
                size *= 8

    def _peek(self, size: int) -> memoryview:
        """The next ``size`` bytes; fewer only at the end of the chunk."""
        size = min(size, self.chunk.end - self._at)
        start = self._at - self._block_at
        if not 0 <= start <= start + size <= len(self._block):
            rest = self._block[start:] if 0 <= start < len(self._block) else memoryview(b"")
            wanted = min(max(size, self._block_bytes), self.chunk.end - self._at)
            block = bytearray(wanted)
            have = len(rest)
            block[:have] = rest
            while have < wanted:
                length = min(wanted - have, self._pinned.block_bytes)
                part = self._pinned.read_at(self._at + have, length)
                if not part:
                    break
                block[have : have + len(part)] = part
                have += len(part)
            self._block = memoryview(block)[:have]
            self._block_at, start = self._at, 0
        return self._block[start : start + size]
