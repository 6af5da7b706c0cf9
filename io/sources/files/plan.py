"""Plan what is left to read of a source's objects: what the ledger lacks, cut into splits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from sources.files.formats import StoredFormat
from sources.storage.objects import StoredObject
from transforms.batch.coverage import Coverage, Ledger
from transforms.batch.splits import Position, Split

PAGE = 1_000
_NOTHING = Coverage()


@dataclass(frozen=True, slots=True)
class SettledObject:
    """An object that is settled as a whole."""

    stored: StoredObject


def unsettled(
    listed: Iterable[StoredObject], ledger: Ledger
) -> Iterator[tuple[StoredObject, Coverage]]:
    """Each object and what is settled of it; one query of the ledger for each 1,000 objects."""
    remaining = iter(listed)
    while page := list(islice(remaining, PAGE)):
        settled = ledger.coverage([(stored.uri, stored.version) for stored in page])
        for stored in page:
            yield stored, settled.get((stored.uri, stored.version), _NOTHING)


@dataclass(frozen=True, slots=True)
class Part:
    """The restriction of a split, as a reader needs it.

    Attributes:
        uri: The object.
        version: Its pinned version.
        stored_format: How it is stored.
        start: First offset to read: a byte of the decompressed object, or a row.
        end: Where to stop; None if the end is only known once it is reached.
        final: Whether the object ends there.
        size: Stored bytes to read.
    """

    uri: str
    version: str
    stored_format: StoredFormat
    start: int
    end: int | None
    final: bool
    size: int


def splits_of(
    source: str,
    stored: StoredObject,
    coverage: Coverage,
    stored_format: StoredFormat | None,
    split_bytes: int,
) -> Iterator[Split]:
    """The splits of what is left of one object; none if it is complete.

    Plain JSON lines are cut at the gaps of the ledger and every ``split_bytes``. Everything
    else is read in order, from its first gap to its end. A split that ends with the object
    has no ``end``.

    Args:
        source: URI of the source.
        stored: The object.
        coverage: What is settled of it.
        stored_format: How it is stored; None if it must be read in order whatever its name says.
        split_bytes: Longest byte range of a split.
    """
    if coverage.complete:
        return
    uri, version, size = stored.uri, stored.version, stored.size
    # Offsets beyond its size are those of an object that is compressed, whatever its name says.
    beyond = bool(coverage.ranges) and coverage.ranges[-1][1] > size
    if stored_format is None or not stored_format.divisible or beyond:
        start = coverage.ranges[0][1] if coverage.ranges and coverage.ranges[0][0] == 0 else 0
        plain = stored_format is not None and stored_format.plain and not beyond
        left = size - start if plain else size
        yield Split(source, uri, version, left, start)
        return
    # Where only the end is not settled as such, an empty range is left.
    for low, high in coverage.gaps(0, size) or [(size, size)]:
        for start in range(low, max(high, low + 1), split_bytes):
            end = min(start + split_bytes, high)
            yield Split(source, uri, version, end - start, start, None if end == size else end)


def part_of(split: Split, stored_format: StoredFormat, position: Position) -> Part:
    """What is left of ``split`` from ``position`` on."""
    start = position[0][1] if position else split.start
    end = split.end
    if end is None and stored_format.plain:
        end = split.start + split.size
    return Part(split.name, split.version, stored_format, start, end, split.end is None, split.size)
