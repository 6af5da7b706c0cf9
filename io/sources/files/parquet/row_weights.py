"""How many bytes each row of an Arrow batch holds, before anything is made of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sources.files.parquet.arrow_types import is_text

_FIXED = 8
"""What a number, a date or a null counts for."""

Weights = Any
"""One number for each row, or one for all."""


def weights_of(batch: pa.RecordBatch) -> np.ndarray[Any, Any]:
    """The bytes of each row: those of text and bytes, and 8 for any other value."""
    total: Weights = 0
    for column in batch.columns:
        total = total + weight_of(column)
    return np.broadcast_to(np.asarray(total, np.int64), (len(batch),))


def weight_of(column: Any) -> Weights:
    """The bytes of each value of a column."""
    types, arrow_type = pa.types, column.type
    if isinstance(arrow_type, pa.BaseExtensionType):
        return weight_of(column.storage)
    if types.is_dictionary(arrow_type):
        entries = np.broadcast_to(weight_of(column.dictionary), (len(column.dictionary),))
        if not len(entries):
            return _FIXED
        indices = pc.fill_null(column.indices, 0).to_numpy(zero_copy_only=False)
        return np.where(column.is_valid().to_numpy(zero_copy_only=False), entries[indices], _FIXED)
    if is_text(arrow_type) or types.is_binary(arrow_type) or types.is_large_binary(arrow_type):
        if types.is_string_view(arrow_type):
            column = column.cast(pa.large_string())
        lengths = pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
        return lengths.astype(np.int64)
    if types.is_fixed_size_binary(arrow_type):
        return arrow_type.byte_width
    if types.is_struct(arrow_type):
        return sum((weight_of(part) for part in column.flatten()), start=np.int64(_FIXED))
    if types.is_map(arrow_type) or types.is_list(arrow_type) or types.is_large_list(arrow_type):
        return _of_lists(column)
    if types.is_fixed_size_list(arrow_type):
        size = int(arrow_type.list_size)
        items = column.values.slice(column.offset * size, len(column) * size)
        weights = np.broadcast_to(weight_of(items), (len(items),))
        return weights.reshape(len(column), size).sum(axis=1) if size else _FIXED
    return _FIXED


def _of_lists(column: Any) -> Weights:
    offsets = column.offsets.to_numpy(zero_copy_only=False).astype(np.int64)
    if pa.types.is_map(column.type):
        parts = [weight_of(column.keys), weight_of(column.items)]
        weights: Weights = parts[0] + parts[1]
        count = len(column.keys)
    else:
        weights, count = weight_of(column.values), len(column.values)
    if np.ndim(weights) == 0:
        return np.diff(offsets) * weights + _FIXED
    sums = np.zeros(count + 1, np.int64)
    np.cumsum(weights, out=sums[1:])
    return np.diff(sums[np.clip(offsets, 0, count)]) + _FIXED


def cuts(weights: np.ndarray[Any, Any], most: int, limit: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows of at most ``most`` bytes; a row above ``limit`` is a range by itself."""
    low = size = 0
    for index, weight in enumerate(weights.tolist()):
        alone = weight > limit
        if index > low and (alone or size + weight > most):
            yield low, index
            low, size = index, 0
        size += weight
        if alone:
            yield low, index + 1
            low, size = index + 1, 0
    if low < len(weights):
        yield low, len(weights)
