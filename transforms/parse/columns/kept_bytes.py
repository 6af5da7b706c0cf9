"""The bytes that are kept of records, made where somebody asks for them: few records ever fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import overload

_FEW = 10
"""After so many of them, all are made."""


class KeptBytes(Sequence[bytes]):
    """The bytes of each record.

    Args:
        count: How many records there are.
        estimate: About how many bytes all of them have.
        make: Makes the bytes of the records from one index to before another.
    """

    __slots__ = ("_asked", "_count", "_made", "_make", "estimate")

    def __init__(self, count: int, estimate: int, make: Callable[[int, int], list[bytes]]) -> None:
        self.estimate = estimate
        self._count = count
        self._make = make
        self._made: list[bytes] | None = None
        self._asked = 0

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...

    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return self._all()[index]
        if self._made is not None:
            return self._made[index]
        place = range(self._count)[index]
        self._asked += 1
        if self._asked > _FEW:
            return self._all()[place]
        return self._make(place, place + 1)[0]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._all())

    def _all(self) -> list[bytes]:
        if self._made is None:
            self._made = self._make(0, self._count)
        return self._made
