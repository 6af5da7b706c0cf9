"""A topic of one partition in memory: what it holds, a reader of it, and a source that reads it fairly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sources.kafka.fair.pace import Pace
from sources.kafka.fair.reader import FairReader
from sources.kafka.fair.tenants import tenants_of
from sources.kafka.fair.window import Bounds, Window
from tests.fakes import ListSource
from transforms.batch.coverage import Ledger, merge
from transforms.batch.record import JSON, RecordBatch, Span
from transforms.batch.splits import Polled, Position, Split
from transforms.errors import SluiceError

SOURCE, LABEL = "kafka://t", "0@id"
PLACE = SOURCE, LABEL
NAME = "t/0@id"


def message(tenant: str, number: int = 0) -> bytes:
    return b'{"tenant":"%s","n":%d}' % (tenant.encode(), number)


def messages(tenants: Iterable[str]) -> list[tuple[int, bytes]]:
    """One message for each tenant, at the offsets from 0 on, numbered by tenant."""
    counts: dict[str, int] = {}
    produced: list[tuple[int, bytes]] = []
    for offset, tenant in enumerate(tenants):
        number = counts.get(tenant, 0)
        counts[tenant] = number + 1
        produced.append((offset, message(tenant, number)))
    return produced


def batch_of(
    produced: Sequence[tuple[int, bytes]], start: int, end: int, label: str = LABEL
) -> RecordBatch:
    """The batch of a span with what is in it."""
    inside = [(offset, raw) for offset, raw in produced if start <= offset < end]
    return RecordBatch(
        span=Span(SOURCE, label, start, end),
        format=JSON,
        offsets=[offset for offset, _ in inside],
        raws=[raw for _, raw in inside],
    )


def tenants_in(batches: Iterable[RecordBatch]) -> str:
    """The first letters of the tenants of all records, in order."""
    return "".join(chr(raw[len(b'{"tenant":"')]) for batch in batches for raw in batch.raws)


def ranges_of(batches: Iterable[RecordBatch]) -> tuple[tuple[int, int], ...]:
    """What is settled by ``batches``; fails if any offset is twice, or lies outside of its span."""
    spans: list[tuple[int, int]] = []
    for batch in batches:
        span = batch.span
        failed = [failure.origin.offset for failure in batch.failures]
        assert all(span.start <= at < span.end for at in (*batch.offsets, *failed, *batch.filtered))
        assert list(batch.offsets) == sorted(batch.offsets)
        assert len(batch.offsets) == len(batch.raws)
        spans.append((span.start, span.end))
    covered = merge(spans)
    assert sum(end - start for start, end in covered) == sum(end - start for start, end in spans)
    return covered


@dataclass
class Topic:
    """A partition, which grows while it is read.

    Attributes:
        produced: Offsets and messages.
        end: Its end, behind offsets that have no message too.
        poll: How many offsets one poll returns at most.
        endless: Whether more may come.
        failure: What a poll raises from then on, once everything is read.
        readers: All readers of it.
    """

    produced: list[tuple[int, bytes]] = field(default_factory=list)
    end: int = 0
    poll: int = 100
    endless: bool = False
    failure: SluiceError | None = None
    readers: list[TopicReader] = field(default_factory=list)

    def append(self, tenants: Iterable[str]) -> None:
        """Produce one message for each tenant."""
        for _, raw in messages(tenants):
            self.produced.append((self.end, raw))
            self.end += 1


class TopicReader:
    """Reads a topic from an offset on."""

    def __init__(self, topic: Topic, offset: int) -> None:
        self._topic = topic
        self.next = offset
        self.waiting = 0
        self.polls = 0
        self.attended = 0
        self.closed = False
        topic.readers.append(self)

    def poll(self, timeout: float) -> Polled:
        self.polls += 1
        topic, start = self._topic, self.next
        end = min(start + topic.poll, topic.end)
        batches = [batch_of(topic.produced, start, end)] if end > start else []
        if not batches and topic.failure is not None:
            raise topic.failure
        self.next = end
        done = end == topic.end and not topic.endless and topic.failure is None
        return Polled(batches, ((NAME, end),), done, watermark=1_000.0 + end)

    def backlog(self) -> int:
        return self._topic.end - self.next + self.waiting

    def hold(self, records: Mapping[tuple[str, str], int]) -> None:
        self.waiting = records.get(PLACE, 0)

    def attend(self) -> None:
        self.attended += 1

    def close(self) -> None:
        self.closed = True


def fair_reader(
    topic: Topic,
    offset: int = 0,
    *,
    bounds: Bounds | None = None,
    round_of: int = 10,
    streaming: bool = True,
) -> FairReader:
    """A reader whose rounds always have ``round_of`` records."""
    pace = Pace(round_of, clock=lambda: 0.0)
    window = Window(tenants_of("tenant"), bounds)
    return FairReader(TopicReader(topic, offset), window, pace, streaming=streaming)


class Resting(FairReader):
    """A reader that ends its bundle with each round."""

    def poll(self, timeout: float) -> Polled:
        return replace(super().poll(timeout), rest=True)


TOPICS: dict[str, Topic] = {}
"""By the names of their sources."""


@dataclass(frozen=True)
class TopicSource(ListSource):
    """Reads the topic of its name fairly."""

    def open(self, split: Split, position: Position, ledger: Ledger) -> FairReader:  # type: ignore[override]
        reader = TopicReader(TOPICS[self.name], dict(position).get(NAME, 0))
        return Resting(reader, Window(tenants_of("tenant")), Pace(10, clock=lambda: 0.0))
