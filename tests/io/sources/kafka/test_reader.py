"""The reader's own logic on librdkafka's mock cluster: topics of four partitions, no ids."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sources.kafka import lag
from sources.kafka.cluster import Cluster
from sources.kafka.fetch import Fetcher
from sources.kafka.source import KafkaSource
from tests.io.sources.kafka.reading import (
    SECONDS,
    Read,
    counted,
    only_split,
    read_to_end,
    reading,
    until,
)
from tests.io.sources.reading import MemoryLedger
from tests.services.kafka_mock import mock_cluster
from tests.services.kafka_produce import produce
from tests.waiting import wait_until
from transforms import instruments
from transforms.background import in_background
from transforms.batch.coverage import Coverage
from transforms.batch.splits import BatchLimits
from transforms.errors import ConfigError, SourceUnavailable


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with mock_cluster() as bootstrap:
        yield bootstrap


_names = iter(range(1_000))


@pytest.fixture
def topic() -> str:
    return f"topic-{next(_names)}"


def numbered(count: int, first: int = 0) -> list[tuple[None, bytes, int]]:
    """``count`` messages for each partition, each naming partition and offset."""
    return [
        (None, b"%d/%d" % (partition, offset), partition)
        for offset in range(first, first + count)
        for partition in range(4)
    ]


def expected(count: int, first: int = 0) -> dict[int, list[bytes]]:
    return {p: [b"%d/%d" % (p, n) for n in range(first, first + count)] for p in range(4)}


def by_number(read: Read) -> dict[int, list[bytes]]:
    return {number: raws for (_, number), raws in read.values().items()}


@pytest.fixture
def source(cluster: str, topic: str) -> KafkaSource:
    produce(cluster, topic, numbered(10))
    return KafkaSource(f"kafka://{cluster}/{topic}")


class TestBounded:
    def test_every_partition_is_read_to_its_end_in_order(
        self, source: KafkaSource, topic: str
    ) -> None:
        read = read_to_end(source)
        assert by_number(read) == expected(10)
        assert {batch.span.source for batch in read.batches} == {f"kafka://{topic}"}
        assert read.ends() == {"0": 10, "1": 10, "2": 10, "3": 10}

    def test_what_is_produced_later_is_not_read(
        self, source: KafkaSource, cluster: str, topic: str
    ) -> None:
        with reading(source) as reader:
            read = until(reader, lambda read: read.records > 0)
            produce(cluster, topic, numbered(5, first=10))
            until(reader, lambda read: read.done, read)
        assert by_number(read) == expected(10)

    def test_a_position_resumes_exactly_and_keeps_its_ends(
        self, source: KafkaSource, cluster: str, topic: str
    ) -> None:
        small = replace(source, limits=BatchLimits(records=7))
        with reading(small) as reader:
            read = until(reader, lambda read: read.records >= 7)
        before = read.records
        assert before < 40
        produce(cluster, topic, numbered(5, first=10))
        rest = read_to_end(small, position=read.position)
        assert sorted([*read.all_values(), *rest.all_values()]) == sorted(
            raw for raws in expected(10).values() for raw in raws
        )

    def test_an_empty_topic_is_done_at_once(self, cluster: str, topic: str) -> None:
        produce(cluster, topic, numbered(1))
        ledger = MemoryLedger()
        source = KafkaSource(f"kafka://{cluster}/{topic}")
        ledger.settle(read_to_end(source).batches)
        assert read_to_end(source, ledger).batches == []

    def test_limits_bound_a_poll(self, source: KafkaSource) -> None:
        with reading(replace(source, limits=BatchLimits(records=3))) as reader:
            read = Read()
            while not read.done:
                polled = reader.poll(1.0)
                assert sum(batch.read for batch in polled.batches) <= 3
                read.add(polled)
        assert by_number(read) == expected(10)

    def test_limits_bound_the_bytes_of_a_poll(self, cluster: str, topic: str) -> None:
        produce(cluster, topic, [(None, b"x" * 1_000, n % 4) for n in range(400)])
        limits = BatchLimits(records=1_000, bytes=10_000)
        with reading(KafkaSource(f"kafka://{cluster}/{topic}", limits=limits)) as reader:
            read = Read()
            while not read.done:
                polled = reader.poll(1.0)
                size = sum(len(raw) for batch in polled.batches for raw in batch.raws)
                assert size <= 20_000, "about the limit"
                read.add(polled)
        assert read.records == 400

    def test_several_topics_are_read_by_one_split(self, cluster: str, topic: str) -> None:
        for name in (topic, f"{topic}-b"):
            produce(cluster, name, numbered(3))
        read = read_to_end(KafkaSource(f"kafka://{cluster}/{topic},{topic}-b"))
        assert len(read.values()) == 8
        assert read.records == 24

    def test_a_pattern_reads_what_it_matches(self, cluster: str, topic: str) -> None:
        for name in (f"{topic}-eu", f"{topic}-us", f"{topic}-no"):
            produce(cluster, name, numbered(1))
        read = read_to_end(KafkaSource(f"kafka://{cluster}/^{topic}-(eu|us)"))
        assert {name for name, _ in read.values()} == {f"{topic}-eu", f"{topic}-us"}

    def test_splits_share_the_partitions(self, source: KafkaSource) -> None:
        three = replace(source, uri=f"{source.uri}?splits=3")
        owned = [
            set(by_number(read_to_end(three, split=split)))
            for split in three.splits(MemoryLedger())
        ]
        assert owned == [{0, 3}, {1}, {2}]

    def test_more_splits_than_partitions_end_at_once(self, source: KafkaSource) -> None:
        many = replace(source, uri=f"{source.uri}?splits=6")
        *_, last = many.splits(MemoryLedger())
        assert read_to_end(many, split=last).batches == []

    def test_the_size_of_a_split_is_what_the_ledger_lacks(
        self, source: KafkaSource, topic: str
    ) -> None:
        ledger = MemoryLedger({(f"kafka://{topic}", "0"): Coverage(((0, 4),))})
        assert only_split(source, ledger).size == 36
        assert only_split(replace(source, streaming=True), ledger).size == 0

    def test_the_backlog_is_what_is_left(self, source: KafkaSource) -> None:
        with reading(replace(source, limits=BatchLimits(records=4))) as reader:
            read = Read()
            while not read.done:
                read.add(reader.poll(1.0))
                if read.position:
                    assert reader.backlog() == 40 - read.records


class TestLedger:
    def settled(self, topic: str, **ranges: tuple[tuple[int, int], ...]) -> MemoryLedger:
        ledger = MemoryLedger()
        for name, partition_ranges in ranges.items():
            ledger.coverages[f"kafka://{topic}", name.removeprefix("p")] = Coverage(
                partition_ranges
            )
        return ledger

    def test_reading_begins_at_the_first_gap(self, source: KafkaSource, topic: str) -> None:
        ledger = self.settled(topic, p0=((0, 4), (6, 8)), p1=((0, 10),), p2=((2, 5),))
        read = by_number(read_to_end(source, ledger))
        assert read[0] == expected(6, first=4)[0]
        assert 1 not in read
        assert read[2] == expected(5, first=5)[2]
        assert read[3] == expected(10)[3], "unknown to the ledger: from its beginning"

    def test_a_position_is_newer_than_the_ledger(self, source: KafkaSource, topic: str) -> None:
        ledger = self.settled(topic, p0=((0, 2),))
        ends = tuple((f"end:{topic}/{p}", 10) for p in range(4))
        position = (*ends, *((f"{topic}/{p}", 8) for p in range(4)))
        assert by_number(read_to_end(source, ledger, position)) == expected(2, first=8)

    def test_a_log_shorter_than_what_was_read_stops_the_run(
        self, source: KafkaSource, topic: str
    ) -> None:
        ledger = self.settled(topic, p2=((0, 11),))
        with (
            reading(source, ledger) as reader,
            pytest.raises(
                SourceUnavailable, match=rf"{topic}/2 ends at offset 10, but 11 is the next"
            ),
        ):
            until(reader, lambda read: read.done)


class TestStart:
    def test_latest_begins_at_the_end_and_pins_it(
        self, source: KafkaSource, cluster: str, topic: str
    ) -> None:
        latest = replace(source, uri=f"{source.uri}?start=latest", streaming=True)
        with reading(latest) as reader:
            read = until(reader, lambda read: len(read.batches) == 4)
            assert [(b.span.start, b.span.end, b.read) for b in read.batches] == [(10, 10, 0)] * 4
            produce(cluster, topic, numbered(2, first=10))
            until(reader, lambda read: read.records == 8, read)
        assert by_number(read) == expected(2, first=10)

    def test_an_offset_begins_there_and_pins_it(self, source: KafkaSource) -> None:
        at = replace(source, uri=f"{source.uri}?start=offset:7")
        ledger = MemoryLedger()
        read = read_to_end(at, ledger)
        assert by_number(read) == {p: raws[7:] for p, raws in expected(10).items()}
        ledger.settle(read.batches)
        other = replace(source, uri=f"{source.uri}?start=offset:2")
        assert by_number(read_to_end(other, ledger)) == {}, "the ledger goes before"

    def test_what_the_ledger_was_told_to_forget_is_read_again(
        self, source: KafkaSource, topic: str
    ) -> None:
        ledger = MemoryLedger()
        for number, ranges in enumerate(
            [((0, 4),), ((5, 5),), ((3, 3), (8, 10)), ((0, 2), (6, 10))]
        ):
            ledger.coverages[f"kafka://{topic}", str(number)] = Coverage(ranges)
        begins = {
            number: values[0] for number, values in by_number(read_to_end(source, ledger)).items()
        }
        assert begins == {0: b"0/4", 1: b"1/5", 2: b"2/3", 3: b"3/2"}

    def test_a_pinned_partition_keeps_its_beginning(
        self, source: KafkaSource, cluster: str, topic: str
    ) -> None:
        latest = replace(source, uri=f"{source.uri}?start=latest")
        ledger = MemoryLedger()
        ledger.settle(read_to_end(latest).batches)
        produce(cluster, topic, numbered(2, first=10))
        assert by_number(read_to_end(latest, ledger)) == expected(2, first=10)

    def test_a_partition_added_between_two_runs_is_read_whole(
        self, source: KafkaSource, topic: str
    ) -> None:
        latest = replace(source, uri=f"{source.uri}?start=latest")
        ledger = MemoryLedger()
        for number in (0, 1, 2):
            ledger.coverages[f"kafka://{topic}", str(number)] = Coverage(((10, 10),))
        assert by_number(read_to_end(latest, ledger)) == {3: expected(10)[3]}


class TestStreaming:
    def test_it_goes_on_at_the_end(self, source: KafkaSource, cluster: str, topic: str) -> None:
        with reading(replace(source, streaming=True)) as reader:
            read = until(reader, lambda read: read.records == 40)
            produce(cluster, topic, numbered(1, first=10))
            until(reader, lambda read: read.records == 44, read)
            assert not read.done

    def test_its_lag_grows_also_while_nobody_polls(
        self, source: KafkaSource, cluster: str, topic: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lag, "SILENT_SECONDS", 0.05)

        def shown() -> float:
            gauges = instruments.measured().gauges.get("source_lag_records", {})
            return sum(value for (name, _), value in gauges.items() if name == f"kafka://{topic}")

        with reading(replace(source, streaming=True)) as reader:
            until(reader, lambda read: read.records == 40)
            produce(cluster, topic, numbered(2, first=10))
            wait_until(lambda: shown() == 8, "the lag of what was not asked for")
        assert shown() == 0

    def test_a_reader_that_is_attended_fetches_nothing_and_goes_on_where_it_ended(
        self, source: KafkaSource, cluster: str, topic: str
    ) -> None:
        with reading(replace(source, streaming=True)) as reader:
            read = until(reader, lambda read: read.records == 40)
            produce(cluster, topic, [(None, b"1", 0)])
            for _ in range(3):
                reader.attend()
            produce(cluster, topic, [(None, b"2", 0)])
            for _ in range(20):
                if read.records == 42:
                    break
                read.add(reader.poll(10.0))
            assert read.records == 42

    def test_a_poll_returns_with_what_is_there(
        self, source: KafkaSource, cluster: str, topic: str
    ) -> None:
        with reading(replace(source, streaming=True)) as reader:
            read = until(reader, lambda read: read.records == 40)
            produce(cluster, topic, [(None, b"1", 0)])
            read.add(reader.poll(3_600.0))
            assert read.records == 41

    def test_an_idle_poll_waits_for_what_arrives(
        self, source: KafkaSource, cluster: str, topic: str
    ) -> None:
        with reading(replace(source, streaming=True)) as reader:
            until(reader, lambda read: read.records == 40)
            polled = in_background(lambda: reader.poll(3_600.0), "poll")
            produce(cluster, topic, [(None, b"1", 0)])
            (batch,) = polled.result(SECONDS).batches
            assert batch.raws == [b"1"]

    def test_an_idle_poll_does_not_spin(
        self, source: KafkaSource, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with reading(replace(source, streaming=True)) as reader:
            until(reader, lambda read: read.records == 40)
            reader.poll(0.5)  # takes what the client still reports: the ends of the partitions
            takes = counted(monkeypatch, Fetcher, "take")
            assert not reader.poll(0.4).batches
            assert 1 <= len(takes) <= 1_000, (
                "the client rounds the last millisecond down to nothing"
            )

    def test_the_watermark_is_the_slowest_partitions(self, cluster: str, topic: str) -> None:
        stamped = [(None, b"x", p, 1_600_000_000_000 + p * 1_000) for p in range(4)]
        produce(cluster, topic, stamped)
        source = KafkaSource(f"kafka://{cluster}/{topic}", streaming=True, idle_seconds=60)
        with reading(source) as reader:
            read = until(reader, lambda read: read.records == 4)
            assert read.watermark == 1_600_000_000

    def test_partitions_without_news_do_not_hold_the_watermark_back(
        self, source: KafkaSource
    ) -> None:
        idle = replace(source, streaming=True, idle_seconds=0.3)
        with reading(idle) as reader:
            read = until(reader, lambda read: read.records == 40)
            at = time.time()
            until(reader, lambda read: (read.watermark or 0) > at - 0.2, read)


class TestCheck:
    def test_topics_that_exist_pass(self, source: KafkaSource) -> None:
        source.check()

    def test_a_missing_topic_is_named(self, cluster: str, topic: str) -> None:
        with pytest.raises(ConfigError, match=f"no topic {topic}-missing"):
            KafkaSource(f"kafka://{cluster}/{topic}-missing").check()

    def test_a_pattern_that_matches_nothing_is_an_error_only_if_bounded(self, cluster: str) -> None:
        source = KafkaSource(f"kafka://{cluster}/^nothing.*")
        with pytest.raises(ConfigError, match=r"\^nothing"):
            source.check()
        replace(source, streaming=True).check()

    def test_no_broker_is_one_line_with_its_address(self) -> None:
        source = KafkaSource("kafka://127.0.0.1:9/t", answer_timeout=1)
        with pytest.raises(SourceUnavailable) as caught:
            source.check()
        assert "127.0.0.1:9" in str(caught.value)
        assert "\n" not in str(caught.value)


class TestAway:
    def test_brokers_that_never_answer_end_the_run_after_the_budget(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = KafkaSource("kafka://127.0.0.1:9/t", answer_timeout=0.3, outage_budget=1)
        split = only_split(source, MemoryLedger())
        looks = counted(monkeypatch, Cluster, "topics")
        with (
            reading(source, split=split) as reader,
            pytest.raises(SourceUnavailable, match=r"127\.0\.0\.1:9"),
        ):
            until(reader, lambda read: read.done)
        assert len(looks) >= 2, "one look is not an outage"

    def test_polls_while_they_are_away_neither_raise_nor_spin(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = KafkaSource("kafka://127.0.0.1:9/t", answer_timeout=0.3)
        split = only_split(source, MemoryLedger())
        looks = counted(monkeypatch, Cluster, "topics")
        polls = 0
        with reading(source, split=split) as reader:
            while len(looks) < 3:
                polled = reader.poll(0.2)
                assert (polled.batches, polled.position, polled.done) == ([], (), False)
                polls += 1
                assert polls <= 50, "a poll waits"
        assert polls >= len(looks) - 1, "looks are spread over the polls"

    def test_a_cluster_that_vanishes_while_idle_is_noticed(self, topic: str) -> None:
        with mock_cluster() as bootstrap:
            produce(bootstrap, topic, numbered(1))
            source = KafkaSource(
                f"kafka://{bootstrap}/{topic}",
                streaming=True,
                answer_timeout=0.3,
                outage_budget=1,
                discovery_interval=0.2,
            )
            reader = source.open(only_split(source, MemoryLedger()), (), MemoryLedger())
            until(reader, lambda read: read.records == 4)
        try:
            with pytest.raises(SourceUnavailable, match="cannot reach Kafka"):
                until(reader, lambda read: False)
        finally:
            reader.close()
