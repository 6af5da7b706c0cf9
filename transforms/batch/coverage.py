"""Arithmetic on the settled ranges of a partition: merge them, subtract them, find gaps."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter
from typing import Protocol, runtime_checkable

from transforms.batch.content import Content

Range = tuple[int, int]


def merge(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Sorted, disjoint, non-adjacent ranges that cover the same offsets as ``ranges``.

    >>> merge([(5, 8), (0, 3), (3, 5), (10, 12)])
    ((0, 8), (10, 12))
    """
    merged: list[Range] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(merged)


def with_range(ranges: Sequence[Range], start: int, end: int) -> tuple[Range, ...]:
    """As ``merge`` of ``ranges`` (merged already) and ``[start, end)``, without looking at all of them.

    >>> with_range([(0, 3), (10, 12)], 3, 5)
    ((0, 5), (10, 12))
    """
    low = bisect_left(ranges, start, key=itemgetter(1))
    high = bisect_right(ranges, end, key=itemgetter(0))
    if low < high:
        start, end = min(start, ranges[low][0]), max(end, ranges[high - 1][1])
    return (*ranges[:low], (start, end), *ranges[high:])


def subtract(start: int, end: int, ranges: Sequence[Range]) -> list[Range]:
    """The parts of ``[start, end)`` that ``ranges`` (sorted, disjoint) leave uncovered.

    >>> subtract(0, 10, [(2, 4), (6, 20)])
    [(0, 2), (4, 6)]
    """
    left: list[Range] = []
    first = bisect_right(ranges, start, key=itemgetter(1))
    for low, high in islice(ranges, first, None):
        if low >= end:
            break
        if low > start:
            left.append((start, low))
        start = max(start, high)
    if start < end:
        left.append((start, end))
    return left


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the ledger says about one partition.

    Attributes:
        ranges: Settled ranges, sorted and disjoint; an empty object that is done is ``(0, 0)``.
        end: Where the partition ends for good; None until its end has been seen.
        content: The bytes of the settled range from the start on; None if they are not known.
    """

    ranges: tuple[Range, ...] = ()
    end: int | None = None
    content: Content | None = field(default=None, compare=False)

    @property
    def complete(self) -> bool:
        """Whether everything from offset 0 to the end is settled."""
        return self.end is not None and not self.gaps(0, self.end)

    def gaps(self, start: int, end: int) -> list[Range]:
        """The parts of ``[start, end)`` that are not settled yet."""
        return subtract(start, end, self.ranges)

    @property
    def holes(self) -> list[Range]:
        """Unsettled ranges between settled ones; a reader that has finished leaves none."""
        return [(a[1], b[0]) for a, b in zip(self.ranges, self.ranges[1:], strict=False)]


class Ledger(Protocol):
    """Knows what has been settled. Picklable; it opens its connection where it is used."""

    def coverage(self, partitions: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Coverage]:
        """The coverage of each ``(source, partition)``; partitions without any are absent."""
        ...

    def partitions(self, source: str) -> dict[str, Coverage]:
        """The coverage of every partition of ``source``, by partition."""
        ...


@runtime_checkable
class VersionedLedger(Ledger, Protocol):
    """A ledger that also finds what was settled under other names, so that files are recognised."""

    def is_empty(self) -> bool:
        """Whether nothing is settled at all."""
        ...

    def versions(self, sources: Sequence[str]) -> dict[tuple[str, str], Coverage]:
        """The coverage of every partition of ``sources``, by source and partition."""
        ...

    def elsewhere(self, partitions: Sequence[str]) -> dict[tuple[str, str], Coverage]:
        """The coverage of ``partitions`` of whatever source, by source and partition."""
        ...
