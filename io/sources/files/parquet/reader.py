"""Read the rows of one Parquet object from a given row on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
import pyarrow as pa

from sources.files.content import no_content_yet, stored_content
from sources.files.failures import may_pass, object_failure
from sources.files.framing import RefusedRecord
from sources.files.parquet.arrow_rows import encoder_of
from sources.files.parquet.footer import int96_columns, read_footer
from sources.files.parquet.large_rows import SizedRows
from sources.files.parquet.long_values import MOST_KEPT, Marks
from sources.files.parquet.paged_file import PagedFile
from sources.files.parquet.row_groups import RowGroups
from sources.files.parquet.row_weights import cuts, weights_of
from sources.files.plan import Part
from sources.storage.objects import PinnedObject, Storage
from transforms.batch.content import Content
from transforms.batch.record import Failure, Format, Origin, RecordBatch, Span
from transforms.batch.splits import BatchLimits, Polled
from transforms.errors import ObjectFailed, SourceUnavailable
from transforms.parse.raw import HEAD_BYTES

_FORMAT = Format("parquet")


@dataclass(slots=True)
class _OpenObject:
    """An object that is being read."""

    pinned: PinnedObject
    source: PagedFile
    groups: RowGroups
    rows: SizedRows


class ParquetReader:
    """Reads rows as dicts; a position is a row number.

    Pages are decoded one by one, so that a large row group does not have to fit in memory. A row
    group that cannot be read on is one failure; reading goes on with the next one.

    Args:
        storage: Where the object is.
        part: The object, and the first row to read.
        limits: Bounds of a batch.
        max_record_bytes: Of a larger row only the head is kept; it fails.
        growing: Whether it may still be written: an object without a footer is then left alone.
    """

    def __init__(
        self,
        storage: Storage,
        part: Part,
        limits: BatchLimits,
        max_record_bytes: int = 1 << 20,
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
        self._parts: Iterator[pa.RecordBatch] = iter(())
        self._done = False

    def poll(self, timeout: float) -> Polled:
        """The next batches; the first rows of a row group take as long as decoding their pages."""
        batches: list[RecordBatch] = []
        if not self._done:
            try:
                batches = self._next()
            except SourceUnavailable:
                if self._opened is not None:
                    self._opened.groups.restart()  # begins again at the position
                raise
            except ObjectFailed as error:
                batches = self._fail(error)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is about this object
                batches = self._fail(self._failed(error))
        position = (("", self._position),)
        return Polled(batches, position, self._done, content_of=no_content_yet)

    def backlog(self) -> int:
        """Stored bytes left to read, in proportion to the rows."""
        if self._done:
            return 0
        if self._opened is None or not self._opened.groups.total:
            return self._part.size
        total = self._opened.groups.total
        return self._part.size * max(0, total - self._position) // total

    def close(self) -> None:
        """Close the object."""
        self._parts = iter(())
        if self._opened is not None:
            self._opened.groups.restart()
            self._opened.pinned.close()

    def _next(self) -> list[RecordBatch]:
        opened = self._opened = self._opened or self._open()
        if self._position >= opened.groups.total:
            self._done = True
            return [self._batch([], [], [], [], max(self._position, opened.groups.total))]
        part = next(self._parts, None)
        if part is None:
            arrow = opened.groups.read(self._position)
            self._parts = self._cut(arrow)
            part = next(self._parts)
        return self._batches(part, opened)

    def _cut(self, arrow: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """``arrow`` in parts that may be converted at once, as they are asked for."""
        most = max(self._max_record_bytes, HEAD_BYTES)
        if arrow.nbytes <= min(most, self._limits.bytes) and not any(
            pa.types.is_nested(each) or pa.types.is_dictionary(each) for each in arrow.schema.types
        ):
            yield arrow
            return
        weights = weights_of(arrow)
        if int(np.max(weights)) <= most and (int(np.sum(weights)) <= 2 * self._limits.bytes):
            yield arrow
            return
        for low, high in cuts(weights, self._limits.bytes, most):
            yield arrow.slice(low, high - low)

    def _open(self) -> _OpenObject:
        """Read the footer."""
        part = self._part
        pinned = self._storage.open(part.uri, part.version)
        try:
            source = PagedFile(pinned, part.size)
            footer = read_footer(part.uri, pinned, part.size)
            marks = Marks(min(max(self._max_record_bytes, HEAD_BYTES), MOST_KEPT // 2))
            groups = RowGroups(source, footer, self._limits, marks, pinned.block_bytes)
            schema = groups.file.schema_arrow
            names = schema.names
            doubled = next((name for name in names if names.count(name) > 1), None)
            if doubled is not None:
                raise ObjectFailed(f"{part.uri} has the column {doubled!r} twice", "object_corrupt")
            rows = SizedRows(
                encoder_of(schema), int96_columns(groups.file), marks, self._max_record_bytes
            )
            return _OpenObject(pinned, source, groups, rows)
        except BaseException:
            pinned.close()
            raise

    def _batches(self, arrow: pa.RecordBatch, opened: _OpenObject) -> list[RecordBatch]:
        """``arrow`` as batches within the limit of bytes."""
        first, total = self._position, opened.groups.total
        whole = opened.rows.whole(arrow, self._limits.bytes)
        if whole is not None:
            end = first + len(arrow)
            self._done = end >= total
            return [self._batch(list(range(first, end)), whole.raws, whole.values, [], end)]
        rows, refused_rows = opened.rows.of(arrow, first)
        values, raws = rows.values, rows.raws
        batches = []
        for low, high in _cuts(raws, self._limits.bytes):
            offsets = list(range(first + low, first + high))
            batch_raws, batch_values = raws[low:high], values[low:high]
            refused = [record for i, record in sorted(refused_rows.items()) if low <= i < high]
            if refused:
                good = [i not in refused_rows for i in range(low, high)]
                offsets = list(compress(offsets, good))
                batch_raws = list(compress(batch_raws, good))
                batch_values = list(compress(batch_values, good))
            self._done = first + high >= total
            failures = [self._refused(each) for each in refused]
            batches.append(self._batch(offsets, batch_raws, batch_values, failures, first + high))
        return batches

    def _failed(self, error: Exception) -> ObjectFailed:
        """What is said of an object whose content makes a library raise ``error``."""
        reason = " ".join(str(error).split()).rstrip(" .:") or type(error).__name__
        if self._opened is None:
            reason = self._why_closed(reason)
        failed = ObjectFailed(reason, "object_corrupt")
        failed.__cause__ = error
        return failed

    def _why_closed(self, reason: str) -> str:
        """What an error of Arrow means for an object that could not be opened."""
        uri = self._part.uri
        if self._part.size == 0:
            return f"{uri} is empty: it has no Parquet footer"
        if "magic bytes" in reason or "minimum file footer" in reason:
            return f"{uri} is not Parquet, or is cut off: it does not end with PAR1"
        if "encrypted" in reason:
            return f"{uri} is encrypted; only Parquet that is not can be read"
        return f"{uri} cannot be read: its Parquet footer is damaged ({reason})"

    def _refused(self, record: RefusedRecord) -> Failure:
        return record.failure(self._origin(record.offset), _FORMAT)

    def _fail(self, error: ObjectFailed) -> list[RecordBatch]:
        """The failure of the object, or of the rest of a row group; the next one is read on."""
        opened, uri = self._opened, self._part.uri
        if self._growing and (opened is None or may_pass(error)):
            self._done = True
            return []
        self._parts = iter(())
        total = opened.groups.total if opened else 0
        lost = error.category in ("object_changed", "object_missing")
        if opened is None or lost or self._position >= total:
            error = error if uri in error.message else _about(uri, error)
            end = max(total, self._position + 1)
        else:
            opened.groups.restart()
            group, end = opened.groups.group_of(self._position)
            where = f"{uri}: row group {group} cannot be read from row {self._position:,} on"
            if opened.source.column and "column" not in error.message:
                where += f", at column {opened.source.column!r}"
            error = _about(where, error)
        failure = object_failure(self._origin(self._position), _FORMAT, error)
        self._done = end >= total
        return [self._batch([], [], [], [failure], end)]

    def _batch(
        self,
        offsets: list[int],
        raws: Sequence[bytes],
        values: Sequence[Any],
        failures: list[Failure],
        end: int,
    ) -> RecordBatch:
        """The batch from the position to ``end``, which is the new position."""
        part = self._part
        content: Content | None = Content()
        if self._done:
            whole = self._opened is not None and end <= self._opened.groups.total
            content = self._stored_content() if whole else None
        span = Span(part.uri, part.version, self._position, end, self._done, content)
        self._position = end
        return RecordBatch(span, _FORMAT, offsets, raws, values, failures=tuple(failures))

    def _stored_content(self) -> Content | None:
        assert self._opened is not None  # noqa: S101 - a batch of it is ready
        return stored_content(self._opened.pinned, self._part.size, _FORMAT.name)

    def _origin(self, row: int) -> Origin:
        return Origin(self._part.uri, self._part.version, row)


def _about(where: str, error: ObjectFailed) -> ObjectFailed:
    failed = ObjectFailed(f"{where}: {error.message}", error.category)
    failed.__cause__ = error.__cause__ or error
    return failed


def _cuts(raws: list[bytes], limit: int) -> Iterator[tuple[int, int]]:
    """Ranges of consecutive rows of about ``limit`` bytes."""
    if raws and sum(map(len, raws)) <= limit:
        yield 0, len(raws)
        return
    low = size = 0
    for index, raw in enumerate(raws):
        if size and size + len(raw) > limit:
            yield low, index
            low, size = index, 0
        size += len(raw)
    if low < len(raws):
        yield low, len(raws)
