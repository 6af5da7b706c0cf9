"""Readers of topics driven until something is there, and what they have read."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from sources.kafka.fair.reader import FairReader
from sources.kafka.reader import KafkaReader
from sources.kafka.source import KafkaSource
from tests.io.sources.reading import MemoryLedger
from tests.services.kafka_broker import KafkaBroker
from transforms.batch.coverage import Ledger
from transforms.batch.record import RecordBatch
from transforms.batch.splits import Polled, Position, Reader, Split

SECONDS = 30.0


@dataclass
class Read:
    """What a reader has read; also checks what holds for every reader of a topic."""

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
        values: defaultdict[tuple[str, int], list[bytes]] = defaultdict(list)
        for batch in self.batches:
            topic = batch.span.source.removeprefix("kafka://")
            values[topic, int(batch.span.partition.partition("@")[0])] += batch.raws
        return {place: raws for place, raws in values.items() if raws}

    def all_values(self) -> list[bytes]:
        return sorted(raw for batch in self.batches for raw in batch.raws)

    def ends(self) -> dict[str, int]:
        """The offset up to which each partition is settled, by its label."""
        return {batch.span.partition: batch.span.end for batch in self.batches}


def source_of(broker: KafkaBroker, topic: str, query: str = "", **more: Any) -> KafkaSource:
    """A source that reads ``topic`` of ``broker``."""
    return KafkaSource(f"kafka://{broker.bootstrap}/{topic}{query}", **more)


def commit_offsets(broker: KafkaBroker, group: str, offsets: Mapping[tuple[str, int], int]) -> None:
    """Set the offsets of a group as another program would."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": group, "log_level": 0})
    try:
        partitions = [TopicPartition(topic, number, at) for (topic, number), at in offsets.items()]
        consumer.commit(offsets=partitions, asynchronous=False)
    finally:
        consumer.close()


def counted(monkeypatch: pytest.MonkeyPatch, kind: type, method: str) -> list[None]:
    """A list that grows by one with each call of a method, which still does its work."""
    calls: list[None] = []
    original = getattr(kind, method)

    def call(*arguments: Any, **named: Any) -> Any:
        calls.append(None)
        return original(*arguments, **named)

    monkeypatch.setattr(kind, method, call)
    return calls


def only_split(source: KafkaSource, ledger: Ledger) -> Split:
    (split,) = source.splits(ledger)
    return split


@contextmanager
def reading(
    source: KafkaSource,
    ledger: Ledger | None = None,
    position: Position = (),
    split: Split | None = None,
) -> Iterator[KafkaReader | FairReader]:
    """An open reader of a split, closed at the end."""
    ledger = ledger or MemoryLedger()
    reader = source.open(split or only_split(source, ledger), position, ledger)
    try:
        yield reader
    finally:
        reader.close()
        reader.close()


def until(reader: Reader, enough: Callable[[Read], bool], read: Read | None = None) -> Read:
    """Poll until ``enough`` has been read."""
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
