"""Plan what is left to read of a source's objects: what the ledger lacks, cut into splits."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from sources.files.formats import StoredFormat
from sources.files.json.layout import LINES, Layout, parsed_partition
from sources.storage.objects import StoredObject
from transforms import instruments, metrics
from transforms.batch.coverage import Coverage, Ledger
from transforms.batch.record import Span
from transforms.batch.splits import Position, Split

PAGE = 1_000
_NOTHING = Coverage()


@dataclass(frozen=True, slots=True)
class SettledObject:
    """An object that is settled as a whole."""

    stored: StoredObject


@dataclass(frozen=True, slots=True)
class SettledSoFar:
    """What is settled of an object.

    Attributes:
        coverage: The settled ranges.
        layout: The layout that they were read in; None if nothing is settled.
        takes_over: What of it was settled under another name or version.
    """

    coverage: Coverage = _NOTHING
    layout: Layout | None = None
    takes_over: tuple[Span, ...] = ()


LayoutsOf = Callable[[StoredObject], Sequence[Layout]]
"""The layouts, beside lines, that an object may have been read in."""

SuccessionsOf = Callable[[Sequence[StoredObject], Ledger], Mapping[str, SettledSoFar]]
"""What objects take over of which the ledger has nothing under their names and versions."""


class Expected:
    """Counts the stored bytes that are left to read of a source, ahead of the splits.

    Objects are planned one by one, as they are read. Their sizes are known a page at a time; without them, the
    first object would look like all there is.

    Args:
        source: Its URI.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._ahead = 0

    def page(self, objects: Iterable[tuple[StoredObject, SettledSoFar]]) -> None:
        """A page of the listing: what nothing is settled of will be read."""
        size = sum(stored.size for stored, settled in objects if settled.layout is None)
        self._ahead += size
        self._count(size)

    def split(self, size: int) -> None:
        """A split of ``size`` bytes."""
        told = min(size, self._ahead)
        self._ahead -= told
        self._count(size - told)

    def _count(self, size: int) -> None:
        if size:
            metrics.count("bytes_planned", size)
            instruments.add("stored_bytes_planned", size, self._source)


def unsettled(
    listed: Iterable[StoredObject],
    ledger: Ledger,
    layouts_of: LayoutsOf,
    successions_of: SuccessionsOf,
    expected: Expected | None = None,
) -> Iterator[tuple[StoredObject, SettledSoFar]]:
    """Each object and what is settled of it; a few queries for each 1,000 objects.

    ``expected`` is told of each page before its objects.
    """
    remaining = iter(listed)
    while page := list(islice(remaining, PAGE)):
        objects = list(zip(page, continued(page, ledger, layouts_of, successions_of), strict=True))
        if expected is not None:
            expected.page(objects)
        yield from objects


def continued(
    page: Sequence[StoredObject],
    ledger: Ledger,
    layouts_of: LayoutsOf,
    successions_of: SuccessionsOf,
    but: Container[str] = (),
) -> list[SettledSoFar]:
    """What is settled of each object, also under other versions and names.

    Of those with a name in ``but``, only what is settled under their present one counts.
    """
    settled = settled_of(page, ledger, layouts_of)
    new = [
        stored
        for stored, so_far in zip(page, settled, strict=True)
        if so_far.layout is None and stored.uri not in but
    ]
    successions = successions_of(new, ledger) if new else {}
    return [
        so_far if so_far.layout else successions.get(stored.uri, so_far)
        for stored, so_far in zip(page, settled, strict=True)
    ]


def settled_of(
    page: Sequence[StoredObject], ledger: Ledger, layouts_of: LayoutsOf
) -> list[SettledSoFar]:
    """What is settled of each object."""
    names = [(stored.uri, stored.version) for stored in page]
    settled = ledger.coverage(names) if names else {}
    others = {
        (stored.uri, layout.partition(stored.version)): (name, layout)
        for stored, name in zip(page, names, strict=True)
        if name not in settled
        for layout in layouts_of(stored)
    }
    so_far = {name: SettledSoFar(coverage, LINES) for name, coverage in settled.items()}
    if others:
        for partition, coverage in ledger.coverage(list(others)).items():
            name, layout = others[partition]
            if name not in so_far or coverage.complete:
                so_far[name] = SettledSoFar(coverage, layout)
    return [so_far.get(name, SettledSoFar()) for name in names]


def taking_over(
    splits: Iterable[Split], source: str, stored: StoredObject, so_far: SettledSoFar
) -> list[Split]:
    """``splits`` of an object, the first of which takes over what was settled of it before.

    If nothing is left to read, there is one split that has nothing else to do.
    """
    planned = list(splits)
    if so_far.takes_over:
        partition, end = so_far.takes_over[-1].partition, so_far.takes_over[-1].end
        first = planned[0] if planned else Split(source, stored.uri, partition, 0, end, end)
        planned[:1] = [replace(first, takes_over=so_far.takes_over)]
    return planned


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
        layout: How JSON is laid out; None to detect it.
    """

    uri: str
    version: str
    stored_format: StoredFormat
    start: int
    end: int | None
    final: bool
    size: int
    layout: Layout | None = LINES


def splits_of(
    source: str,
    stored: StoredObject,
    coverage: Coverage,
    stored_format: StoredFormat | None,
    split_bytes: int,
    layout: Layout | None = LINES,
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
        layout: How JSON is laid out; None if its reader has to detect it.
    """
    if coverage.complete:
        return
    uri, size = stored.uri, stored.size
    version = stored.version if layout is None else layout.partition(stored.version)
    # Offsets beyond its size are those of an object that is compressed, whatever its name says.
    beyond = bool(coverage.ranges) and coverage.ranges[-1][1] > size
    if stored_format is None or not stored_format.divisible or layout != LINES or beyond:
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


def part_of(
    split: Split, stored_format: StoredFormat, position: Position, *, looked_at: bool = False
) -> Part:
    """What is left of ``split`` from ``position`` on.

    The size of a split that was planned before its object was looked at is that of the object.

    A split of JSON whose version names no layout is one of lines, unless it is a whole object:
    then its reader finds out.
    """
    start = position[0][1] if position else split.start
    end = split.end
    if end is None and stored_format.plain:
        end = split.size if looked_at else split.start + split.size
    version, layout = parsed_partition(split.version)
    detected = layout == LINES and stored_format.format == "jsonl"
    detected = detected and split.start == 0 and split.end is None
    final = split.end is None
    return Part(
        *(split.name, version, stored_format, start, end, final, split.size),
        layout=None if detected else layout,
    )
