"""Read the records of one Avro object file from a given one on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sources.files.avro.ahead import Ahead
from sources.files.avro.arrow_records import Unusual
from sources.files.avro.blocks import Block, Blocks, reason_of
from sources.files.avro.columnar_rows import ESCAPED, columnar_of
from sources.files.avro.columns import rows_of
from sources.files.avro.decoder import Decoder, WholeBlock
from sources.files.avro.elements import MEMORY, DamagedBlock, Elements
from sources.files.content import no_content_yet, stored_content
from sources.files.decompress import CompressedStream
from sources.files.encodings import PeekedStream
from sources.files.failures import may_pass, object_failure
from sources.files.framing import RefusedRecord, oversized, unreadable
from sources.files.magic import compression_by
from sources.files.parquet.columns.arrow_batch import ArrowBatch, arrow_batch_of
from sources.files.plan import Part
from sources.storage.objects import PinnedObject, Storage
from sources.storage.stream import PlainStream, Stream
from transforms.batch.content import Content
from transforms.batch.record import Failure, Format, Origin, RecordBatch, Span
from transforms.batch.splits import BatchLimits, Polled
from transforms.errors import ObjectFailed, SourceUnavailable
from transforms.parse.columns.columnar import Columnar
from transforms.parse.columns.kept_bytes import KeptBytes

_FORMAT = Format("avro")


@dataclass(slots=True)
class _OpenObject:
    """An object that is being read.

    Attributes:
        pinned: The object.
        blocks: Its blocks.
        ahead: Those that follow.
        decoder: Decodes them.
        at: The number of the first element of the block under way.
        block: The block under way; None between two.
        elements: What is left of it.
        failed: Why the object ends within it.
    """

    pinned: PinnedObject
    blocks: Blocks
    ahead: Ahead
    decoder: Decoder
    at: int = 0
    block: Block | None = None
    elements: Elements | WholeBlock | None = None
    failed: ObjectFailed | None = None


class AvroReader:
    """Reads records as dicts; a position is the number of an element.

    A block that is damaged is one failure. If its length is damaged too, it counts as one element.

    Args:
        storage: Where the object is.
        part: The object, and the first element to read.
        limits: Bounds of a batch.
        max_record_bytes: A record whose kept bytes are longer fails; only their head is kept.
        growing: Whether it may still be written. Its end is then not settled while it ends early.
    """

    def __init__(
        self,
        storage: Storage,
        part: Part,
        limits: BatchLimits,
        max_record_bytes: int,
        *,
        growing: bool = False,
    ) -> None:
        self._storage = storage
        self._part = part
        self._limits = limits
        self._max_record_bytes = max_record_bytes
        self._growing = growing
        self._position = part.start
        self._opened: _OpenObject | None = None
        self._done = False
        self._failed = False

    def poll(self, timeout: float) -> Polled:
        """The next batch."""
        batches: list[RecordBatch] = []
        if not self._done:
            try:
                batches = self._next()
            except ObjectFailed as error:
                batches = self._fail(error)
        position = (("", self._position),)
        return Polled(batches, position, self._done, content_of=no_content_yet)

    def backlog(self) -> int:
        """Stored bytes left to read."""
        if self._done:
            return 0
        return self._part.size - (self._opened.blocks.stored if self._opened else 0)

    def close(self) -> None:
        """Close the object."""
        if self._opened is not None:
            self._opened.pinned.close()

    def _next(self) -> list[RecordBatch]:
        opened = self._opened = self._opened or self._open()
        whole = self._whole_blocks(opened)
        if whole is not None:
            return [whole]
        while opened.block is None:
            block = opened.ahead.next(skip_to=self._position - opened.at)
            if block is None:
                self._done = True
                return [self._batch([], [], [], [], self._position)]
            if opened.at + block.count <= self._position:
                opened.at += block.count
                continue
            opened.block = block
        try:
            return [self._read(opened, opened.block)]
        except SourceUnavailable:
            opened.elements = None  # the next call finds its place in the block again
            if opened.block.pieces is not None:
                opened.pinned.close()
                self._opened = None
            raise

    def _whole_blocks(self, opened: _OpenObject) -> RecordBatch | None:
        """The records of the next blocks by columns; None where they are read record by record."""
        reader, limits = opened.decoder.columns, self._limits
        if reader is None or opened.block is not None or opened.at != self._position:
            return None
        several = opened.ahead.several(limits.records, limits.bytes)
        if not several:
            return None
        rows: ArrowBatch | None = None
        with suppress(Unusual):
            batch = reader.read([(block.count, block.data) for block in several])
            encoder, most = opened.decoder.encoder, 2 * limits.bytes
            rows = arrow_batch_of(batch, encoder, frozenset(), self._max_record_bytes, most)
        if rows is None:
            opened.ahead.leave_alone(len(several))
            return None
        opened.ahead.taken(len(several))
        first = self._position
        opened.at = end = first + len(rows.values)
        self._done = opened.ahead.ended
        return self._batch(list(range(first, end)), rows.raws, rows.values, [], end)

    def _read(self, opened: _OpenObject, block: Block) -> RecordBatch:
        """The next records of the block under way."""
        end = opened.at + block.count
        if block.problem:
            return self._give_up(opened, end, [], block.problem)
        if opened.failed is not None:
            raise opened.failed
        records: list[Any] = []
        refused: RefusedRecord | None = None
        try:
            if opened.elements is None:
                opened.elements = opened.decoder.elements(
                    block, opened.at, self._position - opened.at, self._max_record_bytes
                )
            refused = self._take(opened.elements, block, records)
        except SourceUnavailable:
            raise
        except ObjectFailed as error:
            if not records:
                raise
            opened.failed = error
        except Exception as error:  # noqa: BLE001 - whatever fastavro raises concerns the content
            if isinstance(opened.elements, WholeBlock):
                return self._read_carefully(opened, block)
            reason = f"an element cannot be read ({reason_of(error)})"
            return self._give_up(opened, end, records, reason)
        if not records and refused is None:
            return self._give_up(opened, end, [], "the block has fewer elements than it says")
        to = self._position + len(records) + (refused is not None)
        failures = [] if refused is None else [self._failure(refused)]
        return self._rows(opened, records, to, end, failures)

    def _read_carefully(self, opened: _OpenObject, block: Block) -> RecordBatch:
        """The same once more, element by element, since one of them is bad."""
        done = self._position - opened.at
        try:
            opened.elements = opened.decoder.one_by_one(
                block, opened.at, done, self._max_record_bytes
            )
        except Exception as error:  # noqa: BLE001 - as above
            reason = f"an element cannot be read ({reason_of(error)})"
            return self._give_up(opened, opened.at + block.count, [], reason)
        return self._read(opened, block)

    def _take(
        self, elements: Elements | WholeBlock, block: Block, records: list[Any]
    ) -> RefusedRecord | None:
        """Append the next elements to ``records``, up to one that is refused."""
        limits = self._limits
        if isinstance(elements, WholeBlock):
            fixed = max(1, elements.fixed)
            share = limits.bytes * block.count // (len(block.data) + 1)
            wanted = min(share, limits.records, MEMORY // fixed)
            records.extend(islice(elements.elements, max(1, wanted)))
            return None
        taken = 0
        for element in elements:
            if isinstance(element, RefusedRecord):
                return element
            records.append(element)
            taken += elements.cost
            if len(records) >= limits.records or taken >= limits.bytes:
                break
        return None

    def _failure(self, refused: RefusedRecord) -> Failure:
        return refused.failure(self._origin(refused.offset), _FORMAT)

    def _give_up(
        self, opened: _OpenObject, end: int, records: list[Any], problem: str
    ) -> RecordBatch:
        """The records that could be read, and one failure for the rest of the block."""
        broke = self._position + len(records)
        several = end > broke + 1
        lost = f"elements {broke:,} to {end - 1:,} are" if several else f"element {broke:,} is"
        error = ObjectFailed(f"{self._part.uri}: {lost} lost: {problem}", "object_corrupt")
        failure = object_failure(self._origin(broke), _FORMAT, error)
        return self._rows(opened, records, end, end, [failure])

    def _rows(
        self, opened: _OpenObject, records: list[Any], to: int, end: int, failures: list[Failure]
    ) -> RecordBatch:
        """The batch of ``records``, up to ``to`` in a block that ends at ``end``."""
        decoder, first, limit = opened.decoder, self._position, self._max_record_bytes
        values: Sequence[Any]
        raws: Sequence[bytes]
        refused: dict[int, RefusedRecord] = {}
        whole = self._columnar(opened, records)
        if whole is not None:
            values, raws = whole
        else:
            rows = rows_of(records, decoder.shapes, decoder.encoder, recursive=decoder.recursive)
            values, raws = rows.values, rows.raws
            refused = {i: unreadable(first + i, raws[i], x, limit) for i, x in rows.faults.items()}
            for i, raw in enumerate(raws):
                if len(raw) > limit and i not in refused:
                    refused[i] = oversized(first + i, raw, limit)
        if to >= end:
            last = len(records) - 1
            problem = "" if failures else _problem_behind(opened.elements)
            if problem and last not in refused:
                refused[last] = RefusedRecord(
                    end - 1, raws[last], "object_corrupt", ObjectFailed.__name__, problem
                )
            done = opened.ahead.ended
            opened.at, opened.block, opened.elements = end, None, None
            self._done = done
        kept = [i for i in range(len(records)) if i not in refused]
        if refused:
            raws, values = [raws[i] for i in kept], [values[i] for i in kept]
        failed = [*map(self._failure, refused.values()), *failures]
        return self._batch([first + i for i in kept], raws, values, failed, to)

    def _columnar(
        self, opened: _OpenObject, records: list[Any]
    ) -> tuple[Columnar, KeptBytes] | None:
        """The records by columns; None where they may be too large, or have to be looked at one by one."""
        decoder, block = opened.decoder, opened.block
        if block is None or block.pieces is not None or decoder.recursive or decoder.around is None:
            return None
        size = len(block.data)
        if ESCAPED * size + decoder.around > self._max_record_bytes:
            return None
        estimate = size * len(records) // max(1, block.count) + decoder.around * len(records) // 4
        return columnar_of(records, decoder.shapes, decoder.encoder, estimate)

    def _open(self) -> _OpenObject:
        """Read the header."""
        part = self._part
        pinned = self._storage.open(part.uri, part.version)
        try:
            blocks = Blocks(self._stream(pinned), part.uri)
            blocks.read_header()
            try:
                decoder = Decoder(blocks.meta.get("avro.schema", b""))
            except ObjectFailed as error:
                raise ObjectFailed(
                    f"{part.uri} cannot be read: {error.message}", error.category
                ) from error
            except Exception as error:
                raise ObjectFailed(
                    f"{part.uri} has a damaged Avro schema ({reason_of(error)})", "object_corrupt"
                ) from error
            return _OpenObject(pinned, blocks, Ahead(blocks), decoder)
        except BaseException:
            pinned.close()
            raise

    def _stream(self, pinned: PinnedObject) -> Stream:
        part, stored_format = self._part, self._part.stored_format
        stream = PeekedStream(PlainStream(pinned, 0, part.size))
        compression = stored_format.compression
        if not stored_format.certain:
            compression = compression_by(
                stream.head, compression, pinned.content_encoding, part.uri
            )
        return CompressedStream(stream, compression, part.uri) if compression else stream

    def _fail(self, error: ObjectFailed) -> list[RecordBatch]:
        self._done = True
        if self._growing and may_pass(error):
            return []
        self._failed = True
        failure = object_failure(self._origin(self._position), _FORMAT, error)
        return [self._batch([], [], [], [failure], self._position + 1)]

    def _batch(
        self,
        offsets: list[int],
        raws: Sequence[bytes],
        values: Sequence[Any],
        failures: list[Failure],
        end: int,
    ) -> RecordBatch:
        """The batch from the position to ``end``, which is the new position."""
        part, start, content = self._part, self._position, None
        self._position = end
        if not self._done:
            content = Content()
        elif self._opened is not None and not self._failed:
            content = stored_content(self._opened.pinned, part.size, _FORMAT.name)
        return RecordBatch(
            span=Span(part.uri, part.version, start, end, self._done, content),
            format=_FORMAT,
            offsets=offsets,
            raws=raws,
            values=values,
            failures=tuple(failures),
        )

    def _origin(self, offset: int) -> Origin:
        return Origin(self._part.uri, self._part.version, offset)


def _problem_behind(elements: Elements | WholeBlock | None) -> str:
    """What is wrong behind the last element of a block."""
    try:
        rest = 0 if elements is None else elements.rest()
    except DamagedBlock as error:
        return f"the block is damaged behind this element: {error}"
    return f"the block has {rest:,} more bytes behind this, its last element" if rest else ""
