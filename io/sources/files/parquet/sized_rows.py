"""The rows of an Arrow batch, and those of them that are refused."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from hashlib import sha256
from typing import Any

import pyarrow as pa

from sources.files.framing import RefusedRecord, too_large
from sources.files.parquet.arrow_rows import Rows, rows_of
from sources.files.parquet.large_rows import head_of_row, head_of_values
from sources.files.parquet.long_values import LongValue, Marks
from sources.files.parquet.row_weights import weights_of
from transforms.errors import Reject
from transforms.parse.raw import CUT, HEAD_BYTES
from transforms.parse.typed_rows import RowEncoder

Refused = dict[int, RefusedRecord]
"""What is refused, by its index in the batch."""


class SizedRows:
    """Turns Arrow batches into rows of bounded size.

    Args:
        encoder: Makes the bytes that are kept of a row.
        int96: The columns that hold INT96 timestamps.
        marks: Knows the values that were too long to be read.
        limit: The largest row that is read, in bytes.
    """

    def __init__(
        self, encoder: RowEncoder, int96: AbstractSet[str], marks: Marks, limit: int
    ) -> None:
        self._encoder = encoder
        self._int96 = int96
        self._marks = marks
        self._limit = limit

    def of(self, batch: pa.RecordBatch, first: int) -> tuple[Rows, Refused]:
        """The rows of ``batch``, with no values for those that are refused.

        Args:
            batch: Not larger than what may be converted at once, unless it is one row.
            first: The number of its first row.
        """
        if len(batch) == 1 and int(weights_of(batch)[0]) > max(self._limit, HEAD_BYTES):
            raw, message = head_of_row(
                batch, self._encoder, self._limit, lambda name: name not in self._int96
            )
            refused = {0: RefusedRecord(first, raw, "too_large", CUT, message)}
            return Rows([{}], [raw], {}), refused
        rows = rows_of(batch, self._encoder, self._int96)
        refused = {
            index: RefusedRecord(
                first + index, rows.raws[index], "malformed", "UnreadableValue", fault
            )
            for index, fault in rows.faults.items()
        }
        if max(map(len, rows.raws), default=0) > self._limit:
            for index, raw in enumerate(rows.raws):
                if len(raw) > self._limit and index not in refused:
                    refused[index] = self._too_large(first + index, raw)
        if self._marks:
            self._refuse_marked(rows, refused, first)
        return rows, refused

    def _too_large(self, offset: int, raw: bytes) -> RefusedRecord:
        if len(raw) > HEAD_BYTES:
            digest = sha256(raw).hexdigest()
            return too_large(offset, raw[:HEAD_BYTES], len(raw), self._limit, digest)
        message = f"the record has {len(raw):,} bytes, limit {self._limit:,}"
        return RefusedRecord(offset, raw, "too_large", Reject.__name__, message)

    def _refuse_marked(self, rows: Rows, refused: Refused, first: int) -> None:
        """Refuse the rows in which marks stand for long values."""
        for index, row in enumerate(rows.values):
            long: dict[str, LongValue] = {}
            for name, value in row.items():
                marked = self._marks.within(value)
                if marked is not None:
                    long[name] = marked
            if long:
                rest: dict[str, Any] = {name: row[name] for name in row if name not in long}
                size = len(rows.raws[index]) + sum(value.length for value in long.values())
                raw, message = head_of_values(rest, long, size, self._encoder, self._limit)
                rows.raws[index] = raw
                refused[index] = RefusedRecord(first + index, raw, "too_large", CUT, message)
