"""Read the records of one Avro object file from a given one on."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import fastavro
from fastavro import _read_py
from fastavro.read import HEADER_SCHEMA

from sources.files.avro.blocks import Block, Blocks, reason_of
from sources.files.avro.columns import rows_of
from sources.files.avro.shapes import Shape, Shapes
from sources.files.content import no_content_yet, stored_content
from sources.files.decompress import CompressedStream
from sources.files.encodings import PeekedStream
from sources.files.failures import may_pass, object_failure
from sources.files.framing import oversized, unreadable
from sources.files.magic import compression_by
from sources.files.plan import Part
from sources.storage.objects import PinnedObject, Storage
from sources.storage.stream import PlainStream, Stream
from transforms.batch.content import Content
from transforms.batch.record import Failure, Format, Origin, RecordBatch, Span
from transforms.batch.splits import BatchLimits, Polled
from transforms.errors import ObjectFailed, SluiceError
from transforms.parse.typed_rows import RowEncoder

_FORMAT = Format("avro")

LARGE = 1 << 20
"""The longest element of a block that is longer itself, in stored bytes."""


@dataclass(slots=True)
class _OpenObject:
    """An object that is being read.

    Attributes:
        pinned: The object.
        blocks: Its blocks.
        decoder: Decodes them.
        at: The number of the first element of the block under way.
        block: The block under way; None between two.
        elements: What is left of it.
    """

    pinned: PinnedObject
    blocks: Blocks
    decoder: Decoder
    at: int = 0
    block: Block | None = None
    elements: Iterator[Any] | None = None


class Decoder:
    """Decodes the elements of blocks.

    Args:
        schema: The schema of the object, as JSON.

    Raises:
        ObjectFailed: Its elements are no records, or cannot be read with bounded memory.
    """

    def __init__(self, schema: bytes) -> None:
        names: dict[str, Any] = {}
        parsed: Any = fastavro.parse_schema(json.loads(schema), names)
        shapes = Shapes(names)
        whole = shapes.of(parsed)
        if not isinstance(parsed, dict) or parsed.get("type") not in ("record", "error"):
            raise ObjectFailed("its elements are no records", "unknown_format")
        self.shapes: dict[str, Shape] = shapes.fields[parsed["name"]]
        self.recursive = shapes.recursive
        self.encoder = RowEncoder({name: shape.kind for name, shape in self.shapes.items()})
        self._file = io.BytesIO()
        meta = {"avro.schema": json.dumps(whole.decoded).encode(), "avro.codec": b"null"}
        header = {"magic": b"Obj\x01", "meta": meta, "sync": bytes(16)}
        fastavro.schemaless_writer(self._file, HEADER_SCHEMA, header)
        self._file.seek(0)
        # The compiled reader would overflow the stack of the process.
        reader = _read_py.block_reader if self.recursive else fastavro.block_reader
        self._reader: Any = reader(self._file, handle_unicode_errors="surrogateescape")
        self._schema: Any = fastavro.parse_schema(whole.decoded)

    def elements(self, block: Block) -> Iterator[Any]:
        """The elements of ``block``, lazily; whatever it raises, the rest cannot be read."""
        if len(block.data) > LARGE and not self.recursive:
            return self._one_by_one(block)
        self._file.seek(0)
        self._file.truncate()
        for number in (block.count, len(block.data)):
            fastavro.schemaless_writer(self._file, "long", number)
        self._file.write(block.data)
        self._file.write(bytes(16))
        self._file.seek(0)
        elements: Iterator[Any] = iter(next(self._reader))
        return elements

    def _one_by_one(self, block: Block) -> Iterator[Any]:
        """The elements of a long block: a byte of one may become hundreds in memory."""
        window: Any = _Window(block.data)
        for _ in range(block.count):
            window.begin = window.tell()
            yield fastavro.schemaless_reader(
                window, self._schema, None, handle_unicode_errors="surrogateescape"
            )


class _Window(io.BytesIO):
    """The data of a block, of which an element may read ``LARGE`` bytes."""

    begin = 0

    def read(self, size: int | None = -1) -> bytes:
        """The next ``size`` bytes.

        Raises:
            ValueError: The element is longer than allowed.
        """
        if self.tell() + (size or 0) - self.begin > LARGE:
            raise ValueError(f"it is longer than {LARGE:,} bytes")
        return super().read(size)


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
        while opened.block is None:
            block = opened.blocks.next(skip_to=self._position - opened.at)
            if block is None:
                self._done = True
                return [self._batch([], [], [], [], self._position)]
            if opened.at + block.count <= self._position:
                opened.at += block.count
                continue
            opened.block = block
        return [self._read(opened, opened.block)]

    def _read(self, opened: _OpenObject, block: Block) -> RecordBatch:
        """The next records of the block under way."""
        end = opened.at + block.count
        if block.problem:
            return self._give_up(opened, end, [], block.problem)
        records: list[Any] = []
        wanted = max(1, self._limits.bytes * block.count // (len(block.data) + 1))
        try:
            if opened.elements is None:
                opened.elements = opened.decoder.elements(block)
                skipped = self._position - opened.at
                next(islice(opened.elements, skipped, skipped), None)
            records.extend(islice(opened.elements, min(wanted, self._limits.records)))
        except SluiceError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever fastavro raises concerns the content
            reason = f"an element cannot be read ({reason_of(error)})"
            return self._give_up(opened, end, records, reason)
        if not records:
            return self._give_up(opened, end, [], "the block has fewer elements than it says")
        return self._rows(opened, records, self._position + len(records), end)

    def _give_up(
        self, opened: _OpenObject, end: int, records: list[Any], problem: str
    ) -> RecordBatch:
        """The records that could be read, and one failure for the rest of the block."""
        broke = self._position + len(records)
        several = end > broke + 1
        lost = f"elements {broke:,} to {end - 1:,} are" if several else f"element {broke:,} is"
        error = ObjectFailed(f"{self._part.uri}: {lost} lost: {problem}", "object_corrupt")
        failure = object_failure(self._origin(broke), _FORMAT, error)
        return self._rows(opened, records, end, end, failure)

    def _rows(
        self, opened: _OpenObject, records: list[Any], to: int, end: int, *failures: Failure
    ) -> RecordBatch:
        """The batch of ``records``, up to ``to`` in a block that ends at ``end``."""
        decoder, first = opened.decoder, self._position
        rows = rows_of(records, decoder.shapes, decoder.encoder, recursive=decoder.recursive)
        refused = [
            unreadable(first + i, rows.raws[i], fault, self._max_record_bytes)
            for i, fault in rows.faults.items()
        ]
        limit = self._max_record_bytes
        refused += [
            oversized(first + i, raw, limit)
            for i, raw in enumerate(rows.raws)
            if len(raw) > limit and i not in rows.faults
        ]
        bad = {each.offset - first for each in refused}
        good = [i for i in range(len(records)) if i not in bad] if bad else range(len(records))
        if to >= end:
            opened.at, opened.block, opened.elements = end, None, None
            self._done = opened.blocks.ended
        return self._batch(
            [first + i for i in good],
            [rows.raws[i] for i in good],
            [rows.values[i] for i in good],
            [*failures, *(e.failure(self._origin(e.offset), _FORMAT) for e in refused)],
            to,
        )

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
            return _OpenObject(pinned, blocks, decoder)
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
        raws: list[bytes],
        values: list[dict[str, Any]],
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
