"""Readers of topics driven until something is there, and what came of it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sources.kafka.reader import KafkaReader
from sources.kafka.source import KafkaSource
from tests.io.sources.reading import MemoryLedger
from transforms.batch.coverage import Ledger
from transforms.batch.record import RecordBatch
from transforms.batch.splits import Polled, Position, Split

SECONDS = 30.0


@dataclass
class Read:
    """What a reader has brought; checks on the way what holds for every reader of a topic."""

    batches: list[RecordBatch] = field(default_factory=list)
    position: Position = ()
    watermark: float | None = None
    done: bool = False

    def add(self, polled: Polled) -> None:
        for batch in polled.batches:
            span = batch.span
            places = [*batch.offsets, *batch.filtered]
            places += [failure.origin.offset for failure in batch.failures]
            assert all(span.start <= place < span.end for place in places)
            assert list(batch.offsets) == sorted(set(batch.offsets))
            before = [b.span for b in self.batches if b.span.partition == span.partition]
            before = [each for each in before if each.source == span.source]
            assert not before or before[-1].end == span.start, "spans of a partition touch"
            self.batches.append(batch)
        if polled.watermark is not None:
            assert self.watermark is None or polled.watermark >= self.watermark
            self.watermark = polled.watermark
        self.position, self.done = polled.position, polled.done

    @property
    def records(self) -> int:
        return sum(len(batch.raws) for batch in self.batches)

    def values(self) -> dict[tuple[str, int], list[bytes]]:
        """Raw bytes by topic and number of the partition, in order."""
        found: defaultdict[tuple[str, int], list[bytes]] = defaultdict(list)
        for batch in self.batches:
            topic = batch.span.source.removeprefix("kafka://")
            found[topic, int(batch.span.partition.partition("@")[0])] += batch.raws
        return {place: raws for place, raws in found.items() if raws}

    def all_values(self) -> list[bytes]:
        return sorted(raw for batch in self.batches for raw in batch.raws)

    def ends(self) -> dict[str, int]:
        """Where each partition is settled up to, by its name in the ledger."""
        return {batch.span.partition: batch.span.end for batch in self.batches}


def only_split(source: KafkaSource, ledger: Ledger) -> Split:
    (split,) = source.splits(ledger)
    return split


@contextmanager
def reading(
    source: KafkaSource,
    ledger: Ledger | None = None,
    position: Position = (),
    split: Split | None = None,
) -> Iterator[KafkaReader]:
    """An open reader of a split, closed in the end."""
    ledger = ledger or MemoryLedger()
    reader = source.open(split or only_split(source, ledger), position, ledger)
    try:
        yield reader
    finally:
        reader.close()
        reader.close()


def until(reader: KafkaReader, enough: Callable[[Read], bool], read: Read | None = None) -> Read:
    """Poll until ``enough`` has come."""
    read = read or Read()
    deadline = time.monotonic() + SECONDS
    while not enough(read):
        assert time.monotonic() < deadline, f"only {read.records} records: {read.position}"
        read.add(reader.poll(0.1))
    return read


def read_to_end(
    source: KafkaSource,
    ledger: Ledger | None = None,
    position: Position = (),
    split: Split | None = None,
) -> Read:
    """All of a bounded split."""
    with reading(source, ledger, position, split) as reader:
        read = until(reader, lambda read: read.done)
        assert reader.poll(0).done
        assert not reader.poll(0).batches
        assert reader.backlog() == 0
        return read
