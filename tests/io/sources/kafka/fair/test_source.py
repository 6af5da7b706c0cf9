"""``--fair`` on topics: what is refused, and whole reads of librdkafka's mock cluster."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from confluent_kafka import Producer

from sources.by_uri import SourceOptions, source_for
from sources.files.csv.options import CsvOptions
from sources.files.json.options import JsonOptions
from sources.kafka.fair.reader import FairReader
from sources.kafka.reader import KafkaReader
from sources.kafka.source import KafkaSource
from tests.io.sources.kafka.reading import only_split, source_of
from tests.io.sources.reading import MemoryLedger
from tests.services.kafka_broker import KafkaBroker, Topics
from tests.services.kafka_mock import PARTITIONS, mock_cluster
from tests.services.kafka_produce import produce
from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits, Position
from transforms.errors import ConfigError

URI = "kafka://127.0.0.1:9/t"


class TestOption:
    def test_a_topic_takes_a_field_or_the_key(self) -> None:
        for field in ("tenant", "@key"):
            source = source_for(URI, SourceOptions(fair=field))
            assert isinstance(source, KafkaSource)
            assert source.fair == field

    def test_an_array_may_be_among_the_messages(self) -> None:
        source_for(URI, SourceOptions(fair="tenant", keyed=True))

    def test_files_have_no_tenants(self) -> None:
        with pytest.raises(ConfigError, match=r"--fair is for topics of Kafka; \./a is not one"):
            source_for("./a", SourceOptions(fair="tenant"))

    @pytest.mark.parametrize(
        "options",
        [
            SourceOptions(format="text"),
            SourceOptions(format="csv", csv=CsvOptions(columns=("tenant",))),
            SourceOptions(json=JsonOptions.of(layout="lines", path="")),
            SourceOptions(json=JsonOptions.of(layout="auto", path="items")),
        ],
    )
    def test_a_field_is_one_of_messages_that_are_objects(self, options: SourceOptions) -> None:
        with pytest.raises(ConfigError, match=r"--fair tenant: .*--fair @key takes the keys"):
            source_for(URI, replace(options, fair="tenant"))
        source_for(URI, replace(options, fair="@key"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    with mock_cluster() as bootstrap:
        yield bootstrap


def read(
    source: KafkaSource, ledger: MemoryLedger, polls: int = 10_000, position: Position = ()
) -> tuple[list[RecordBatch], Position, bool]:
    """What so many polls return, settled in the ledger."""
    reader = source.open(only_split(source, ledger), position, ledger)
    assert isinstance(reader, FairReader)
    batches: list[RecordBatch] = []
    done = False
    while polls and not done:
        polled = reader.poll(1.0)
        batches += polled.batches
        ledger.settle(polled.batches)
        position, done = polled.position, polled.done
        polls -= 1
    reader.close()
    return batches, position, done


def tenants_by_partition(batches: list[RecordBatch]) -> dict[tuple[str, bytes], list[bytes]]:
    """The messages of each tenant of each partition, in the order in which they were read."""
    messages: dict[tuple[str, bytes], list[bytes]] = {}
    for batch in batches:
        for raw, key in zip(batch.raws, batch.keys or [], strict=True):
            messages.setdefault((batch.span.partition, key or b""), []).append(raw)
    return messages


@pytest.mark.parametrize("field", ["tenant", "@key"])
def test_a_topic_is_read_whole_and_each_tenant_in_order(cluster: str, field: str) -> None:
    topic, rng = f"whole-{field.strip('@')}", random.Random(3)
    tenants = rng.choices([b"a", b"b", b"c"], [90, 8, 2], k=4_000)
    produced = [
        (tenant, b'{"n":%d,"tenant":"%s"}' % (n, tenant), n % PARTITIONS)
        for n, tenant in enumerate(tenants)
    ]
    produce(cluster, topic, produced)
    source = KafkaSource(f"kafka://{cluster}/{topic}", fair=field, limits=BatchLimits(records=300))
    ledger = MemoryLedger()
    batches, _, done = read(source, ledger)
    assert done
    assert {cover.ranges for cover in ledger.coverages.values()} == {((0, 1_000),)}
    expected: dict[tuple[str, bytes], list[bytes]] = {}
    for tenant, raw, number in produced:
        expected.setdefault((str(number), tenant), []).append(raw)
    assert tenants_by_partition(batches) == expected
    firsts = [(batch.span.start, batch.span.end) for batch in batches[: 2 * PARTITIONS]]
    assert firsts.count((0, 0)) >= 1, "the beginning is settled before anything else"


@pytest.mark.parametrize("keeps_position", [True, False])
def test_a_reader_that_is_gone_leaves_nothing_out(cluster: str, keeps_position: bool) -> None:
    topic, rng = f"gone-{keeps_position}", random.Random(4)
    tenants = rng.choices([b"a", b"b"], [95, 5], k=4_000)
    produce(cluster, topic, [(tenant, b"{}", n % PARTITIONS) for n, tenant in enumerate(tenants)])
    source = KafkaSource(f"kafka://{cluster}/{topic}", fair="@key")
    ledger, done = MemoryLedger(), False
    position: Position = ()
    for polls in (1, 3, 2, 100):
        _, reached, done = read(source, ledger, polls, position)
        assert not any(cover.ranges[0][0] for cover in ledger.coverages.values())
        position = reached if keeps_position else ()
    assert done
    assert {cover.ranges for cover in ledger.coverages.values()} == {((0, 1_000),)}


def test_what_waits_counts_as_lag(cluster: str) -> None:
    produce(cluster, "lag", [(b"a", b"{}", n % PARTITIONS) for n in range(1_000)])
    source = KafkaSource(f"kafka://{cluster}/lag", fair="@key")
    reader = source.open(only_split(source, MemoryLedger()), (), MemoryLedger())
    returned = sum(batch.read for batch in reader.poll(30.0).batches)
    assert 0 < returned < 1_000
    assert reader.backlog() == 1_000 - returned
    reader.close()


def test_without_it_nothing_stands_between(cluster: str) -> None:
    source = KafkaSource(f"kafka://{cluster}/none")
    reader = source.open(only_split(source, MemoryLedger()), (), MemoryLedger())
    assert isinstance(reader, KafkaReader)
    reader.close()


@pytest.mark.integration
def test_aborted_messages_and_the_markers_of_transactions_are_covered(
    kafka_broker: KafkaBroker, topic: Topics
) -> None:
    name = topic(partitions=1)
    settings = {
        "bootstrap.servers": kafka_broker.bootstrap,
        "transactional.id": name,
        "log_level": 0,
    }
    producer = Producer(settings)
    producer.init_transactions(30)
    for number in range(6):
        producer.begin_transaction()
        for key in b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaab":
            producer.produce(name, b"%d" % number, bytes((key,)))
        assert producer.flush(30) == 0
        if number % 3:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)
    ledger = MemoryLedger()
    batches, _, done = read(source_of(kafka_broker, name, fair="@key"), ledger)
    assert done
    assert sum(len(batch.raws) for batch in batches) == 4 * 30
    # Six markers of an offset each.
    assert [cover.ranges for cover in ledger.coverages.values()] == [((0, 6 * 30 + 6),)]
    assert batches[1].span.start == 0, "what was aborted before the first record is covered with it"
