"""Ledger in memory, and readers driven to their end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sinks.ledger.ranges import Settlement, coverage_of, merged
from sources.files.source import FilesSource
from transforms.batch.coverage import Coverage
from transforms.batch.record import Failure, RecordBatch
from transforms.batch.splits import Reader, Split


@dataclass
class MemoryLedger:
    """Settles batches as the SQL ledger does: ranges merge, a final span sets the end."""

    coverages: dict[tuple[str, str], Coverage] = field(default_factory=dict)
    queries: list[int] = field(default_factory=list)
    settlements: dict[tuple[str, str], list[Settlement]] = field(default_factory=dict)

    def coverage(self, partitions: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Coverage]:
        self.queries.append(len(partitions))
        return {each: self.coverages[each] for each in partitions if each in self.coverages}

    def partitions(self, source: str) -> dict[str, Coverage]:
        return {
            version: cover for (name, version), cover in self.coverages.items() if name == source
        }

    def is_empty(self) -> bool:
        return not self.coverages

    def versions(self, sources: Sequence[str]) -> dict[tuple[str, str], Coverage]:
        return {each: cover for each, cover in self.coverages.items() if each[0] in sources}

    def elsewhere(self, partitions: Sequence[str]) -> dict[tuple[str, str], Coverage]:
        return {each: cover for each, cover in self.coverages.items() if each[1] in partitions}

    def settle(self, batches: Iterable[RecordBatch]) -> None:
        for batch in batches:
            span = batch.span
            place = span.source, span.partition
            before = self.coverages.get(place, Coverage()).ranges  # a test may have entered them
            rows = self.settlements.setdefault(place, [Settlement(*each) for each in before])
            new = Settlement(span.start, span.end, span.final, content=span.content)
            rows[:] = merged([*rows, new])
            self.coverages[place] = coverage_of(rows)


def drained(reader: Reader, timeout: float = 5.0) -> list[RecordBatch]:
    """All batches of a bounded reader; checks what holds for every reader on the way."""
    batches: list[RecordBatch] = []
    while True:
        polled = reader.poll(timeout)
        for batch in polled.batches:
            if batches and batches[-1].span.partition == batch.span.partition:
                assert batch.span.start == batches[-1].span.end, "spans must be contiguous"
            assert list(batch.offsets) == sorted(set(batch.offsets))
            places = [*batch.offsets, *(failure.origin.offset for failure in batch.failures)]
            assert all(batch.span.start <= place < batch.span.end for place in places)
            assert len(batch.offsets) == len(batch.raws)
            batches.append(batch)
        if batches:
            assert polled.position == (("", batches[-1].span.end),)
        if polled.done:
            break
        assert not (batches and batches[-1].span.final), "a final batch is the last one"
    assert reader.poll(0).done
    assert not reader.poll(0).batches
    assert reader.backlog() == 0
    reader.close()
    reader.close()
    return batches


def read_all(source: FilesSource, ledger: MemoryLedger | None = None) -> list[RecordBatch]:
    """All batches of all splits, settled in ``ledger``."""
    ledger = ledger or MemoryLedger()
    batches: list[RecordBatch] = []
    for split in list(source.splits(ledger)):
        batches += read_split(source, split)
    ledger.settle(batches)
    return batches


def read_split(source: FilesSource, split: Split, at: int | None = None) -> list[RecordBatch]:
    position = () if at is None else (("", at),)
    return drained(source.open(split, position, MemoryLedger()))


def raws(batches: Iterable[RecordBatch]) -> list[bytes]:
    return [raw for batch in batches for raw in batch.raws]


def failures(batches: Iterable[RecordBatch]) -> list[Failure]:
    return [failure for batch in batches for failure in batch.failures]


def located(batches: Iterable[RecordBatch]) -> list[tuple[int, bytes]]:
    """Offset and bytes of every record."""
    return [pair for batch in batches for pair in zip(batch.offsets, batch.raws, strict=True)]
