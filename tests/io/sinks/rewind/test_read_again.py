"""Readers of streams go on where the ledger says after a rewind, whatever position they have noted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import pytest
from apache_beam.transforms.window import TimestampedValue

from sinks.ledger.ledger import SqlLedger
from sinks.rewind.order import Rewind
from sinks.rewind.rewind import carry_out
from sinks.sql import SqlSink
from sources.files.source import FilesSource
from sources.kafka.source import KafkaSource
from tests.io.sinks.rewind.settled import WHO, pause
from tests.io.sinks.tested_database import Database
from tests.services.kafka_mock import PARTITIONS, mock_cluster
from tests.services.kafka_produce import produce
from tests.transforms.read.test_reading import Generation, Tracker
from transforms.batch.splits import Source
from transforms.read.readers import READERS
from transforms.read.reading import Pacing, Reading
from transforms.read.restriction import Remaining, RemainingCoder

pytestmark = pytest.mark.slow

SECONDS = 30.0


@dataclass
class Stream:
    """A split that is read bundle after bundle into a table, as a runner has it read."""

    source: Source
    sink: SqlSink
    asked: Generation = field(default_factory=Generation)
    read: list[int] = field(default_factory=list)
    state: bytes = field(default_factory=lambda: RemainingCoder().encode(Remaining()))

    def until(self, enough: Callable[[], bool]) -> None:
        """Read until ``enough``; the state of the split passes through its coder after each bundle."""
        ledger = SqlLedger(self.sink.config)
        (split,) = self.source.splits(ledger)
        deadline = time.monotonic() + SECONDS
        while not enough():
            assert time.monotonic() < deadline, self.read
            tracker = Tracker(RemainingCoder().decode(self.state))
            pacing = Pacing(bundle_seconds=0.0)
            one = Reading(self.source, split, ledger, tracker, _Watermark(), pacing, self.asked)
            for emitted in one.batches():
                batch = emitted.value if isinstance(emitted, TimestampedValue) else emitted
                values = [json.loads(raw) for raw in batch.raws]
                self.read += [value["id"] for value in values]
                self.sink.commit([replace(batch, values=values)])
            assert tracker.residual is not None
            self.state = RemainingCoder().encode(tracker.residual)

    def until_read(self, number: int) -> None:
        self.until(lambda: len(self.read) >= number)


class _Watermark:
    def current_watermark(self) -> None:
        return None

    def set_watermark(self, timestamp: object) -> None:
        return None


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    READERS.close()


@pytest.fixture
def sink(sqlite_database: Database) -> SqlSink:
    sqlite_database.run("CREATE TABLE events (id integer PRIMARY KEY)")
    sink = sqlite_database.sink(key=["id"])
    pause(sqlite_database)
    return sink


@pytest.fixture
def topic() -> Iterator[str]:
    with mock_cluster() as bootstrap:
        produce(bootstrap, "orders", [(None, b'{"id":%d}' % n, n % PARTITIONS) for n in range(400)])
        yield f"kafka://{bootstrap}/orders"


def forget(sink: SqlSink, source: str, start: int, *partitions: str) -> None:
    places = tuple((source, partition) for partition in partitions)
    carry_out(sink.config.database, Rewind("events", places, start), **WHO)


def ids(start: int, *partitions: int) -> list[int]:
    return sorted(
        n for n in range(400) if n % PARTITIONS in partitions and n // PARTITIONS >= start
    )


def test_a_kept_reader_of_a_topic_begins_again_once_the_generation_is_seen(
    topic: str, sink: SqlSink
) -> None:
    stream = Stream(KafkaSource(topic, streaming=True), sink)
    stream.until_read(400)
    forget(sink, "kafka://orders", 60, "1", "2")
    stream.asked.generation = 1
    stream.until_read(400 + 80)
    assert sorted(stream.read[400:]) == ids(60, 1, 2)
    assert RemainingCoder().decode(stream.state).generation == 1


@pytest.mark.parametrize("version", [1, 2])
def test_a_savepoint_of_before_a_rewind_is_not_trusted(
    topic: str, sink: SqlSink, version: int
) -> None:
    stream = Stream(KafkaSource(topic, streaming=True), sink)
    stream.until_read(400)
    READERS.close()  # the job is stopped with a savepoint
    if version == 1:
        saved = RemainingCoder().decode(stream.state)
        fields = (saved.position, saved.backlog, saved.done)
        stream.state = b"\x01" + msgspec.msgpack.encode(fields)
    forget(sink, "kafka://orders", 90, "3")
    stream.asked.generation = 1
    stream.until_read(400 + 10)
    assert sorted(stream.read[400:]) == ids(90, 3)


def test_until_the_generation_is_seen_nothing_is_lost_either(topic: str, sink: SqlSink) -> None:
    stream = Stream(KafkaSource(topic, streaming=True), sink)
    stream.until_read(400)
    forget(sink, "kafka://orders", 50, "0")
    bootstrap = topic.removeprefix("kafka://").partition("/")[0]
    produce(bootstrap, "orders", [(None, b'{"id":1000}', 0)])
    stream.until_read(401)  # read at the old position, as the answer is late
    stream.asked.generation = 1
    stream.until(lambda: 1000 in stream.read[401:])
    assert sorted(stream.read[401:]) == [*ids(50, 0), 1000]
    coverage = SqlLedger(sink.config).partitions("kafka://orders")["0"]
    assert coverage.ranges == ((0, 101),)


def test_a_watched_file_that_was_forgotten_is_read_again_by_the_process_that_has_read_it(
    tmp_path: Path, sink: SqlSink
) -> None:
    for name, first in (("a", 0), ("b", 100)):
        lines = [b'{"id":%d}\n' % n for n in range(first, first + 10)]
        (tmp_path / f"{name}.jsonl").write_bytes(b"".join(lines))
    source = FilesSource(f"{tmp_path}/*.jsonl", watch=True, walk=True, poll_interval=0.05)
    stream = Stream(source, sink)
    stream.until_read(20)
    name = f"file://{tmp_path}/a.jsonl"
    (partition,) = SqlLedger(sink.config).partitions(name)
    forget(sink, name, 0, partition)
    stream.asked.generation = 1
    stream.until_read(30)
    assert stream.read[20:] == list(range(10))
    assert SqlLedger(sink.config).partitions(name)[partition].complete
