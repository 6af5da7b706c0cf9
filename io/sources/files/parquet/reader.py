"""Read the rows of one Parquet object from a given row on."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sources.files.content import stored_content
from sources.files.failures import may_pass, object_failure, refused_failure
from sources.files.framing import RefusedRecord
from sources.files.parquet.arrow_rows import encoder_of, rows_of
from sources.files.plan import Part
from sources.storage.objects import PinnedObject, Storage
from sources.storage.ranged_file import RangedFile
from transforms.batch.content import Content
from transforms.batch.record import Failure, Format, Origin, RecordBatch, Span
from transforms.batch.splits import BatchLimits, Polled
from transforms.errors import ObjectFailed, SourceUnavailable
from transforms.parse.typed_rows import RowEncoder

_log = logging.getLogger(__name__)

_FORMAT = Format("parquet")
_BUFFERS_BYTES = 64 << 20
"""Of all read buffers together; each column that is being read has one."""


@dataclass(slots=True)
class _OpenObject:
    """An object that is being read."""

    pinned: PinnedObject
    file: pq.ParquetFile
    encoder: RowEncoder
    int96: frozenset[str]
    total: int
    """Rows of all row groups; the footer's own count is not always right."""


class ParquetReader:
    """Reads rows as dicts; a position is a row number.

    Pages are decoded one by one, so that a large row group does not have to fit in memory.

    Args:
        storage: Where the object is.
        part: The object, and the first row to read.
        limits: Bounds of a batch.
        growing: Whether it may still be written: an object without a footer is then left alone.
    """

    def __init__(
        self, storage: Storage, part: Part, limits: BatchLimits, *, growing: bool = False
    ) -> None:
        self._storage = storage
        self._part = part
        self._limits = limits
        self._growing = growing
        self._position = part.start
        self._opened: _OpenObject | None = None
        self._arrow: Iterator[pa.RecordBatch] | None = None
        self._rows = limits.records
        self._done = False

    def poll(self, timeout: float) -> Polled:
        """The next batches; the first rows of a row group take as long as decoding their pages."""
        batches: list[RecordBatch] = []
        if not self._done:
            try:
                batches = self._next()
            except ObjectFailed as error:
                batches = self._fail(error)
            except SourceUnavailable:
                self._arrow = None  # begins again at the position
                raise
            except (pa.ArrowException, OSError, ValueError, TypeError) as error:
                # Anything else that Arrow raises while it decodes concerns the content.
                message = f"{self._part.uri} {self._why(error)}"
                batches = self._fail(ObjectFailed(message, "object_corrupt"))
        return Polled(batches, (("", self._position),), self._done)

    def backlog(self) -> int:
        """Stored bytes left to read, in proportion to the rows."""
        if self._done:
            return 0
        if self._opened is None or not self._opened.total:
            return self._part.size
        left = max(0, self._opened.total - self._position)
        return self._part.size * left // self._opened.total

    def close(self) -> None:
        """Close the object."""
        self._arrow = None
        if self._opened is not None:
            self._opened.pinned.close()

    def _next(self) -> list[RecordBatch]:
        opened = self._opened = self._opened or self._open()
        if self._position >= opened.total:
            self._done = True
            return [self._batch([], [], [], [], max(self._position, opened.total))]
        if self._arrow is None:
            self._arrow = self._iterate(opened)
        arrow = next(self._arrow, None)
        if arrow is None:
            message = f"{self._part.uri} has fewer rows than its row groups say"
            raise ObjectFailed(message, "object_corrupt")
        if arrow.nbytes > 2 * self._limits.bytes and self._rows > 1:
            self._rows = max(1, len(arrow) * self._limits.bytes // arrow.nbytes)
            self._arrow = None  # continues in smaller steps
        return self._batches(arrow, opened)

    def _open(self) -> _OpenObject:
        """Read the footer."""
        part = self._part
        pinned = self._storage.open(part.uri, part.version)
        try:
            source: Any = io.BufferedReader(RangedFile(pinned, part.size), 64 << 10)
            metadata = pq.read_metadata(source)
            groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
            total = sum(group.num_rows for group in groups)
            _check_counts(part.uri, metadata, groups)
            buffer = min(pinned.block_bytes, _BUFFERS_BYTES // max(1, metadata.num_columns))
            file = pq.ParquetFile(
                source,
                metadata=metadata,
                buffer_size=max(buffer, 64 << 10),
                pre_buffer=False,
                # In nanoseconds, years before 1678 and after 2262 would wrap around.
                coerce_int96_timestamp_unit="us",
            )
            names = file.schema_arrow.names
            doubled = next((name for name in names if names.count(name) > 1), None)
            if doubled is not None:
                raise ObjectFailed(f"{part.uri} has the column {doubled!r} twice", "object_corrupt")
            weight = sum(group.total_byte_size for group in groups)
            rows = max(1, total)
            self._rows = max(
                1, min(self._limits.records, self._limits.bytes * rows // (weight + 1))
            )
            encoder = encoder_of(file.schema_arrow)
            return _OpenObject(pinned, file, encoder, _int96_columns(file), total)
        except BaseException:
            pinned.close()
            raise

    def _iterate(self, opened: _OpenObject) -> Iterator[pa.RecordBatch]:
        """Arrow batches of the rows from the position on."""
        metadata = opened.file.metadata
        sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        ends = list(accumulate(sizes))
        first = next(index for index, end in enumerate(ends) if end > self._position)
        surplus = self._position - (ends[first] - sizes[first])
        groups = list(range(first, len(sizes)))
        for arrow in opened.file.iter_batches(self._rows, row_groups=groups, use_threads=False):
            if surplus >= len(arrow):
                surplus -= len(arrow)
            else:
                yield arrow.slice(surplus)
                surplus = 0

    def _batches(self, arrow: pa.RecordBatch, opened: _OpenObject) -> list[RecordBatch]:
        """``arrow`` as batches within the limit of bytes."""
        rows = rows_of(arrow, opened.encoder, opened.int96)
        values, raws, faults = rows.values, rows.raws, rows.faults
        first, total = self._position, opened.total
        batches = []
        for low, high in _cuts(raws, self._limits.bytes):
            good = [i for i in range(low, high) if i not in faults] if faults else range(low, high)
            refused = [
                RefusedRecord(first + i, raws[i], "malformed", "UnreadableValue", faults[i])
                for i in range(low, high)
                if i in faults
            ]
            self._done = first + high >= total
            batches.append(
                self._batch(
                    [first + i for i in good],
                    [raws[i] for i in good],
                    [values[i] for i in good],
                    [refused_failure(self._origin(each.offset), _FORMAT, each) for each in refused],
                    first + high,
                )
            )
        return batches

    def _why(self, error: Exception) -> str:
        """What an error of Arrow means for the object."""
        reason = " ".join(str(error).split()).rstrip(" .:") or type(error).__name__
        if self._opened is not None:
            return f"cannot be read on from row {self._position:,}: {reason}"
        if self._part.size == 0:
            return "is empty: it has no Parquet footer"
        if "magic bytes" in reason or "minimum file footer" in reason:
            return "is not Parquet, or is cut off: it does not end with PAR1"
        if "encrypted" in reason:
            return "is encrypted; only Parquet that is not can be read"
        return f"cannot be read: its Parquet footer is damaged ({reason})"

    def _fail(self, error: ObjectFailed) -> list[RecordBatch]:
        if self._growing and (self._opened is None or may_pass(error)):
            self._done = True
            return []
        failure = object_failure(self._origin(self._position), _FORMAT, error)
        self._done = True
        total = self._opened.total if self._opened else 0
        return [self._batch([], [], [], [failure], max(total, self._position + 1))]

    def _batch(
        self,
        offsets: list[int],
        raws: list[bytes],
        values: list[dict[str, Any]],
        failures: list[Failure],
        end: int,
    ) -> RecordBatch:
        """The batch from the position to ``end``, which is the new position."""
        part = self._part
        content: Content | None = Content()
        if self._done:
            whole = self._opened is not None and end <= self._opened.total
            content = self._stored_content() if whole else None
        span = Span(part.uri, part.version, self._position, end, self._done, content)
        self._position = end
        return RecordBatch(span, _FORMAT, offsets, raws, values, failures=tuple(failures))

    def _stored_content(self) -> Content | None:
        assert self._opened is not None  # noqa: S101 - a batch of it is ready
        return stored_content(self._opened.pinned, self._part.size, _FORMAT.name)

    def _origin(self, row: int) -> Origin:
        return Origin(self._part.uri, self._part.version, row)


def _check_counts(
    uri: str, metadata: pq.FileMetaData, groups: Sequence[pq.RowGroupMetaData]
) -> None:
    """Compare the footer's counts of rows: of the file, of row groups and of columns.

    Those of the row groups count. A different count of the file is a common defect of writers.

    Raises:
        ObjectFailed: A column of a row group cannot have as many rows as the row group, or
            the file has rows and no row group.
    """
    total = sum(group.num_rows for group in groups)
    if metadata.num_rows and not groups:
        message = f"{uri} has no row group, but its footer says {metadata.num_rows:,} rows"
        raise ObjectFailed(message, "object_corrupt")
    repeated = [
        metadata.schema.column(i).max_repetition_level > 0 for i in range(metadata.num_columns)
    ]
    for number, group in enumerate(groups):
        rows = group.num_rows
        for index, repeats in enumerate(repeated):
            count = group.column(index).num_values
            if count < rows or rows < 0 or (count > rows and not (repeats and rows)):
                path = metadata.schema.column(index).path
                raise ObjectFailed(
                    f"{uri}: row group {number} has {rows:,} rows, but its column {path!r} "
                    f"has {count:,} values",
                    "object_corrupt",
                )
    if metadata.num_rows != total:
        _log.warning(
            "%s: its footer says %d rows, its row groups have %d; those of the row groups are read",
            uri,
            metadata.num_rows,
            total,
        )


def _int96_columns(file: pq.ParquetFile) -> frozenset[str]:
    """The columns that hold INT96 timestamps, at any depth."""
    columns = (file.schema.column(i) for i in range(len(file.schema)))
    paths = [f"{column.path}." for column in columns if column.physical_type == "INT96"]
    return frozenset(
        name for name in file.schema_arrow.names if any(p.startswith(f"{name}.") for p in paths)
    )


def _cuts(raws: list[bytes], limit: int) -> Iterator[tuple[int, int]]:
    """Ranges of consecutive rows of about ``limit`` bytes."""
    low = size = 0
    for index, raw in enumerate(raws):
        if size and size + len(raw) > limit:
            yield low, index
            low, size = index, 0
        size += len(raw)
    if low < len(raws):
        yield low, len(raws)
