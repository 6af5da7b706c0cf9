"""Cells of a column as Arrow has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.parse.columns.columnar import Cells

Values = Callable[[Any], list[Any]]
"""The values of an array of Arrow, as records have them."""


class ArrowCells(Cells):
    """Cells that become values of Python only where somebody asks for one.

    Args:
        array: The cells. Every one of them has a value: whoever made this has looked.
        values: Makes the values.
    """

    __slots__ = ("_made", "_values", "array")

    def __init__(self, array: pa.Array[Any], values: Values) -> None:
        self.array = array
        self._values = values
        self._made: list[Any] | None = None

    def __len__(self) -> int:
        return len(self.array)

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...

    def __getitem__(self, index: int | slice) -> Any:
        if not isinstance(index, slice):
            return self.values()[index]
        low, high, step = index.indices(len(self.array))
        if step != 1:
            return self.values()[index]
        return ArrowCells(self.array.slice(low, max(0, high - low)), self._values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values())

    def values(self) -> list[Any]:
        """The values, made once."""
        if self._made is None:
            self._made = self._values(self.array)
        return self._made

    @property
    def has_null(self) -> bool:
        """As Arrow counts them."""
        return bool(self.array.null_count)

    def joined(self, others: Sequence[Sequence[Any]]) -> Sequence[Any]:
        """As Arrow has them, if all have the same type."""
        arrays: list[Any] = [self.array]
        for other in others:
            if not isinstance(other, ArrowCells) or other.array.type != self.array.type:
                return [*self, *(cell for each in others for cell in each)]
            arrays.append(other.array)
        return ArrowCells(pa.concat_arrays(arrays), self._values)

    def picked(self, positions: Sequence[int]) -> Sequence[Any]:
        """As Arrow has them."""
        places = pa.array(positions, pa.int64())
        return ArrowCells(self.array.take(places), self._values)

    def positions_of(self, text: str) -> Sequence[int]:
        """Where ``text`` stands; Arrow looks where the cells are texts."""
        if not pa.types.is_string(self.array.type):
            return [position for position, cell in enumerate(self) if cell == text]
        texts: Any = self.array
        positions: Any = pc.indices_nonzero(pc.equal(texts, pa.scalar(text)))
        return list(positions.to_pylist())

    def without(self, positions: Sequence[int]) -> Sequence[Any]:
        """As Arrow has them."""
        kept = np.ones(len(self.array), bool)
        kept[np.asarray(positions, np.int64)] = False
        return ArrowCells(pc.if_else(pa.array(kept), self.array, None), self._values)
