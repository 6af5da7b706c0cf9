"""Keys of rows as Arrow has them, told apart without a value of Python for each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
import pyarrow as pa

from sinks.text.arrow_binary import uuids_of
from transforms.parse.columns.arrow_cells import ArrowCells

_ODD = np.uint64(0x9E3779B97F4A7C15)


def numbers_of(kind: str, cells: Sequence[Any]) -> np.ndarray[Any, Any] | None:
    """Numbers of the cells of a column, ascending: cells that are equal to the database have the same one.

    Args:
        kind: The type of the column.
        cells: Its cells.

    Returns:
        None where they are to be looked at one by one.
    """
    if not isinstance(cells, ArrowCells) or cells.array.null_count or not len(cells):
        return None
    array = cells.array
    if kind == "uuid" and pa.types.is_string(array.type):
        values = uuids_of(array)
        if values is None:
            return None
        halves = np.ascontiguousarray(values).view(np.uint64)
        # One half alone may be the same in all of them.
        return np.sort(halves[:, 0] * _ODD ^ halves[:, 1])
    if kind in ("int2", "int4", "int8") and pa.types.is_signed_integer(array.type):
        return np.sort(array.to_numpy(zero_copy_only=False).astype(np.int64).view(np.uint64))
    return None


def are_distinct(numbers: np.ndarray[Any, Any]) -> bool:
    """Whether no two of ``numbers``, which ascend, are equal."""
    return not (numbers[1:] == numbers[:-1]).any()


class ArrowKeys(AbstractSet[Hashable]):
    """A set of keys, which are made when they are compared with others than of this kind.

    Args:
        kind: The type of their column.
        numbers: A number for each, ascending. Different keys may have the same one.
        make: Makes the keys.
    """

    def __init__(
        self, kind: str, numbers: np.ndarray[Any, Any], make: Callable[[], Iterable[Hashable]]
    ) -> None:
        self._kind = kind
        self._numbers = numbers
        self._make = make
        self._keys: frozenset[Hashable] | None = None

    def __contains__(self, key: object) -> bool:
        return key in self._made

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)

    @classmethod
    def _from_iterable(cls, keys: Iterable[Any]) -> frozenset[Any]:
        return frozenset(keys)

    def isdisjoint(self, other: Iterable[Any]) -> bool:
        """Whether no key is in ``other`` as well; False may be wrong, which makes commits wait."""
        if not isinstance(other, ArrowKeys) or other._kind != self._kind:
            return self._made.isdisjoint(other)
        return are_distinct(np.sort(np.concatenate([_unique(self), _unique(other)])))

    @property
    def _made(self) -> frozenset[Hashable]:
        if self._keys is None:
            self._keys = frozenset(self._make())
        return self._keys


def _unique(keys: ArrowKeys) -> np.ndarray[Any, Any]:
    numbers = keys._numbers
    first: np.ndarray[Any, Any] = np.concatenate([[True], numbers[1:] != numbers[:-1]])
    return np.compress(first, numbers)
