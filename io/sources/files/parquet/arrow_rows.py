"""Turn an Arrow batch into rows of plain Python values, and into the bytes kept of each row.

The bytes give back exactly these values (``transforms.parse.typed_rows``).
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sources.files.parquet.arrow_columns import ColumnValues, values_of
from sources.files.parquet.arrow_types import kind_of
from transforms.parse.typed_rows import RowEncoder, Unreadable, problem_of


@dataclass(slots=True)
class Rows:
    """The rows of a batch.

    Attributes:
        values: Each row by column; None for what cannot be read.
        raws: The bytes that are kept of each row.
        faults: What is wrong with each row that cannot be read, by its index.
    """

    values: list[dict[str, Any]]
    raws: list[bytes]
    faults: dict[int, str]


def encoder_of(schema: pa.Schema) -> RowEncoder:
    """The encoder of rows that have this schema."""
    return RowEncoder({column.name: kind_of(column.type) for column in schema})


def rows_of(
    batch: pa.RecordBatch, encoder: RowEncoder, int96: AbstractSet[str] = frozenset()
) -> Rows:
    """The rows of ``batch``.

    Args:
        batch: Rows as Arrow has them.
        encoder: That of their schema.
        int96: The columns that hold INT96 timestamps.
    """
    names = batch.schema.names
    columns = [
        values_of(column, far=name not in int96)
        for name, column in zip(names, batch.columns, strict=True)
    ]
    return rows_in(names, columns, len(batch), encoder)


def rows_in(
    names: Sequence[str], columns: Sequence[ColumnValues], count: int, encoder: RowEncoder
) -> Rows:
    """The ``count`` rows that ``columns``, which are called ``names``, make up."""
    values = _dicts(names, [column.values for column in columns], count)
    as_json = values
    if any(column.written is not column.values for column in columns):
        as_json = _dicts(names, [column.written for column in columns], count)
    unreadable: dict[int, dict[str, Unreadable]] = {}
    for name, column in zip(names, columns, strict=True):
        for index, cell in column.unreadable.items():
            unreadable.setdefault(index, {})[name] = cell
    try:
        raws = encoder.encode_all(as_json)
    except (TypeError, ValueError):
        raws = [_encode(encoder, row, unreadable, i) for i, row in enumerate(as_json)]
    for index, lost in unreadable.items():
        row = {name: value for name, value in as_json[index].items() if name not in lost}
        raws[index] = encoder.encode_unreadable(row, lost)
    return Rows(values, raws, {index: problem_of(lost) for index, lost in unreadable.items()})


def _dicts(names: Sequence[str], columns: list[list[Any]], count: int) -> list[dict[str, Any]]:
    if not columns:
        return [{} for _ in range(count)]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _encode(
    encoder: RowEncoder,
    row: dict[str, Any],
    unreadable: dict[int, dict[str, Unreadable]],
    index: int,
) -> bytes:
    """The bytes of one row; a value that has no such form is noted as unreadable."""
    for name, value in row.items():
        try:
            encoder.encode_all([{name: value}])
        except (TypeError, ValueError) as error:
            lost = Unreadable(type(value).__name__, str(error), repr(value))
            unreadable.setdefault(index, {})[name] = lost
    return b"" if index in unreadable else encoder.encode_all([row])[0]
