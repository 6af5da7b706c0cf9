"""The first records that a run would read, by the same sources and readers, without Beam.

Nothing is settled, and nobody is told how far a source was read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from sources.files.aside.selection import leave
from transforms.batch.coverage import Ledger
from transforms.batch.record import RecordBatch
from transforms.batch.splits import Followed, Reader, Source
from transforms.errors import ObjectUnavailable
from transforms.read.emission import Emission

MOST_BYTES = 64 << 20
MOST_SECONDS = 30.0
"""How long reading goes on."""

POLL_SECONDS = 0.5
IDLE_SECONDS = 3.0
"""How long a source that never ends may have nothing to read before it is left."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is read.

    Attributes:
        records: How many records; of the last message that holds several, all are read.
        bytes: How many bytes of records, apart from the last one.
        seconds: After how many seconds reading ends.
        batch: The most records of a batch; None leaves it to the sources.
    """

    records: int = 1_000
    bytes: int = MOST_BYTES
    seconds: float = MOST_SECONDS
    batch: int | None = None


@dataclass(slots=True)
class Sample:
    """What was read.

    Attributes:
        batches: In the order in which a run would read them.
        records: How many records they have.
        bytes: How many bytes.
        seconds: How long it took.
        ended_by: The bound that ended it before the number of records was reached; empty if there was
            nothing more.
        by_source: How many records each ``--source`` gave, by its URI.
    """

    batches: list[RecordBatch] = field(default_factory=list)
    records: int = 0
    bytes: int = 0
    seconds: float = 0.0
    ended_by: str = ""
    by_source: dict[str, int] = field(default_factory=dict)


def aside(source: Source, *, from_start: bool) -> Source:
    """``source`` for somebody who only looks at it."""
    return source.aside(from_start=from_start) if isinstance(source, Followed) else source


def sample(
    sources: Sequence[Source],
    ledger: Ledger,
    bounds: Bounds,
    clock: Callable[[], float] = time.monotonic,
) -> Sample:
    """Read the first records of ``sources``: of each an equal share, and more where others have less.

    Args:
        sources: Checked and fixed (``transforms.batch.splits.Source``), and looked at only (``aside``).
        ledger: Knows what is settled already, which is not read.
        bounds: How much is read.
        clock: Seconds.

    Raises:
        SourceUnavailable: A source cannot be reached.
    """
    result = Sample()
    began = clock()
    for place, source in enumerate(sources):
        share = -(-(bounds.records - result.records) // (len(sources) - place))
        before = result.records
        for emission in _polled(source, ledger, clock):
            left = share - (result.records - before)
            for part in _within(emission, left, bounds, result):
                result.batches.append(part)
                result.records += part.read
                result.bytes += _size(part)
            if result.bytes >= bounds.bytes:
                result.ended_by = f"{bounds.bytes >> 20} MiB"
            elif clock() - began >= bounds.seconds:
                result.ended_by = f"{bounds.seconds:g} s"
            if result.ended_by or result.records - before >= share:
                break
        result.by_source[source.uri] = result.records - before
        if result.ended_by:
            break
    result.seconds = clock() - began
    return result


def _within(emission: Emission, left: int, bounds: Bounds, result: Sample) -> Iterator[RecordBatch]:
    """The batches of a poll as far as they are within the bounds."""
    size = bounds.bytes - result.bytes
    while left > 0 and size > 0 and emission.rest:
        most = left if bounds.batch is None else min(left, bounds.batch)
        batch = emission.next(most, size)
        if batch is not None:
            left -= batch.read
            size -= _size(batch)
            yield batch


def _polled(source: Source, ledger: Ledger, clock: Callable[[], float]) -> Iterator[Emission]:
    """What the polls of one source bring, split after split."""
    for split in source.splits(ledger):
        reader = source.open(split, (), ledger)
        try:
            yield from _polls(reader, source, clock)
        finally:
            reader.close()


def _polls(reader: Reader, source: Source, clock: Callable[[], float]) -> Iterator[Emission]:
    idle_since = clock()
    while True:
        try:
            polled = reader.poll(POLL_SECONDS)
        except ObjectUnavailable as error:
            leave(str(error))
            return
        if any(batch.read for batch in polled.batches):
            idle_since = clock()
        yield Emission(polled)
        idle = source.streaming and clock() - idle_since >= IDLE_SECONDS
        if polled.done or idle:
            return


def _size(batch: RecordBatch) -> int:
    return batch.raw_bytes + sum(len(failure.raw) for failure in batch.failures)
