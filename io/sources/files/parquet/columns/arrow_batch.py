"""A batch of Arrow as records that are not made yet, where all of its values can surely be read."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sources.files.parquet.arrow_columns import values_of
from sources.files.parquet.arrow_rows import rows_of
from sources.files.parquet.arrow_types import fields_of
from sources.files.parquet.row_weights import weights_of
from transforms.parse.columns.arrow_cells import ArrowCells
from transforms.parse.columns.columnar import Columnar, Row
from transforms.parse.columns.kept_bytes import KeptBytes
from transforms.parse.typed_rows import RowEncoder

FEWEST = 20
"""Of fewer rows it does not pay."""

_LEAF = 100
"""The most bytes of a number or a date in a kept row, with all that surrounds it."""

_ESCAPED = 6
"""The most bytes of a byte of text in a kept row."""

_FIRST = datetime(1, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_SECONDS = (
    int((_FIRST - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()),
    int((_LAST - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()),
)
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000}
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class ArrowBatch:
    """The rows of a batch.

    Attributes:
        values: The records.
        raws: The bytes that are kept of each.
    """

    values: Columnar
    raws: KeptBytes


def arrow_batch_of(
    batch: pa.RecordBatch, encoder: RowEncoder, int96: AbstractSet[str], limit: int, most: int
) -> ArrowBatch | None:
    """The rows of ``batch``; None where they have to be looked at one by one.

    Args:
        batch: Rows as Arrow has them; no value is a mark for a long one.
        encoder: That of their schema.
        int96: The columns that hold INT96 timestamps.
        limit: The largest row that is read, in bytes.
        most: How many bytes a batch has at most.
    """
    count, names = len(batch), batch.schema.names
    if count < FEWEST or not names or not all(map(_is_plain, batch.columns)):
        return None
    weights = weights_of(batch)
    around = _around(batch.schema)
    estimate = int(np.sum(weights)) + around * count
    longest = int(np.max(weights)) * _ESCAPED + around * _ESCAPED + _LEAF * _leaves(batch.schema)
    if longest > limit or estimate > most:
        return None
    cells = {
        name: ArrowCells(column, partial(_values, far=name not in int96))
        for name, column in zip(names, batch.columns, strict=True)
    }

    def row(index: int) -> Row:
        return {name: column[index] for name, column in cells.items()}

    def rows() -> list[Row]:
        columns = zip(*cells.values(), strict=True)
        return [dict(zip(names, each, strict=True)) for each in columns]

    def kept(low: int, high: int) -> list[bytes]:
        return rows_of(batch.slice(low, high - low), encoder, int96).raws

    values = Columnar(cells, count, row, rows=rows)
    return ArrowBatch(values, KeptBytes(count, estimate, kept))


def _values(array: pa.Array[Any], *, far: bool) -> list[Any]:
    return values_of(array, far=far).values


def _is_plain(column: Any) -> bool:
    """Whether each value of ``column`` can be read, and is one of a few types."""
    types, arrow_type = pa.types, column.type
    if types.is_integer(arrow_type) or types.is_boolean(arrow_type):
        return True
    if types.is_decimal128(arrow_type) or types.is_float64(arrow_type):
        return True
    if types.is_string(arrow_type):
        return _is_valid(column)
    if types.is_timestamp(arrow_type):
        return arrow_type.unit in _PER_SECOND and _is_within(
            column.view(pa.int64()), [each * _PER_SECOND[arrow_type.unit] for each in _SECONDS]
        )
    if types.is_date32(arrow_type):
        return _is_within(column.view(pa.int32()), [each // _DAY for each in _SECONDS])
    if types.is_struct(arrow_type):
        return bool(column.flatten()) and all(map(_is_plain, column.flatten()))
    return False


def _is_valid(text: Any) -> bool:
    """Whether all of it is UTF-8."""
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _is_within(numbers: Any, bounds: Sequence[int]) -> bool:
    least, most = pc.min(numbers).as_py(), pc.max(numbers).as_py()
    return least is None or (bounds[0] <= least and most <= bounds[1])


def _leaves(fields: Any) -> int:
    return sum(
        _leaves(fields_of(field.type)) + 1 if pa.types.is_struct(field.type) else 1
        for field in fields
    )


def _around(fields: Any) -> int:
    """The bytes of the names in a row, with what surrounds them."""
    total = 0
    for field in fields:
        total += len(field.name.encode()) + 6
        if pa.types.is_struct(field.type):
            total += _around(fields_of(field.type))
    return 2 * total
