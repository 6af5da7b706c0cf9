"""Topics that are deleted and created again: each record once, and nothing is lost silently."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from clients.kafka.config import consumer_settings
from sources.kafka.label import id_of, number_of
from sources.kafka.source import KafkaSource
from tests.io.sources.kafka.reading import (
    Read,
    commit_offsets,
    read_to_end,
    reading,
    source_of,
    until,
)
from tests.io.sources.reading import MemoryLedger
from tests.services.kafka_broker import KafkaBroker, Topics
from transforms import metrics
from transforms.batch.coverage import Coverage
from transforms.batch.record import Failure, RecordBatch
from transforms.batch.splits import BatchLimits, Split

pytestmark = pytest.mark.integration

RECREATED = "was deleted and created again"

LARGE = [(None, b"old" + b"x" * 20_000)] * 400
"""More than a client with ``SMALL_FETCHES`` queues."""

SMALL_FETCHES: dict[str, Any] = {
    "limits": BatchLimits(records=10),
    "config": (("fetch.message.max.bytes", "50000"), ("queued.max.messages.kbytes", "100")),
}


def streaming(broker: KafkaBroker, topic: str, query: str = "", **more: Any) -> KafkaSource:
    return source_of(broker, topic, query, streaming=True, discovery_interval=0.3, **more)


def records(text: str, count: int, first: int = 0) -> list[tuple[None, bytes]]:
    return [(None, f"{text}-{n:06}".encode()) for n in range(first, first + count)]


def values(text: str, count: int, first: int = 0) -> list[bytes]:
    return [raw for _, raw in records(text, count, first)]


def of(text: str, read: Read) -> list[bytes]:
    """Everything read that begins with ``text``, duplicates included."""
    return [raw for raw in read.all_values() if raw.startswith(text.encode())]


def failures(read: Read) -> list[Failure]:
    return [failure for batch in read.batches for failure in batch.failures]


def recreate(broker: KafkaBroker, topic: str, partitions: int = 1) -> None:
    broker.delete_topic(topic)
    broker.create_topic(topic, partitions)


class TestWhileStopped:
    @pytest.mark.parametrize("count", [3, 10, 25], ids=["fewer", "as-many", "more"])
    def test_all_of_the_new_topic_is_read_once_and_one_line_says_what_is_unknown(
        self, kafka_broker: KafkaBroker, topic: Topics, caplog: pytest.LogCaptureFixture, count: int
    ) -> None:
        name = topic()
        source = source_of(kafka_broker, name)
        ledger = MemoryLedger()
        kafka_broker.produce(name, records("old", 10))
        ledger.settle(read_to_end(source, ledger).batches)
        kafka_broker.produce(name, records("old", 5, first=10))
        recreate(kafka_broker, name)
        kafka_broker.produce(name, records("new", count))
        caplog.clear()
        read = read_to_end(source, ledger)
        ledger.settle(read.batches)
        assert read.all_values() == values("new", count)
        assert not failures(read), "nobody knows how much there was"
        (line,) = [each for each in caplog.messages if RECREATED in each]
        assert name in line
        assert "partition 0: 10" in line
        assert "lost" not in line
        caplog.clear()
        assert read_to_end(source, ledger).batches == []
        assert not caplog.messages, "said once"

    def test_an_empty_new_topic_is_reported_once_too(
        self, kafka_broker: KafkaBroker, topic: Topics, caplog: pytest.LogCaptureFixture
    ) -> None:
        name = topic()
        source = source_of(kafka_broker, name)
        ledger = MemoryLedger()
        kafka_broker.produce(name, records("old", 10))
        ledger.settle(read_to_end(source, ledger).batches)
        recreate(kafka_broker, name)
        for _ in range(2):
            ledger.settle(read_to_end(source, ledger).batches)
        assert len([each for each in caplog.messages if RECREATED in each]) == 1

    def test_start_and_group_were_meant_for_the_old_topic(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic()
        group = f"group-{name}"
        source = source_of(kafka_broker, name, f"?start=latest&group={group}")
        ledger = MemoryLedger()
        ledger.settle(read_to_end(source, ledger).batches)
        recreate(kafka_broker, name)
        kafka_broker.produce(name, records("new", 8))
        commit_offsets(kafka_broker, group, {(name, 0): 5})
        assert read_to_end(source, ledger).all_values() == values("new", 8)

    def test_every_split_reads_its_part_where_there_are_fewer_partitions_than_before(
        self, kafka_broker: KafkaBroker, topic: Topics, caplog: pytest.LogCaptureFixture
    ) -> None:
        name = topic(partitions=4)
        source = source_of(kafka_broker, name, "?splits=3")
        ledger = MemoryLedger()
        kafka_broker.produce(name, [(None, b"old", n) for n in range(4)])
        for split in source.splits(ledger):
            ledger.settle(read_to_end(source, ledger, split=split).batches)
        recreate(kafka_broker, name, partitions=2)
        kafka_broker.produce(name, [(None, b"new", n % 2) for n in range(10)])
        caplog.clear()
        read = [read_to_end(source, ledger, split=each) for each in source.splits(ledger)]
        assert sum(each.records for each in read) == 10
        (line,) = [each for each in caplog.messages if RECREATED in each]
        assert "partition 0: 1, partition 1: 1, partition 2: 1, partition 3: 1" in line

    def test_names_without_an_id_count_as_settled(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic()
        kafka_broker.produce(name, records("old", 10))
        source = source_of(kafka_broker, name)
        ledger = MemoryLedger({(f"kafka://{name}", "0"): Coverage(((0, 4), (6, 8)))})
        batches: list[RecordBatch] = []
        with reading(source, ledger) as reader:
            done = False
            while not done:
                polled = reader.poll(1.0)
                batches += polled.batches
                done = polled.done
        (label,) = {batch.span.partition for batch in batches}
        assert id_of(label), "from now on under the name with the id"
        spans = [(each.span.start, each.span.end, each.read) for each in batches]
        assert spans[0] == (4, 4, 0), "it begins where the plain name ends"
        assert spans[1] == (6, 8, 0), "what the plain name has beyond its gap is settled, too"
        assert [raw for each in batches for raw in each.raws] == values("old", 6, first=4)
        ledger.settle(batches)
        recreate(kafka_broker, name)
        kafka_broker.produce(name, records("new", 20))
        assert read_to_end(source, ledger).all_values() == values("new", 20), "its id is known now"

    def test_a_bounded_split_that_resumes_says_what_it_can_no_longer_read(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic()
        source = source_of(kafka_broker, name)
        ledger = MemoryLedger()
        kafka_broker.produce(name, records("old", 10))
        (label,) = read_to_end(source).ends()
        ledger.coverages[f"kafka://{name}", label] = Coverage(((0, 6),))
        recreate(kafka_broker, name)
        kafka_broker.produce(name, records("new", 20))
        position = ((f"end:{name}/{label}", 10), (f"{name}/{label}", 4))
        metrics.reset()
        read = read_to_end(source, ledger, position)
        (failure,) = failures(read)
        assert failure.message.startswith(f"offsets 6–9 of {name}/0 were deleted before")
        assert (failure.origin.partition, failure.origin.offset) == (label, 6)
        assert metrics.tally()["skipped_offsets"] == 4
        ledger.settle(read.batches)
        assert ledger.coverages[f"kafka://{name}", label].complete
        assert read_to_end(source, ledger).all_values() == values("new", 20)


class TestWhileRead:
    @pytest.mark.parametrize("count", [3, 10, 500], ids=["fewer", "as-many", "more"])
    def test_all_of_the_new_topic_is_read_once_and_nothing_is_called_lost(
        self, kafka_broker: KafkaBroker, topic: Topics, caplog: pytest.LogCaptureFixture, count: int
    ) -> None:
        name = topic()
        kafka_broker.produce(name, records("old", 10))
        with reading(streaming(kafka_broker, name)) as reader:
            read = until(reader, lambda read: read.records == 10)
            recreate(kafka_broker, name)
            kafka_broker.produce(name, records("new", count))
            until(reader, lambda read: read.records >= 10 + count, read)
            quiet(reader, read)
        assert of("new", read) == values("new", count)
        assert not failures(read)
        assert "lost" not in caplog.text
        assert sorted(read.ends().values()) == sorted([10, count])
        assert len({id_of(label) for label in read.ends()}) == 2

    def test_what_the_client_takes_from_the_new_topic_at_the_old_offset_is_not_the_old_topics(
        self, kafka_broker: KafkaBroker, topic: Topics, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # So slow to try again that the new topic has grown beyond the old offset by then.
        monkeypatch.setattr(
            "sources.kafka.source.consumer_settings",
            lambda *of: {**consumer_settings(*of), "fetch.error.backoff.ms": "3000"},
        )
        name = topic()
        kafka_broker.produce(name, records("old", 10))
        source = replace(streaming(kafka_broker, name), discovery_interval=60.0)
        with reading(source) as reader:
            read = until(reader, lambda read: read.records == 10)
            recreate(kafka_broker, name)
            kafka_broker.produce(name, records("new", 500))
            until(reader, lambda read: read.records >= 510, read)
            quiet(reader, read)
        assert of("new", read) == values("new", 500)
        assert sorted(read.ends().values()) == [10, 500]
        assert not failures(read)

    def test_what_was_fetched_before_is_still_read(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic()
        kafka_broker.produce(name, records("old", 300))
        source = streaming(kafka_broker, name, limits=BatchLimits(records=10))
        with reading(source) as reader:
            read = until(reader, lambda read: read.records >= 10)
            assert reader.backlog() == 300 - read.records
            recreate(kafka_broker, name)
            kafka_broker.produce(name, records("new", 600))
            until(reader, lambda read: len(of("new", read)) >= 600, read)
            quiet(reader, read)
        assert of("new", read) == values("new", 600)
        gone = sum(b.span.end - b.span.start for b in read.batches if b.failures)
        assert len(of("old", read)) + gone == 300
        assert of("old", read) == values("old", 300 - gone), "from the beginning, each once"

    def test_what_was_not_fetched_is_one_dead_letter_up_to_the_end_that_was_seen(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic()
        kafka_broker.produce(name, LARGE)
        source = streaming(kafka_broker, name, **SMALL_FETCHES)
        metrics.reset()
        with reading(source) as reader:
            read = until(reader, lambda read: read.records >= 10)
            recreate(kafka_broker, name)
            kafka_broker.produce(name, records("new", 3))
            until(reader, lambda read: len(of("new", read)) == 3, read)
        (failure,) = failures(read)
        count = len(of("old", read))
        assert 10 <= count < 400
        assert failure.category == "offsets_expired"
        assert failure.message.startswith(f"offsets {count}–399 of {name}/0 were deleted before")
        assert metrics.tally()["skipped_offsets"] == 400 - count

    def test_after_its_leader_had_changed(self) -> None:
        """The client would wait forever for an epoch that the new topic does not have."""
        with KafkaBroker() as broker:
            broker.create_topic("moved")
            broker.produce("moved", records("old", 10))
            broker.stop()
            broker.start()
            with reading(streaming(broker, "moved")) as reader:
                read = until(reader, lambda read: read.records == 10)
                recreate(broker, "moved")
                broker.produce("moved", records("new", 20))
                until(reader, lambda read: read.records >= 30, read)
            assert of("new", read) == values("new", 20)

    def test_a_deleted_topic_that_comes_back_later(
        self, kafka_broker: KafkaBroker, topic: Topics, caplog: pytest.LogCaptureFixture
    ) -> None:
        name = topic()
        kafka_broker.produce(name, records("old", 10))
        with reading(streaming(kafka_broker, name)) as reader:
            read = until(reader, lambda read: read.records == 10)
            kafka_broker.delete_topic(name)
            until(reader, lambda _: f"topic {name} was deleted" in caplog.text, read)
            assert "everything seen of it was read" in caplog.text
            kafka_broker.create_topic(name)
            kafka_broker.produce(name, records("new", 30))
            until(reader, lambda read: read.records >= 40, read)
        assert of("new", read) == values("new", 30)
        assert not failures(read)

    def test_fewer_partitions_than_before_and_another_topic_beside_it(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name, other = topic(partitions=4), topic()
        kafka_broker.produce(name, [(None, b"old", n % 4) for n in range(40)])
        kafka_broker.produce(other, records("other", 10))
        with reading(streaming(kafka_broker, f"{name},{other}")) as reader:
            read = until(reader, lambda read: read.records == 50)
            recreate(kafka_broker, name, partitions=2)
            kafka_broker.produce(name, [(None, b"new", n % 2) for n in range(60)])
            kafka_broker.produce(other, records("other", 10, first=10))
            until(reader, lambda read: read.records >= 120, read)
            quiet(reader, read)
        assert (len(of("old", read)), len(of("new", read))) == (40, 60)
        assert of("other", read) == values("other", 20)
        final = [b.span.partition for b in read.batches if b.span.final]
        assert sorted(map(number_of, final)) == [0, 1, 2, 3]

    def test_a_bounded_run_ends_and_leaves_the_new_topic_to_the_next(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic()
        kafka_broker.produce(name, LARGE)
        source = source_of(kafka_broker, name, discovery_interval=0.3, **SMALL_FETCHES)
        ledger = MemoryLedger()
        with reading(source) as reader:
            read = until(reader, lambda read: read.records >= 10)
            recreate(kafka_broker, name)
            kafka_broker.produce(name, records("new", 500))
            until(reader, lambda read: read.done, read)
        (failure,) = failures(read)
        assert failure.message.startswith(f"offsets {read.records}–399 of {name}/0")
        assert len(of("old", read)) == read.records
        ledger.settle(read.batches)
        assert read_to_end(source, ledger).all_values() == values("new", 500)


class TestRetention:
    def test_a_position_behind_the_ledger_calls_nothing_gone_that_was_settled(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic()
        kafka_broker.produce(name, records("x", 100))
        source = source_of(kafka_broker, name)
        (label,) = read_to_end(source).ends()
        kafka_broker.delete_records(name, {0: 60})
        ledger = MemoryLedger({(f"kafka://{name}", label): Coverage(((0, 40),))})
        position = ((f"end:{name}/{label}", 100), (f"{name}/{label}", 10))
        read = read_to_end(source, ledger, position, Split(source.uri, "0/1"))
        (failure,) = failures(read)
        assert failure.message == f"offsets 40–59 of {name}/0 were deleted before they were read"
        assert failure.origin.offset == 40


def quiet(reader: Any, read: Read) -> None:
    """Poll until two looks at the cluster have found nothing more."""
    before = -1
    while before != len(read.batches):
        before = len(read.batches)
        _poll_for(reader, read, 0.8)


def _poll_for(reader: Any, read: Read, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    until(reader, lambda _: time.monotonic() >= deadline, read)
