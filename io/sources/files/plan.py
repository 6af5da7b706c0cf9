"""Plan what is left to read of the objects of a source: what the ledger lacks, cut into splits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from sources.files.formats import Storing
from sources.storage.objects import StoredObject
from transforms.batch.coverage import Coverage, Ledger
from transforms.batch.splits import Position, Split

PAGE = 1_000
_NOTHING = Coverage()


@dataclass(frozen=True, slots=True)
class Skipped:
    """An object that the ledger has whole."""

    stored: StoredObject


def unsettled(
    listed: Iterable[StoredObject], ledger: Ledger
) -> Iterator[tuple[StoredObject, Coverage]]:
    """Each object and what is settled of it, a page of 1,000 by one query of the ledger."""
    remaining = iter(listed)
    while page := list(islice(remaining, PAGE)):
        settled = ledger.coverage([(stored.uri, stored.version) for stored in page])
        for stored in page:
            yield stored, settled.get((stored.uri, stored.version), _NOTHING)


@dataclass(frozen=True, slots=True)
class Part:
    """What a split asks a reader to read.

    Attributes:
        uri: The object.
        version: Its pinned version.
        storing: How it is stored.
        start: First offset wanted: a byte of the decompressed object, or a row.
        end: Where to stop; None where the end is only known once it is reached.
        final: Whether the object ends there.
        size: Stored bytes to read.
    """

    uri: str
    version: str
    storing: Storing
    start: int
    end: int | None
    final: bool
    size: int


def splits_of(
    source: str,
    stored: StoredObject,
    coverage: Coverage,
    storing: Storing | None,
    split_bytes: int,
) -> Iterator[Split]:
    """The splits that are left of one object; none when it is complete.

    Plain JSON lines are cut at the gaps of the ledger and every ``split_bytes``; anything
    else can only be read in order, from its first gap to its end. A split that ends with
    the object has no ``end``.

    Args:
        source: URI of the source.
        stored: The object.
        coverage: What is settled of it.
        storing: How it is stored; None when that is not known (its reader reports it).
        split_bytes: Longest byte range of a split.
    """
    if coverage.complete:
        return
    uri, version, size = stored.uri, stored.version, stored.size
    if storing is None or not storing.divisible:
        start = coverage.ranges[0][1] if coverage.ranges and coverage.ranges[0][0] == 0 else 0
        left = size - start if storing is not None and storing.plain else size
        yield Split(source, uri, version, left, start)
        return
    # An end that was reached but never settled as the end is an empty range.
    for low, high in coverage.gaps(0, size) or [(size, size)]:
        for start in range(low, max(high, low + 1), split_bytes):
            end = min(start + split_bytes, high)
            yield Split(source, uri, version, end - start, start, None if end == size else end)


def part_of(split: Split, storing: Storing, position: Position) -> Part:
    """What is left of ``split`` from ``position`` on; the inverse of ``splits_of``."""
    start = position[0][1] if position else split.start
    end = split.end
    if end is None and storing.plain:
        end = split.start + split.size
    return Part(split.name, split.version, storing, start, end, split.end is None, split.size)
