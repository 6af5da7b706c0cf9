"""The checksum of what a reader has settled of an object, range by range."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from zlib import crc32

from sources.storage.objects import PinnedObject
from transforms.batch.content import Content
from transforms.batch.record import Format
from transforms.errors import ObjectFailed, ObjectUnavailable, SourceUnavailable

CONVERTED = "as:"
"""Precedes the encoding of text whose bytes are not those that are stored."""


@dataclass(slots=True)
class _Piece:
    """Bytes that were read and are not settled.

    Attributes:
        start: Offset of the first one.
        end: Offset after the last one.
        data: The bytes; None once only their checksum is kept.
        crc: Their checksum, if ``data`` is None.
    """

    start: int
    end: int
    data: memoryview | None
    crc: int = 0


class Meter:
    """Adds up checksums of the bytes that are read, up to where batches end.

    Of bytes that no batch can end in, only the checksum is kept, so that a long record takes no
    memory.

    Args:
        start: Offset of the first byte to be settled.
    """

    def __init__(self, start: int) -> None:
        self._start = start
        self._read = start
        self._pieces: deque[_Piece] = deque()
        self._taken: list[_Piece] = []
        self._framing = ""

    def read(self, offset: int, block: bytes) -> None:
        """Take note of ``block``, read at ``offset``; what is settled already is passed over."""
        data = memoryview(block)[max(0, self._read - offset) :]
        if data and offset <= self._read:
            self._pieces.append(_Piece(self._read, self._read + len(data), data))
            self._read += len(data)

    def keep_from(self, record: int) -> None:
        """No batch will end after ``record``, where a record begins, among what was read so far."""
        while self._pieces and self._pieces[-1].start >= record:
            last = self._pieces[-1]
            before = self._pieces[-2] if len(self._pieces) > 1 else None
            if before is not None and before.start >= record and before.data is None:
                if last.data is not None:
                    before.end, before.crc = last.end, crc32(last.data, before.crc)
                    self._pieces.pop()
                return
            if last.data is None:
                return
            last.crc, last.data = crc32(last.data), None

    def take(self, end: int, framing: str) -> Content | None:
        """What was read up to ``end`` since the last call; None if not all of it was."""
        self._taken, self._framing = [], framing
        length, start = end - self._start, self._start
        self._start = end
        content, crc = Content(), 0
        while self._pieces and self._pieces[0].start < end:
            piece = self._pieces.popleft()
            if piece.data is None:
                content = content.then(Content(piece.start - start, crc))
                content = content.then(Content(piece.end - piece.start, piece.crc))
                start, crc = piece.end, 0
                self._taken.append(piece)
                if piece.end > end:
                    self._lose(end)
                    return None
                continue
            data = piece.data[: end - piece.start]
            self._taken.append(_Piece(piece.start, piece.start + len(data), data))
            crc = crc32(data, crc)
            if piece.end > end:
                self._pieces.appendleft(_Piece(end, piece.end, piece.data[end - piece.start :]))
        if self._read < end:
            self._lose(end)
            return None
        content = content.then(Content(end - start, crc))
        return Content(length, content.crc, framing)

    def part(self, start: int, end: int) -> Content | None:
        """What the last call of ``take`` took between two offsets; None if that is not known."""
        content, at = Content(framing=self._framing), start
        for piece in self._taken:
            if piece.end <= at or at >= end:
                continue
            if piece.data is None:
                if at != piece.start or piece.end > end:
                    return None
                content = content.then(Content(piece.end - at, piece.crc))
                at = piece.end
            else:
                data = piece.data[at - piece.start : end - piece.start]
                content = content.then(Content(len(data), crc32(data)))
                at += len(data)
        return replace(content, framing=self._framing) if at == end else None

    def _lose(self, end: int) -> None:
        """Go on behind ``end``, of which not all bytes were read."""
        self._pieces.clear()
        self._read = max(self._read, end)


def no_content_yet(start: int, end: int) -> Content:
    """The bytes of a part of a file whose offsets count rows: its end brings those of all of it."""
    return Content()


def stored_content(pinned: PinnedObject, size: int, framing: str) -> Content | None:
    """The stored bytes of a file whose offsets count rows.

    None of a distant object, and of a file that cannot be read now: its rows have been read.
    """
    if pinned.distant:
        return None
    crc, step = 0, pinned.block_bytes
    try:
        for offset in range(0, size, step):
            crc = crc32(pinned.read_at(offset, min(step, size - offset)), crc)
    except (ObjectFailed, ObjectUnavailable, SourceUnavailable):
        return None
    return Content(size, crc, framing)


def framing_of(format_: Format, compression: str, encoding: str) -> str:
    """What decides where records begin, apart from the layout, which the partition names.

    >>> framing_of(Format("csv", quote="'"), "gzip", "")
    "csv ' gzip"
    """
    if format_.name == "json" and not (compression or encoding):
        return "json"
    quotes = f"{format_.quote or 'none'}{format_.escape}" if format_.name == "csv" else ""
    converted = CONVERTED + encoding if encoding else ""
    return " ".join(filter(None, (format_.name, quotes, compression, converted)))
