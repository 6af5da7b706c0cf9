"""Records behind an open transaction: counted, named, and read once it has ended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from tests.io.sources.kafka.reading import Read, read_to_end, reading, source_of, until
from tests.services.kafka_broker import KafkaBroker, Topics
from transforms.read import standing

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def nothing_noted() -> Iterator[None]:
    standing.reset()
    yield
    standing.reset()


@pytest.fixture
def held(kafka_broker: KafkaBroker, topic: Topics) -> Iterator[tuple[str, Producer]]:
    """A topic of three partitions, and its producer: 0 is held back after one record, 1 is empty."""
    name = topic(partitions=3)
    kafka_broker.produce(name, [(None, b"a", 0), (None, b"b", 2)])
    settings = {
        "bootstrap.servers": kafka_broker.bootstrap,
        "transactional.id": name,
        "log_level": 0,
    }
    producer = Producer(settings)
    producer.init_transactions(30)
    producer.begin_transaction()
    for raw in (b"c", b"d"):
        producer.produce(name, raw, partition=0)
    assert producer.flush(30) == 0
    yield name, producer
    if producer.flush(30) == 0:
        producer.abort_transaction(30)


def stands() -> dict[int, tuple[bool, int, int]]:
    return {
        int(each.partition.partition("@")[0]): (each.empty, each.held, each.held_from)
        for each in standing.noted()
    }


def test_a_read_that_ends_leaves_them_and_says_so(
    kafka_broker: KafkaBroker, held: tuple[str, Producer], caplog: pytest.LogCaptureFixture
) -> None:
    name, _ = held
    assert read_to_end(source_of(kafka_broker, name)).all_values() == [b"a", b"b"]
    assert stands() == {0: (False, 2, 1), 1: (True, 0, 0), 2: (False, 0, 0)}
    assert standing.held_back() == 2
    line = f"topic {name} partition 0: 2 offsets behind an open transaction from offset 1"
    assert [text for text in caplog.messages if "transaction" in text] == [
        f"{line}; a later run reads them once it has ended"
    ]


def test_a_read_of_what_is_not_committed_is_not_held_back(
    kafka_broker: KafkaBroker, held: tuple[str, Producer]
) -> None:
    config = (("isolation.level", "read_uncommitted"),)
    read = read_to_end(source_of(kafka_broker, held[0], config=config))
    assert read.all_values() == [b"a", b"b", b"c", b"d"]
    assert standing.held_back() == 0


def test_a_stream_counts_them_as_lag_says_so_and_reads_them_in_the_end(
    kafka_broker: KafkaBroker,
    held: tuple[str, Producer],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sources.kafka.held.AFTER_SECONDS", 0.0)
    name, producer = held
    with reading(source_of(kafka_broker, name, streaming=True)) as reader:
        read = until(reader, lambda read: read.records == 2 and "transaction" in caplog.text)
        assert "from offset 1; they are read once it has ended" in caplog.text
        assert (standing.held_back(), reader.backlog()) == (2, 2)
        producer.commit_transaction(30)
        until(reader, lambda read: read.records == 4, read)
        until(reader, lambda _: standing.held_back() == 0, Read())
    producer.begin_transaction()  # for the fixture to abort


def test_a_stream_says_nothing_of_a_transaction_that_is_short(
    kafka_broker: KafkaBroker, held: tuple[str, Producer], caplog: pytest.LogCaptureFixture
) -> None:
    name, _ = held
    with reading(source_of(kafka_broker, name, streaming=True)) as reader:
        until(reader, lambda _: standing.held_back() == 2)
    assert "transaction" not in caplog.text
