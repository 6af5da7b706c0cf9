"""Read one object of JSON lines or CSV, or a byte range of plain JSON lines."""

from __future__ import annotations

import time
from bisect import bisect_left
from dataclasses import dataclass

from sources.csv_framing import CsvFramer, read_header
from sources.decompress import CompressedStream
from sources.failures import object_failure, refused_failure
from sources.framing import Framed, Framer, LineFramer
from sources.objects import PinnedObject, Storage
from sources.plan import Part
from sources.stream import PlainStream, Stream
from transforms.errors import ObjectFailed
from transforms.record import JSON, Failure, Format, Origin, RecordBatch, Span
from transforms.splits import BatchLimits, Polled


@dataclass(slots=True)
class _Opened:
    """An object under way."""

    pinned: PinnedObject
    stream: Stream
    framer: Framer
    skip: int
    """Bytes of the stream still to be dropped before the first one wanted."""


class TextReader:
    """Reads the records whose first byte lies in ``[start, end)`` of the decompressed object.

    A range that begins within a line leaves that line to the range before; the last
    record is read to its end, beyond ``end`` if need be. The last batch settles the range
    up to ``end``, whether or not it has records.

    Args:
        storage: Where the object is.
        part: What of it to read. It may begin anywhere in plain JSON lines, and at a
            record in anything else.
        limits: Bounds of a batch.
        max_kept_bytes: A longer record is not kept whole: it fails.
    """

    def __init__(
        self, storage: Storage, part: Part, limits: BatchLimits, max_kept_bytes: int
    ) -> None:
        self._storage = storage
        self._part = part
        self._limits = limits
        self._max_kept_bytes = max_kept_bytes
        self._format = JSON
        self._position = part.start
        self._opened: _Opened | None = None
        self._taken = 0
        self._exhausted = part.end is not None and part.start >= part.end
        self._fault: ObjectFailed | None = None
        self._done = False

    def poll(self, timeout: float) -> Polled:
        """The next batch, or none when reading towards it takes longer than ``timeout``."""
        batch = None
        if not self._done:
            try:
                self._fill(time.monotonic() + timeout)
            except ObjectFailed as error:
                self._fault = error
            batch = self._take()
        return Polled(() if batch is None else (batch,), (("", self._position),), self._done)

    def backlog(self) -> int:
        """Stored bytes left to read."""
        if self._done:
            return 0
        if self._part.end is not None:
            return self._part.end - self._position
        return self._part.size - (self._opened.stream.stored if self._opened else 0)

    def close(self) -> None:
        """Close the object."""
        if self._opened is not None:
            self._opened.pinned.close()

    def _fill(self, deadline: float) -> None:
        """Read until a batch is full, the part is read, or the time is up."""
        while not (self._exhausted or self._fault or self._full()):
            opened = self._opened = self._opened or self._open()
            self._advance(opened)
            if time.monotonic() >= deadline:
                return

    def _full(self) -> bool:
        if self._opened is None:
            return False
        framed, limits = self._opened.framer.framed, self._limits
        if framed.refused or len(framed.offsets) - self._taken >= limits.records:
            return True
        unsettled = self._opened.framer.next - self._position
        return len(framed.offsets) > self._taken and unsettled >= limits.bytes

    def _advance(self, opened: _Opened) -> None:
        """Read and frame one block."""
        framer, end = opened.framer, self._part.end
        block = opened.stream.read()
        if not block:
            framer.finish()
            self._exhausted = True
        elif opened.skip >= len(block):
            opened.skip -= len(block)
        else:
            _forget(framer.framed, self._taken)
            self._taken = 0
            framer.feed(block[opened.skip :])
            opened.skip = 0
            self._exhausted = end is not None and framer.next >= end
        if self._exhausted and end is not None:
            _leave(framer.framed, end)

    def _open(self) -> _Opened:
        """Open the object where reading begins."""
        part, storing = self._part, self._part.storing
        pinned = self._storage.open(part.uri, part.version)
        try:
            at = self._position
            framer: Framer
            if storing.format == "csv":
                header = read_header(
                    self._stream(pinned, 0), storing.delimiter, self._max_kept_bytes, part.uri
                )
                self._format = Format("csv", header.columns, storing.delimiter)
                at = max(at, header.end)
                framer = CsvFramer(at, storing.delimiter, self._max_kept_bytes)
            else:
                # The byte before tells whether a record begins here.
                partial = at > 0
                at -= partial
                framer = LineFramer(at, partial=partial, limit=self._max_kept_bytes)
            return _Opened(
                pinned, self._stream(pinned, at), framer, skip=at if storing.compression else 0
            )
        except BaseException:
            pinned.close()
            raise

    def _stream(self, pinned: PinnedObject, start: int) -> Stream:
        part = self._part
        if part.end is None:
            stored = PlainStream(pinned, 0, part.size)
            return CompressedStream(stored, part.storing.compression, part.uri)
        return PlainStream(pinned, start, part.end, beyond=not part.final)

    def _take(self) -> RecordBatch | None:
        """The next batch of what has been framed; None when nothing is due."""
        framed = self._opened.framer.framed if self._opened else Framed()
        framed_to = self._opened.framer.next if self._opened else self._position
        low, stop = self._taken, self._stop(framed)
        all_taken = stop == len(framed.offsets)
        last = all_taken and (self._exhausted or self._fault is not None)
        if not last and stop == low and not framed.refused:
            return None
        failures: list[Failure] = []
        end = framed_to if all_taken else framed.offsets[stop]
        if last and self._fault is not None:
            broke = max(self._position, framed_to)  # before the end, or it had been reached
            failures.append(object_failure(self._origin(broke), self._format, self._fault))
            end = broke + 1
        if last and self._part.end is not None:
            end = self._part.end
        failures += [
            refused_failure(self._origin(each.offset), self._format, each)
            for each in framed.refused
            if each.offset < end
        ]
        framed.refused = [each for each in framed.refused if each.offset >= end]
        batch = RecordBatch(
            span=Span(
                self._part.uri,
                self._part.version,
                self._position,
                end,
                final=last and self._part.final,
            ),
            format=self._format,
            offsets=framed.offsets[low:stop],
            raws=framed.raws[low:stop],
            failures=tuple(failures),
        )
        self._taken, self._position, self._done = stop, end, last
        return batch

    def _stop(self, framed: Framed) -> int:
        """Index of the first framed record that the next batch has no room for."""
        low = self._taken
        stop = min(len(framed.offsets), low + self._limits.records)
        if low < stop:
            full = framed.offsets[low] + self._limits.bytes
            stop = max(low + 1, bisect_left(framed.offsets, full, low, stop))
        return stop

    def _origin(self, offset: int) -> Origin:
        return Origin(self._part.uri, self._part.version, offset)


def _forget(framed: Framed, taken: int) -> None:
    """Drop the records that are in batches already."""
    del framed.offsets[:taken], framed.raws[:taken]


def _leave(framed: Framed, end: int) -> None:
    """Drop the records that begin at or after ``end``: the next part owns them."""
    owned = bisect_left(framed.offsets, end)
    del framed.offsets[owned:], framed.raws[owned:]
    framed.refused = [each for each in framed.refused if each.offset < end]
