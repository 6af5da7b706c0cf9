"""Which small objects become one larger object. Pure: nothing is read or written here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SMALL = 2
"""An object is small below the target size divided by this."""

MOST_PARTS = 1_000
"""Objects that become one at a time: a bound of the transaction that swaps them."""


@dataclass(frozen=True, slots=True)
class Part:
    """A settled object of the state.

    Attributes:
        id: Its number in the state.
        target: The table that its records were meant for.
        pipeline: The pipeline that wrote it.
        name: Its name below the sink's prefix.
        source: Where its records come from; empty if from several.
        partition: The same, within the source.
        start: The first offset of its range.
        end: The offset behind its range.
        rows: How many records it holds.
        bytes: Its size.
        etag: The version of it that was settled.
    """

    id: int
    target: str
    pipeline: str
    name: str
    source: str
    partition: str
    start: int
    end: int
    rows: int
    bytes: int
    etag: str

    @property
    def folder(self) -> str:
        """The folder of its dataset's partition, without a slash at its end."""
        return self.name.rpartition("/")[0]

    @property
    def order(self) -> tuple[str, str, int, int]:
        """Where its records stand among those of its folder."""
        return self.source, self.partition, self.start, self.id


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the records of an object come from; nothing is said of several partitions, as of jobs.

    Attributes:
        source: The source; empty for several.
        partition: Its partition; empty for several.
        start: The first offset.
        end: The offset behind the last.
    """

    source: str = ""
    partition: str = ""
    start: int = 0
    end: int = 0

    @classmethod
    def of(cls, group: Sequence[Part]) -> Origin:
        """That of an object which is made of ``group``."""
        places = {(part.source, part.partition) for part in group}
        if len(places) > 1:
            return cls()
        ((source, partition),) = places
        start, end = min(part.start for part in group), max(part.end for part in group)
        return cls(source, partition, start, end)


def groups(parts: Iterable[Part], target_bytes: int) -> list[Sequence[Part]]:
    """Small objects in the order of their records, cut into groups of about ``target_bytes``.

    Every group has at least two objects. Each but the last is at least half as large as the target, or
    has ``MOST_PARTS`` objects. So objects that have once been merged stay as they are, unless they
    shrank, and a second look at the outcome merges less or nothing.

    Args:
        parts: Objects of one folder and one pipeline that can be merged with each other.
        target_bytes: How large an object should become.
    """
    small = sorted((part for part in parts if part.bytes * SMALL < target_bytes), key=_order)
    cut: list[list[Part]] = []
    size = 0
    for part in small:
        if not cut or size + part.bytes > target_bytes or len(cut[-1]) == MOST_PARTS:
            cut.append([])
            size = 0
        cut[-1].append(part)
        size += part.bytes
    return [group for group in cut if len(group) > 1]


def _order(part: Part) -> tuple[str, str, int, int]:
    return part.order
