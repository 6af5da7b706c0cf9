"""Topics of a real broker: what only a real broker does."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import Producer

from sources.kafka.cluster import Cluster
from sources.kafka.fetch import Fetcher
from tests.io.sources.kafka.reading import (
    commit_offsets,
    counted,
    read_to_end,
    reading,
    source_of,
    until,
)
from tests.io.sources.reading import MemoryLedger
from tests.services.kafka_broker import KafkaBroker, Topics
from transforms import metrics
from transforms.batch.coverage import Coverage
from transforms.batch.splits import Split
from transforms.errors import SourceUnavailable

pytestmark = pytest.mark.integration


def numbered(count: int, first: int = 0) -> list[tuple[None, bytes]]:
    return [(None, b"%06d" % n) for n in range(first, first + count)]


def values(count: int, first: int = 0) -> list[bytes]:
    return [b"%06d" % n for n in range(first, first + count)]


class TestMessages:
    def test_keys_headers_times_and_tombstones_are_kept(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic(config={"retention.ms": "-1"})
        stamp = 1_700_000_000_123
        kafka_broker.produce(
            name,
            [
                (b"k1", b"v1", 0, stamp, [("h", b"1"), ("h", None), ("", b"")]),
                (None, b"v2", 0, stamp + 1, None),
                (b"k3", None, 0, stamp + 2, [("why", b"gone")]),
            ],
        )
        (batch,) = read_to_end(source_of(kafka_broker, name)).batches
        assert batch.raws == [b"v1", b"v2"]
        assert batch.keys == [b"k1", None]
        assert batch.headers == [(("h", b"1"), ("h", None), ("", b"")), ()]
        assert batch.times == [1_700_000_000.123, 1_700_000_000.124]
        (tombstone,) = batch.failures
        assert (tombstone.origin.offset, tombstone.key) == (2, b"k3")
        assert tombstone.headers == (("why", b"gone"),)
        assert (batch.span.start, batch.span.end) == (0, 3)

    def test_a_header_that_is_no_text_costs_only_the_headers_of_its_message(
        self, kafka_broker: KafkaBroker, topic: Topics, caplog: pytest.LogCaptureFixture
    ) -> None:
        name = topic()
        kafka_broker.produce(name, [(None, b"before", 0, None, [("a", b"1")])])
        _produce_header(kafka_broker.bootstrap, name, b"value", b"\xff\xfe")
        kafka_broker.produce(name, [(None, b"after", 0, None, [("b", b"2")])])
        (batch,) = read_to_end(source_of(kafka_broker, name)).batches
        assert batch.raws == [b"before", b"value", b"after"]
        assert batch.headers == [(("a", b"1"),), (), (("b", b"2"),)]
        assert f"{name}/0 at offset 1" in caplog.text

    def test_the_ledgers_partition_names_the_topics_id(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic(partitions=2)
        kafka_broker.produce(name, [(None, b"x", 0), (None, b"x", 1)])
        read = read_to_end(source_of(kafka_broker, name))
        numbers, ids = zip(*(label.split("@") for label in sorted(read.ends())), strict=True)
        assert numbers == ("0", "1")
        assert len(set(ids)) == 1
        assert len(ids[0]) == 22


class TestTransactions:
    @pytest.fixture
    def producer(self, kafka_broker: KafkaBroker, topic: Topics) -> Producer:
        producer = Producer(
            {
                "bootstrap.servers": kafka_broker.bootstrap,
                "transactional.id": topic(),
                "log_level": 0,
            }
        )
        producer.init_transactions(30)
        return producer

    def send(self, producer: Producer, name: str, *raws: bytes) -> None:
        producer.begin_transaction()
        for raw in raws:
            producer.produce(name, raw, partition=0)
        assert producer.flush(30) == 0

    def test_aborted_messages_are_invisible_and_markers_do_not_stall_the_end(
        self, kafka_broker: KafkaBroker, topic: Topics, producer: Producer
    ) -> None:
        name = topic()
        self.send(producer, name, b"a", b"b")
        producer.commit_transaction(30)
        self.send(producer, name, b"lost")
        producer.abort_transaction(30)
        self.send(producer, name, b"c")
        producer.commit_transaction(30)
        read = read_to_end(source_of(kafka_broker, name))
        assert read.all_values() == [b"a", b"b", b"c"]
        assert set(read.ends().values()) == {7}, "three markers and an aborted message"

    def test_an_open_transaction_does_not_hold_a_bounded_run(
        self, kafka_broker: KafkaBroker, topic: Topics, producer: Producer
    ) -> None:
        name = topic()
        kafka_broker.produce(name, [(None, b"a")])
        self.send(producer, name, b"open")
        ledger = MemoryLedger()
        first = read_to_end(source_of(kafka_broker, name), ledger)
        ledger.settle(first.batches)
        assert first.all_values() == [b"a"]
        producer.commit_transaction(30)
        assert read_to_end(source_of(kafka_broker, name), ledger).all_values() == [b"open"]

    def test_a_streaming_reader_covers_markers_too(
        self, kafka_broker: KafkaBroker, topic: Topics, producer: Producer
    ) -> None:
        name = topic()
        self.send(producer, name, b"a")
        producer.commit_transaction(30)
        with reading(source_of(kafka_broker, name, streaming=True)) as reader:
            read = until(reader, lambda read: list(read.ends().values()) == [2])
        assert read.all_values() == [b"a"]


class TestHoles:
    def test_what_compaction_removed_is_covered(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        compact = {
            "cleanup.policy": "compact",
            "segment.ms": "100",
            "min.cleanable.dirty.ratio": "0.01",
            "max.compaction.lag.ms": "100",
        }
        name = topic(config=compact)
        kafka_broker.produce(name, [(b"%d" % (n % 5), b"%06d" % n) for n in range(200)])
        source = source_of(kafka_broker, name)
        produced = 200
        deadline = time.monotonic() + 60
        while (read := read_to_end(source)).records > 100:
            assert time.monotonic() < deadline, "the broker did not compact"
            # A closed segment is compacted; one is closed by a message after segment.ms.
            kafka_broker.produce(name, [(b"%d" % (produced % 5), b"%06d" % produced)])
            produced += 1
        assert set(values(produced)[-5:]) <= set(read.all_values()), "the last of every key"
        assert set(read.ends().values()) == {produced}
        assert read.batches[0].span.start == 0

    def test_offsets_deleted_before_they_were_read_are_skipped_and_reported(
        self, kafka_broker: KafkaBroker, topic: Topics, caplog: pytest.LogCaptureFixture
    ) -> None:
        name = topic()
        kafka_broker.produce(name, numbered(100))
        source = source_of(kafka_broker, name)
        (label,) = read_to_end(source).ends()
        kafka_broker.delete_records(name, {0: 60})
        ledger = MemoryLedger({(f"kafka://{name}", label): Coverage(((0, 40),))})
        metrics.reset()
        read = read_to_end(source, ledger)
        assert read.all_values() == values(40, first=60)
        (failure,) = [f for batch in read.batches for f in batch.failures]
        assert (failure.category, failure.origin.offset) == ("offsets_expired", 40)
        assert failure.message == f"offsets 40–59 of {name}/0 were deleted before they were read"
        assert read.batches[0].span.start == 40
        assert metrics.tally()["skipped_offsets"] == 20
        assert failure.message in caplog.text

    def test_deleted_between_the_look_and_the_fetch(
        self, kafka_broker: KafkaBroker, topic: Topics, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name = topic()
        kafka_broker.produce(name, numbered(100))
        bounds_of = Cluster.bounds
        deleted = False

        def bounds(self: Cluster, places: Any) -> Any:
            nonlocal deleted
            answer = bounds_of(self, places)
            if not deleted:
                deleted = True
                kafka_broker.delete_records(name, {0: 30})
            return answer

        monkeypatch.setattr(Cluster, "bounds", bounds)
        source = source_of(kafka_broker, name)
        read = read_to_end(source, split=Split(source.uri, "0/1"))
        assert read.all_values() == values(70, first=30)
        (failure,) = [f for batch in read.batches for f in batch.failures]
        assert "offsets 0–29" in failure.message

    def test_everything_deleted_is_one_skipped_range_up_to_the_end(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic()
        kafka_broker.produce(name, numbered(10))
        source = source_of(kafka_broker, name)
        (label,) = read_to_end(source).ends()
        kafka_broker.delete_records(name, {0: -1})
        ledger = MemoryLedger({(f"kafka://{name}", label): Coverage(((0, 4),))})
        (batch,) = read_to_end(source, ledger).batches
        assert (batch.span.start, batch.span.end, batch.read) == (4, 10, 1)

    def test_a_first_start_at_earliest_skips_nothing(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic()
        kafka_broker.produce(name, numbered(10))
        kafka_broker.delete_records(name, {0: 6})
        read = read_to_end(source_of(kafka_broker, name))
        assert read.all_values() == values(4, first=6)
        assert not [f for batch in read.batches for f in batch.failures]


class TestTopicsChange:
    def test_a_topic_created_again_between_runs_is_read_from_its_beginning(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic()
        source = source_of(kafka_broker, name)
        ledger = MemoryLedger()
        kafka_broker.produce(name, numbered(10))
        old = read_to_end(source, ledger)
        ledger.settle(old.batches)
        kafka_broker.delete_topic(name)
        kafka_broker.create_topic(name)
        kafka_broker.produce(name, numbered(3, first=50))
        new = read_to_end(source, ledger)
        assert new.all_values() == values(3, first=50)
        assert set(new.ends()).isdisjoint(old.ends())
        again = read_to_end(source, position=old.position)
        assert again.batches == [], "a position of the old topic says nothing of the new one"

    def test_a_topic_created_again_while_it_is_read(
        self, kafka_broker: KafkaBroker, topic: Topics, caplog: pytest.LogCaptureFixture
    ) -> None:
        name = topic()
        source = source_of(kafka_broker, name, streaming=True, discovery_interval=0.3)
        kafka_broker.produce(name, numbered(10))
        with reading(source) as reader:
            read = until(reader, lambda read: read.records == 10)
            kafka_broker.delete_topic(name)
            kafka_broker.create_topic(name)
            kafka_broker.produce(name, numbered(3, first=50))
            until(reader, lambda read: read.records == 13, read)
        assert set(values(3, first=50)) <= set(read.all_values())
        assert len(read.ends()) == 2
        assert f"topic {name} was deleted" in caplog.text

    def test_a_topic_deleted_in_a_bounded_run_stops_it(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic()
        kafka_broker.produce(name, numbered(10))
        source = source_of(kafka_broker, name)
        with reading(source) as reader:
            read = until(reader, lambda read: bool(read.position) or read.done)
            position = tuple(
                (at, 3 if not at.startswith("end:") else 10) for at, _ in read.position
            )
        kafka_broker.delete_topic(name)
        with (
            reading(source, position=position) as reader,
            pytest.raises(SourceUnavailable, match=f"topic {name} does not exist"),
        ):
            until(reader, lambda read: read.done)

    def test_new_partitions_are_read_from_their_beginning(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic(partitions=2)
        query = "?start=latest&splits=2"
        source = source_of(kafka_broker, name, query, streaming=True, discovery_interval=0.3)
        _, odd = source.splits(MemoryLedger())
        with reading(source, split=odd) as reader:
            read = until(reader, lambda read: bool(read.batches))
            kafka_broker.add_partitions(name, 4)
            kafka_broker.produce(name, [(None, b"%d" % p, p) for p in range(4)])
            until(reader, lambda read: read.records == 2, read)
            assert read.values() == {(name, 1): [b"1"], (name, 3): [b"3"]}

    def test_a_new_topic_of_a_pattern_is_read(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic()
        source = source_of(
            kafka_broker, f"^{name}.*", "?start=latest", streaming=True, discovery_interval=0.3
        )
        with reading(source) as reader:
            read = until(reader, lambda read: bool(read.batches))
            kafka_broker.create_topic(f"{name}-more")
            kafka_broker.produce(f"{name}-more", numbered(5))
            until(reader, lambda read: read.records == 5, read)


class TestStart:
    def test_at_a_time(self, kafka_broker: KafkaBroker, topic: Topics) -> None:
        name = topic(partitions=2, config={"retention.ms": "-1"})
        kafka_broker.produce(name, [(None, b"%d" % n, 0, 1_000_000 + n) for n in range(10)])
        kafka_broker.produce(name, [(None, b"old", 1, 1_000)])
        read = read_to_end(source_of(kafka_broker, name, "?start=timestamp:1000007"))
        assert read.all_values() == [b"7", b"8", b"9"]
        assert {label[0]: end for label, end in read.ends().items()} == {"0": 10, "1": 1}

    def test_where_the_group_stands_if_the_ledger_knows_nothing(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic(partitions=2)
        kafka_broker.produce(name, [(None, b"%d" % n, n % 2) for n in range(10)])
        group = f"group-{name}"
        commit_offsets(kafka_broker, group, {(name, 0): 3})
        read = read_to_end(source_of(kafka_broker, name, f"?group={group}"))
        assert read.values() == {(name, 0): [b"6", b"8"], (name, 1): [b"1", b"3", b"5", b"7", b"9"]}


class TestOutage:
    def test_a_broker_that_is_away_for_a_while_costs_nothing(
        self, kafka_broker: KafkaBroker, topic: Topics, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name = topic(partitions=2)
        source = source_of(kafka_broker, name, streaming=True, discovery_interval=0.5)
        source = replace(source, answer_timeout=1.0)
        kafka_broker.produce(name, [(None, b"%d" % n, n % 2) for n in range(100)])
        with reading(source) as reader:
            read = until(reader, lambda read: read.records == 100)
            kafka_broker.stop()
            takes = counted(monkeypatch, Fetcher, "take")
            for _ in range(25):
                read.add(reader.poll(0.2))
            assert len(takes) <= 25 * 1_000, "no busy loop"
            kafka_broker.start()
            kafka_broker.produce(name, [(None, b"%d" % n, n % 2) for n in range(100, 200)])
            until(reader, lambda read: read.records == 200, read)
        assert sorted(map(int, read.all_values())) == list(range(200))

    def test_a_bounded_run_goes_on_when_the_broker_is_back(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic()
        kafka_broker.produce(name, numbered(1_000))
        source = source_of(kafka_broker, name, answer_timeout=0.5)
        kafka_broker.stop()
        with reading(source) as reader:
            assert not reader.poll(0.5).batches
            kafka_broker.start()
            read = until(reader, lambda read: read.done)
        assert read.all_values() == values(1_000)


_PRODUCE_HEADER = """
import ctypes, glob, pathlib, sys
import confluent_kafka
bootstrap, topic, value, name = (each.encode("latin-1") for each in sys.argv[1:])
folder = pathlib.Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
(path,) = glob.glob(str(folder / "librdkafka*.so*"))
lib, pointer = ctypes.CDLL(path), ctypes.c_void_p
lib.rd_kafka_conf_new.restype = lib.rd_kafka_new.restype = pointer
settings, error = pointer(lib.rd_kafka_conf_new()), ctypes.create_string_buffer(512)
assert lib.rd_kafka_conf_set(settings, b"bootstrap.servers", bootstrap, error, 512) == 0
client = pointer(lib.rd_kafka_new(0, settings, error, 512))
tag, text, size = ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t
# rd_kafka_vtype_t: 1 topic, 4 value, 9 header, 0 the end
sent = lib.rd_kafka_producev(
    client, tag(1), text(topic), tag(4), text(value), size(len(value)),
    tag(9), text(name), text(b"x"), ctypes.c_ssize_t(1), tag(0),
)
assert (sent, lib.rd_kafka_flush(client, 10_000)) == (0, 0)
"""


def _produce_header(bootstrap: str, topic: str, value: bytes, name: bytes) -> None:
    """Send a header whose name is not UTF-8, which only the C library itself can do."""
    arguments = [bootstrap, topic, value.decode("latin-1"), name.decode("latin-1")]
    subprocess.run([sys.executable, "-c", _PRODUCE_HEADER, *arguments], check=True, timeout=30)
