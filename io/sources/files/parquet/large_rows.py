"""The rows of an Arrow batch, and what is kept and said of those that are too large."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa

from sources.files.framing import RefusedRecord, oversized, unreadable
from sources.files.parquet.arrow_columns import values_of
from sources.files.parquet.arrow_rows import Rows, rows_of
from sources.files.parquet.arrow_types import is_list, leaves
from sources.files.parquet.columns.arrow_batch import ArrowBatch, arrow_batch_of
from sources.files.parquet.long_values import LongValue, Marks
from sources.files.parquet.row_weights import cuts, weight_of, weights_of
from transforms.parse.json_text import encode_decimal_text
from transforms.parse.raw import CUT, HEAD_BYTES
from transforms.parse.typed_rows import RowEncoder

_PIECE_BYTES = 1 << 20
_PIECE_VALUES = 10_000
_SHOWN_COLUMNS = 5

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

    def whole(self, batch: pa.RecordBatch, most: int) -> ArrowBatch | None:
        """The rows of ``batch``, of up to ``most`` bytes; None where they are to be looked at one by one."""
        if self._marks:
            return None
        return arrow_batch_of(batch, self._encoder, self._int96, self._limit, most)

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
            index: unreadable(first + index, rows.raws[index], fault, self._limit)
            for index, fault in rows.faults.items()
        }
        if max(map(len, rows.raws), default=0) > self._limit:
            for index, raw in enumerate(rows.raws):
                if len(raw) > self._limit and index not in refused:
                    refused[index] = oversized(first + index, raw, self._limit)
        if self._marks:
            self._refuse_marked(rows, refused, first)
        return rows, refused

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


def head_of_values(
    row: Mapping[str, Any],
    long: Mapping[str, LongValue],
    size: int,
    encoder: RowEncoder,
    limit: int,
) -> tuple[bytes, str]:
    """The head of a row, and what is said of it.

    Args:
        row: Those of its values that are short enough to be kept.
        long: The others.
        size: The bytes of the row.
        encoder: That of its schema.
        limit: The largest row that is read.
    """
    heads = {name: _text_of(value.head) for name, value in long.items()}
    try:
        kept = encoder.encode_all([{**row, **heads}])[0][:HEAD_BYTES]
    except (TypeError, ValueError):
        kept = encoder.encode_all([{**{name: str(each) for name, each in row.items()}, **heads}])[0]
        kept = kept[:HEAD_BYTES]
    columns = [
        f"column {name!r} has {value.length:,} bytes with the sha256 {value.digest}"
        for name, value in list(long.items())[:_SHOWN_COLUMNS]
    ]
    if len(long) > _SHOWN_COLUMNS:
        columns.append(f"and {len(long) - _SHOWN_COLUMNS:,} more columns are long")
    message = (
        f"the row has {size:,} bytes, limit {limit:,}; of its long values only the head is kept: "
    )
    return kept, message + "; ".join(columns)


def head_of_row(
    batch: pa.RecordBatch, encoder: RowEncoder, limit: int, far: Callable[[str], bool]
) -> tuple[bytes, str]:
    """The head of the only row of ``batch``, which is too large to be converted.

    Args:
        batch: The row.
        encoder: That of its schema.
        limit: The largest row that is read.
        far: Whether to believe far dates of a column.
    """
    row: dict[str, Any] = {}
    long: dict[str, LongValue] = {}
    total = 0
    weights = {
        name: int(np.sum(weight_of(column)))
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        total += weights[name]
        if weights[name] <= HEAD_BYTES or column.null_count:
            row[name] = values_of(column, far=far(name)).written[0]
        else:
            long[name] = _long(column, far(name))
    if not long:  # many short values
        name = max(weights, key=lambda each: weights[each])
        column = batch.columns[batch.schema.names.index(name)]
        row.pop(name, None)
        long[name] = _long(column, far(name))
    return head_of_values(row, long, total, encoder, limit)


def _text_of(head: bytes) -> str:
    """A head as text; as base64 if it is none. Its last character may be cut."""
    try:
        return head.decode()
    except UnicodeDecodeError as error:
        if error.start >= len(head) - 3:
            return head[: error.start].decode()
    return base64.b64encode(head).decode()


def _long(column: Any, far: bool) -> LongValue:
    """The length, head and hash of a long value: of its bytes, or of the JSON of its values."""
    arrow_type = column.type
    if isinstance(arrow_type, pa.BaseExtensionType):
        return _long(column.storage, far)
    if pa.types.is_dictionary(arrow_type):
        return _long(column.dictionary_decode(), far)
    if hasattr(column[0], "as_buffer"):
        view = memoryview(column[0].as_buffer())
        return LongValue(len(view), bytes(view[:HEAD_BYTES]), sha256(view).hexdigest())
    digest, length, head = sha256(), 0, b""
    for piece in _pieces(column, far):
        digest.update(piece)
        length += len(piece)
        if len(head) < HEAD_BYTES:
            head = (head + piece)[:HEAD_BYTES]
    return LongValue(length, head, digest.hexdigest())


def _pieces(column: Any, far: bool) -> Iterator[bytes]:
    """The values of a list, or of anything nested, as one array of JSON, in pieces."""
    between = b"["
    for leaf in leaves(column.flatten() if is_list(column.type) else column):
        for start in range(0, len(leaf), _PIECE_VALUES):
            part = leaf.slice(start, _PIECE_VALUES)
            weights = np.broadcast_to(weight_of(part), (len(part),))
            for low, high in cuts(weights, _PIECE_BYTES, _PIECE_BYTES):
                values = values_of(part.slice(low, high - low), far=far).written
                yield between + encode_decimal_text(values)[1:-1]
                between = b","
    yield b"]" if between == b"," else b"[]"
