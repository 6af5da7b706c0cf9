"""Records as rows of a dataset, and the records that cannot be rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import pyarrow as pa

from sinks.objects.encoding.cells.arrays import array_of
from sinks.objects.encoding.cells.unfit import DATA, UNKNOWN_FIELD, Unfit
from sinks.objects.encoding.column_types import ColumnType
from sinks.objects.encoding.columns import PAYLOAD, Columns
from sinks.objects.encoding.origins import Origins
from transforms.errors import Reject

Refused = list[tuple[int, Reject]]
"""The index of each record that cannot be written, ascending, and why."""

_NAMED = 5  # fields in a message
_NAME = 100  # characters of a field's name in a message


@dataclass(slots=True)
class Rows:
    """Rows in Arrow's form, and the records that are none.

    Attributes:
        batch: The rows (``pa.RecordBatch``), in the order of the records.
        indices: The record of each row; None if all records are rows.
        refused: The records that are none.
    """

    batch: Any
    indices: Sequence[int] | None = None
    refused: Refused = field(default_factory=list)


def rows_of(columns: Columns, values: Sequence[Mapping[str, Any]], origins: Origins) -> Rows:
    """The rows that records become.

    Args:
        columns: The columns of the dataset.
        values: Parsed records.
        origins: Where each came from.

    Raises:
        ValueError: An offset has several records, and the columns lack what tells them apart.
    """
    if columns.origin and origins.several and not columns.elements:
        raise ValueError("these origins need Columns(elements=True)")
    refused: dict[int, Reject] = {}
    cells = _cells(columns, values, refused)
    arrays = origins.columns(elements=columns.elements) if columns.origin else []
    for name, column in columns.fields:
        arrays.append(_array(name, column, cells[name], refused))
    batch = pa.RecordBatch.from_arrays(arrays, schema=columns.schema)
    if not refused:
        return Rows(batch)
    good = [index for index in range(len(values)) if index not in refused]
    return Rows(batch.take(pa.array(good, pa.int64())), good, sorted(refused.items()))


def _cells(
    columns: Columns, values: Sequence[Mapping[str, Any]], refused: dict[int, Reject]
) -> Mapping[str, Sequence[Any]]:
    """The cells of each column; records with fields that have none go to ``refused``."""
    if columns.whole:
        return {PAYLOAD: values}
    types = columns.types
    uniform = _uniform(values)
    if uniform is not None and uniform.keys() <= types.keys():
        empty = [None] * len(values)
        return {name: uniform.get(name, empty) for name in types}
    unknown = {
        shape: tuple(name for name in shape if name not in types)
        for shape in set(map(tuple, values))
    }
    if any(unknown.values()):
        values = [
            _without(columns, index, value, unknown[tuple(value)], refused)
            for index, value in enumerate(values)
        ]
    return {name: [value.get(name) for value in values] for name in types}


def _uniform(values: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]] | None:
    """The records' cells by field, if all records have the same fields."""
    if not values or set(map(len, values)) != {len(values[0])}:
        return None
    try:
        return {name: list(map(itemgetter(name), values)) for name in values[0]}
    except KeyError:
        return None


def _without(
    columns: Columns,
    index: int,
    value: Mapping[str, Any],
    unknown: Sequence[str],
    refused: dict[int, Reject],
) -> Mapping[str, Any]:
    """A record without the fields that have no column."""
    if not unknown or columns.unknown_fields == "ignore":
        return value
    if columns.unknown_fields == "reject":
        names = ", ".join(name[:_NAME] for name in unknown[:_NAMED])
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        refused[index] = Reject(
            f"the dataset has no column for field {names}{more}; see --unknown_fields",
            UNKNOWN_FIELD,
        )
        return value
    rest = {name: value[name] for name in unknown}
    own = value.get(PAYLOAD)
    if own is not None and not isinstance(own, dict):
        refused[index] = Reject(
            "field payload is no object, so that it cannot take the fields without a column", DATA
        )
        return value
    return {**value, PAYLOAD: {**(own or {}), **rest}}


def _array(name: str, column: ColumnType, cells: Sequence[Any], refused: dict[int, Reject]) -> Any:
    """The array of one column, with null for the cells of records that are refused."""
    try:
        return array_of(column, cells)
    except Unfit as error:
        if len(cells) == 1:
            path = f"{name}{error.path}"[:_NAME]
            refused.setdefault(0, Reject(f"field {path}: {error.reason}", error.category))
            return pa.nulls(1, column.arrow)
    middle = len(cells) // 2
    halves = []
    for start, part in ((0, cells[:middle]), (middle, cells[middle:])):
        own: dict[int, Reject] = {}
        halves.append(_array(name, column, part, own))
        for index, reason in own.items():
            refused.setdefault(start + index, reason)
    return pa.concat_arrays(halves)
