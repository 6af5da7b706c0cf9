"""Read one object of JSON or CSV, or a byte range of plain JSON lines."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from sources.files.content import Meter, framing_of
from sources.files.csv.head import CsvRules, described, read_head
from sources.files.csv.options import CsvOptions
from sources.files.decompress import CompressedStream
from sources.files.encodings import DecodedStream, PeekedStream, keeps_ascii, marked_encoding
from sources.files.failures import EndsEarly, Undecided, may_pass, object_failure
from sources.files.framing import BOM, FramedRecords, Framer, LineFramer
from sources.files.json.layout import LINES, MOST_LOOKED, SAMPLE_BYTES, Layout, read_layout
from sources.files.magic import HEAD_BYTES, compression_by, kind_of
from sources.files.plan import Part
from sources.storage.objects import PinnedObject, Storage
from sources.storage.stream import PlainStream, Stream
from transforms import notes
from transforms.batch.expected import ExpectedFields
from transforms.batch.record import JSON, Failure, Format, Origin, RecordBatch, Span
from transforms.batch.splits import BatchLimits, Polled
from transforms.errors import ObjectFailed, ObjectUnavailable


@dataclass(slots=True)
class _OpenObject:
    """An object that is being read."""

    pinned: PinnedObject
    stream: Stream
    framer: Framer
    skip: int
    """How many bytes of the stream to drop before the first one to read."""
    at: int
    """Offset of the next byte of the stream."""


class TextReader:
    """Reads the records whose first byte lies in ``[start, end)`` of the decompressed object.

    A range that begins within a line leaves that line to the range before. The last record is
    read to its end, beyond ``end`` if necessary. The last batch settles the range up to ``end``,
    whether or not it has records.

    Args:
        storage: Where the object is.
        part: What of it to read. It may begin anywhere in plain JSON lines, and only at the
            start of a record in anything else.
        limits: Bounds of a batch.
        max_kept_bytes: A longer record is not kept whole, and fails.
        csv: How CSV is written, as far as the user says.
        expected: What the table expects of the header of CSV.
        growing: Whether the object may still grow. Then its end is not settled while its last
            record is incomplete, or while it ends early.
    """

    def __init__(
        self,
        storage: Storage,
        part: Part,
        limits: BatchLimits,
        max_kept_bytes: int,
        csv: CsvOptions | None = None,
        expected: ExpectedFields | None = None,
        *,
        growing: bool = False,
    ) -> None:
        self._storage = storage
        self._part = part
        self._limits = limits
        self._max_kept_bytes = max_kept_bytes
        self._csv = csv or CsvOptions()
        self._expected = expected or ExpectedFields()
        self._growing = growing and part.final
        self._encoding = part.stored_format.encoding
        self._compression = part.stored_format.compression
        self._format = JSON
        self._layout = part.layout
        self._position = part.start
        self._opened: _OpenObject | None = None
        self._meter = Meter(part.start)
        self._taken = 0
        # At its end, an object must still be looked at: it may be compressed or marked after all.
        read = part.end is not None and part.start >= part.end
        self._exhausted = read and (not part.final or part.end == 0)
        self._fault: ObjectFailed | None = None
        self._quiet = self._done = False

    def poll(self, timeout: float) -> Polled:
        """The next batch, or none if reading it takes longer than ``timeout``.

        Raises:
            ObjectUnavailable: Access is refused, or only an option says how it is written.
        """
        batch = None
        if not self._done:
            try:
                self._fill(time.monotonic() + timeout)
            except Undecided as error:
                raise ObjectUnavailable(str(error)) from error  # nothing of it is settled
            except ObjectFailed as error:
                self._fault = error
            batch = self._take()
        batches, position = () if batch is None else (batch,), (("", self._position),)
        return Polled(batches, position, self._done, content_of=self._meter.part)

    def look(self) -> Layout:
        """Open the object and find out how it is written; returns the layout of JSON.

        Raises:
            ObjectFailed: It cannot be read; ``Undecided`` if an option can help.
            SourceUnavailable: The storage cannot be reached, or refuses access.
        """
        self._quiet = True
        self._opened = self._opened or self._open()
        return self._layout or LINES

    @property
    def in_order(self) -> bool:
        """Whether offsets are not those of stored bytes, as far as the object has been opened."""
        return self._part.end is None

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
        """Read until a batch is full, the part ends, or the time is up."""
        while not (self._exhausted or self._fault or self._full()):
            opened = self._opened = self._opened or self._open()
            self._advance(opened)
            if self._exhausted and self._part.end is not None:
                opened.framer.framed.leave(self._part.end)
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

    def _advance(self, opened: _OpenObject) -> None:
        """Read and frame one block."""
        framer, end = opened.framer, self._part.end
        block = opened.stream.read()
        if not block:
            if not self._growing:
                framer.finish()
            self._exhausted = True
            return
        self._meter.read(opened.at, block)
        opened.at += len(block)
        if opened.skip >= len(block):
            opened.skip -= len(block)
            return
        framer.framed.forget(self._taken)
        self._taken = 0
        framer.feed(block[opened.skip :])
        opened.skip = 0
        self._meter.keep_from(framer.next)
        self._exhausted = end is not None and framer.next >= end

    def _open(self) -> _OpenObject:
        """Open the object at the position."""
        part = self._part
        pinned = self._storage.open(part.uri, part.version)
        try:
            if part.stored_format.format == "csv":
                return self._open_csv(pinned)
            return self._open_json(pinned)
        except BaseException:
            pinned.close()
            raise

    def _open_csv(self, pinned: PinnedObject) -> _OpenObject:
        part = self._part
        start = self._decoded(self._from_start(pinned))
        rules = CsvRules(
            self._csv,
            part.stored_format.delimiter,
            self._max_kept_bytes,
            self._encoding if self._is_cut_as_it_is else "",
            self._expected,
        )
        head = read_head(start, rules, part.uri, growing=self._growing)
        self._format = head.format
        if head.format.columns:
            self._note(described(head, self._encoding))
        at = max(self._position, head.end)
        return self._opened_at(pinned, at, rules.framer(at, head.format.delimiter))

    def _open_json(self, pinned: PinnedObject) -> _OpenObject:
        at = self._position
        stream: Stream | None = None
        if self._layout is None:
            stream = peeked = PeekedStream(self._json_from_start(pinned))
            self._layout = self._detected(peeked)
        elif at == 0 or self._part.end is None:
            stream = self._json_from_start(pinned)
        else:
            head = pinned.read_at(0, HEAD_BYTES)
            if not self._heed_compression(head, pinned.content_encoding):
                self._heed_mark(head)
        if self._encoding != self._part.stored_format.encoding:
            self._note(self._encoding or "utf-8")
        if self._is_cut_as_it_is:
            self._format = Format("json", encoding=self._encoding)
        limit, uri = self._max_kept_bytes, self._part.uri
        if stream is not None and at == 0:
            return _OpenObject(pinned, stream, self._layout.framer(0, limit, uri), skip=0, at=0)
        if self._layout == LINES:  # the byte before tells whether a record begins here
            framer = LineFramer(at - 1, partial=True, limit=limit)
            return self._opened_at(pinned, at - 1, framer)
        return self._opened_at(pinned, at, self._layout.framer(at, limit, uri))

    def _json_from_start(self, pinned: PinnedObject) -> Stream:
        """The text from the first byte on, unless it is binary data."""
        stream = self._from_start(pinned)
        if what := kind_of(stream.head):
            raise ObjectFailed(f"{self._part.uri} holds {what}, not JSON", "unknown_format")
        return self._decoded(stream)

    def _detected(self, stream: PeekedStream) -> Layout:
        """The layout that the start of the object shows.

        Raises:
            EndsEarly: The object may still grow, and what is there can become either.
        """
        part = self._part
        layout = read_layout(
            stream,
            max(MOST_LOOKED, self._max_kept_bytes),
            lines_by_name=part.stored_format.lines_by_name,
            growing=self._growing,
        )
        if layout is None:
            raise EndsEarly(f"the first value of {part.uri} has no end yet", "object_corrupt")
        return layout

    @property
    def _is_cut_as_it_is(self) -> bool:
        """Whether the text is not UTF-8, but its records are cut in the stored bytes."""
        return bool(self._encoding) and keeps_ascii(self._encoding)

    def _opened_at(self, pinned: PinnedObject, at: int, framer: Framer) -> _OpenObject:
        """The object, to be read from the offset ``at`` of the text on."""
        from_start = self._part.end is None
        begin = 0 if from_start else min(self._position, at)  # a header is settled as well
        return _OpenObject(
            pinned, self._decoded(self._stored(pinned, begin)), framer, at - begin, begin
        )

    def _from_start(self, pinned: PinnedObject) -> PeekedStream:
        """The decompressed bytes from the first one on; they say how the object is written."""
        part, first = self._part, SAMPLE_BYTES if self._quiet else 0
        end = part.size if part.end is None else part.end
        peeked = PeekedStream(PlainStream(pinned, 0, end, beyond=not part.final, first=first))
        if self._heed_compression(peeked.head, pinned.content_encoding):
            peeked = PeekedStream(CompressedStream(peeked, self._compression, part.uri))
        self._heed_mark(peeked.head)
        return peeked

    def _heed_compression(self, head: bytes, content_encoding: str) -> str:
        """Take the compression from the first bytes of the object, unless the user says it."""
        stored_format, uri = self._part.stored_format, self._part.uri
        if not stored_format.certain:
            before = self._compression
            self._compression = compression_by(
                head, stored_format.compression, content_encoding, uri
            )
            if self._compression != before:
                self._note(self._compression or "not compressed")
            if self._compression:
                self._read_whole(f"{self._compression} data", "--compression")
        return self._compression

    def _note(self, what: str) -> None:
        """Say in the summary what the content showed."""
        if not self._quiet:
            notes.note("detected", what, self._part.uri)

    def _heed_mark(self, head: bytes) -> None:
        """Take the encoding from a byte order mark."""
        mark = marked_encoding(head)
        if mark or head.startswith(BOM):
            self._encoding = mark
        if mark:
            self._read_whole(mark, f"--encoding {mark}")

    def _read_whole(self, what: str, option: str) -> None:
        """Read the object in order, since offsets are not those of its stored bytes.

        Raises:
            ObjectFailed: The part is a range of its bytes.
        """
        part = self._part
        if part.end is None:
            return
        if not part.final:
            raise ObjectFailed(
                f"{part.uri} is {what} and too large to be read without {option}", "unknown_format"
            )
        self._part = replace(part, end=None, size=part.end)

    def _decoded(self, stream: Stream) -> Stream:
        """The text in UTF-8, unless records are cut in the stored bytes."""
        if not self._encoding or self._is_cut_as_it_is:
            return stream
        return DecodedStream(stream, self._encoding, self._part.uri)

    def _stored(self, pinned: PinnedObject, start: int) -> Stream:
        """The bytes from ``start`` on, or from the first if reading can only begin there."""
        part = self._part
        if part.end is not None:
            return PlainStream(pinned, start, part.end, beyond=not part.final)
        stored, compression = PlainStream(pinned, 0, part.size), self._compression
        return CompressedStream(stored, compression, part.uri) if compression else stored

    def _take(self) -> RecordBatch | None:
        """The next batch of framed records; None while more can be added to it."""
        framed = self._opened.framer.framed if self._opened else FramedRecords()
        framed_to = self._opened.framer.next if self._opened else self._position
        low, stop = self._taken, framed.stop(self._taken, self._limits)
        all_taken = stop == len(framed.offsets)
        last = all_taken and (self._exhausted or self._fault is not None)
        unfinished = last and self._unfinished
        if not last and stop == low and not framed.refused:
            return None
        failures: list[Failure] = []
        fault = self._fault if last and not unfinished else None
        end = framed_to if all_taken else framed.offsets[stop]
        if fault is not None:
            # That is before its end, or the end would have been reached.
            broke = max(self._position, framed_to)
            failures.append(object_failure(self._origin(broke), self._format, fault))
            end = broke + 1
        if last and self._part.end is not None and not unfinished:
            end = self._part.end
        end = max(end, self._position)
        if unfinished and end == self._position:
            self._done = True
            return None
        failures += [
            refused.failure(self._origin(refused.offset), self._format)
            for refused in framed.take_refused(end)
        ]
        batch = RecordBatch(
            span=Span(
                self._part.uri,
                self._partition,
                self._position,
                end,
                final=last and self._part.final and not unfinished,
                content=None if fault else self._meter.take(end, self._framing),
            ),
            format=self._format,
            offsets=framed.offsets[low:stop],
            raws=framed.raws[low:stop],
            failures=tuple(failures),
        )
        self._taken, self._position, self._done = stop, end, last
        return batch

    @property
    def _unfinished(self) -> bool:
        """Whether the end of what there is cannot be the end of the object."""
        if not self._growing:
            return False
        framer = self._opened.framer if self._opened else None
        if self._fault is not None:
            return may_pass(self._fault)
        return framer is not None and framer.unfinished

    def _origin(self, offset: int) -> Origin:
        return Origin(self._part.uri, self._partition, offset)

    @property
    def _framing(self) -> str:
        """What decides where records begin, apart from the layout, which the partition names."""
        encoding = "" if self._is_cut_as_it_is else self._encoding
        return framing_of(self._format, self._compression, encoding)

    @property
    def _partition(self) -> str:
        return (self._layout or LINES).partition(self._part.version)
