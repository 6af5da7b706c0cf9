"""The Arrow batches of a Parquet object, row group by row group, in bounded memory.

pyarrow takes a number of rows for all batches beforehand, whatever they hold. Where they get too
large, reading begins again here in smaller steps, or with long entries left in their dictionary.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sources.files.parquet.footer import Footer
from sources.files.parquet.long_values import Marks
from sources.files.parquet.page_limits import AsDictionary, FewerRows, MemoryGate
from sources.files.parquet.paged_file import PagedFile
from transforms.batch.splits import BatchLimits
from transforms.errors import ObjectFailed, SourceUnavailable

_BUFFERS_BYTES = 64 << 20
"""Of all read buffers together; each column that is being read has one."""
_LEAST_BUFFER = 64 << 10
_RUN_BYTES = 8 << 20
"""Row groups that follow each other are read together up to this size."""


@dataclass(frozen=True, slots=True)
class Run:
    """Row groups that are read together.

    Attributes:
        groups: Their numbers.
        start: The first row.
        end: The row after the last one.
    """

    groups: range
    start: int
    end: int


class RowGroups:
    """Reads rows from a position on.

    Args:
        file: The object.
        footer: Its footer.
        limits: Bounds of a batch.
        marks: Takes values that are too long.
        block_bytes: The length of a read that suits the storage.
    """

    def __init__(
        self,
        file: PagedFile,
        footer: Footer,
        limits: BatchLimits,
        marks: Marks,
        block_bytes: int,
    ) -> None:
        self._source = file
        metadata = self._metadata = footer.metadata
        self._groups = footer.groups
        self._limits = limits
        self._gate = MemoryGate(metadata.schema, marks)
        self._block = max(
            _LEAST_BUFFER, min(block_bytes, _BUFFERS_BYTES // max(1, metadata.num_columns))
        )
        self._ends = list(accumulate(group.rows for group in footer.groups))
        self._dictionaries: frozenset[int] = frozenset()
        self._dense: frozenset[int] = frozenset()
        self._file = self._open()
        self._run: Run | None = None
        self._alone_until = 0
        self._rows = 1
        self._batches: Iterator[pa.RecordBatch] | None = None
        self._surplus = 0

    @property
    def file(self) -> pq.ParquetFile:
        """The object as pyarrow has opened it."""
        return self._file

    @property
    def total(self) -> int:
        """Rows of all row groups; the footer's own count is not always right."""
        return self._ends[-1] if self._ends else 0

    def group_of(self, position: int) -> tuple[int, int]:
        """The number of the row group that has a row, and the row after its last one."""
        group = bisect_right(self._ends, position)
        return group, self._ends[group]

    def restart(self) -> None:
        """Begin again at the position that is asked for next."""
        self._batches = None

    def read(self, position: int) -> pa.RecordBatch:
        """Rows from ``position`` on, which is where the last batch ended unless reading restarts.

        Raises:
            SourceUnavailable: The storage cannot be reached.
            Exception: Whatever pyarrow raises while it reads this row group.
        """
        while True:
            try:
                return self._step(position)
            except FewerRows:
                self._rows = max(1, self._rows // 4)
            except AsDictionary as error:
                self._dictionaries |= {error.column}
                self._file = self._open()
            except SourceUnavailable:
                raise
            except Exception as error:
                run = self._run
                if run is not None and len(run.groups) > 1:
                    self._alone_until = run.end  # the others are sound, perhaps
                elif self._nested and isinstance(error, pa.ArrowNotImplementedError):
                    # Arrow cannot join the parts of a column that is a dictionary in part.
                    self._dense |= self._nested
                    self._dictionaries -= self._dense
                    self._file = self._open()
                else:
                    raise
                self._run = None
            self._batches = None

    def _step(self, position: int) -> pa.RecordBatch:
        if self._run is None or not self._run.start <= position < self._run.end:
            self._run, self._batches = self._run_at(position), None
            self._rows = self._usual_rows(self._run)
        if self._batches is None:
            self._begin(position)
        assert self._batches is not None  # noqa: S101 - it has just begun
        while True:
            self._gate.begin_batch(self._rows, self._dictionaries, self._dense)
            try:
                batch = next(self._batches, None)
            except BaseException:
                self._batches = None
                raise
            if batch is None:
                self._batches = None
                raise ObjectFailed("it has fewer rows than its row groups say", "object_corrupt")
            if self._surplus < len(batch):
                break
            self._surplus -= len(batch)
        batch, self._surplus = batch.slice(self._surplus), 0
        if batch.nbytes > 2 * self._limits.bytes and self._rows > 1:
            self._rows = max(1, len(batch) * self._limits.bytes // batch.nbytes)
            self._batches = None  # continues in smaller steps
        if position + len(batch) >= self._run.end:
            self._batches = None
        return batch

    def _begin(self, position: int) -> None:
        run = self._run
        assert run is not None  # noqa: S101 - the caller has set it
        self._surplus = position - run.start
        chunks = [chunk for group in run.groups for chunk in self._groups[group].chunks]
        self._source.guard(chunks, self._gate, self._block)
        self._gate.begin_group()
        self._batches = self._file.iter_batches(
            self._rows, row_groups=list(run.groups), use_threads=False
        )

    def _run_at(self, position: int) -> Run:
        """The row groups to read together: that of the position, and small ones after it."""
        first, end = self.group_of(position)
        start = self._ends[first - 1] if first else 0
        last = first
        size = self._size(first)
        while last + 1 < len(self._ends) and end >= self._alone_until:
            size += self._size(last + 1)
            if size > _RUN_BYTES:
                break
            last += 1
        return Run(range(first, last + 1), start, self._ends[last])

    def _size(self, group: int) -> int:
        return self._groups[group].size

    def _usual_rows(self, run: Run) -> int:
        size = sum(map(self._size, run.groups))
        fitting = self._limits.bytes * (run.end - run.start) // (size + 1)
        return max(1, min(self._limits.records, fitting))

    def _open(self) -> pq.ParquetFile:
        source: Any = self._source
        schema = self._metadata.schema
        return pq.ParquetFile(
            source,
            metadata=self._metadata,
            buffer_size=_LEAST_BUFFER,
            pre_buffer=False,
            # In nanoseconds, years before 1678 and after 2262 would wrap around.
            coerce_int96_timestamp_unit="us",
            read_dictionary=[schema.column(i).path for i in sorted(self._dictionaries)],
        )

    @property
    def _nested(self) -> frozenset[int]:
        """Those of the columns that are read as dictionaries that are not at the top."""
        schema = self._metadata.schema
        return frozenset(i for i in self._dictionaries if "." in schema.column(i).path)
