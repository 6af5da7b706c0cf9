"""Questions to a cluster, and the connection that each process has of its own."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer

from sources.kafka.cluster import Topics, fingerprint
from tests.io.sources.kafka.messages.test_batches import message
from tests.io.sources.kafka.reading import source_of
from tests.services.kafka_broker import KafkaBroker
from tests.services.kafka_broker import Topics as NewTopic
from tests.transforms.forks import in_child


class TestTopics:
    def test_the_ids_are_those_of_the_labels(self) -> None:
        labels = {("a", 0): "0@A", ("a", 1): "1@A", ("b", 0): "0"}
        assert Topics(labels).ids == {"a": "A", "b": ""}

    def test_a_partition_of_an_earlier_topic_does_not_exist_any_more(self) -> None:
        topics = Topics({("a", 0): "0@A", ("b", 0): "0"})
        assert topics.has(("a", 0), "0@A")
        assert not topics.has(("a", 0), "0@old")
        assert not topics.has(("a", 1), "1@A")
        assert topics.has(("a", 0), "0"), "a missing id proves nothing"
        assert topics.has(("b", 0), "0@A")


def test_messages_differ_by_time_key_or_value() -> None:
    fingerprints = {
        fingerprint(message(0, b"v", key=b"k", timestamp=(1, 5))),
        fingerprint(message(0, b"v", key=b"k", timestamp=(1, 6))),
        fingerprint(message(0, b"v", key=b"l", timestamp=(1, 5))),
        fingerprint(message(0, None, key=b"k", timestamp=(1, 5))),
    }
    assert len(fingerprints) == 4
    assert fingerprint(message(3, b"v", key=b"k", timestamp=(1, 5))) in fingerprints


@pytest.mark.integration
class TestQuestions:
    def test_offsets(self, kafka_broker: KafkaBroker, topic: NewTopic) -> None:
        name = topic(partitions=2, config={"retention.ms": "-1"})
        kafka_broker.produce(name, [(None, b"%d" % n, 0, 1_000 + n) for n in range(10)])
        kafka_broker.produce(name, [(None, b"old", 1, 1)])
        kafka_broker.delete_records(name, {0: 4})
        source = source_of(kafka_broker, name)
        cluster, places = source.cluster, [(name, 0), (name, 1)]
        assert cluster.bounds(places) == {(name, 0): (4, 10), (name, 1): (0, 1)}
        retained = sorted(cluster.retained(source.address).items())
        assert [(source, label[:2]) for (source, label), _ in retained] == [
            (f"kafka://{name}", "0@"),
            (f"kafka://{name}", "1@"),
        ]
        assert [bounds for _, bounds in retained] == [(4, 10), (0, 1)]
        assert cluster.offsets_at_time(places, 1_007) == {(name, 0): 7, (name, 1): -1}
        assert cluster.committed(places, f"g-{name}") == {}
        assert (cluster.bounds([]), cluster.log_ends([])) == ({}, {})

    def test_the_end_of_the_log_counts_messages_that_are_not_committed(
        self, kafka_broker: KafkaBroker, topic: NewTopic
    ) -> None:
        name = topic()
        producer = Producer(
            {"bootstrap.servers": kafka_broker.bootstrap, "transactional.id": name, "log_level": 0}
        )
        producer.init_transactions(30)
        producer.begin_transaction()
        producer.produce(name, b"open")
        assert producer.flush(30) == 0
        cluster = source_of(kafka_broker, name).cluster
        assert cluster.bounds([(name, 0)]) == {(name, 0): (0, 0)}
        assert cluster.log_ends([(name, 0)]) == {(name, 0): 1}
        producer.abort_transaction(30)

    def test_records_are_told_apart_by_what_they_hold(
        self, kafka_broker: KafkaBroker, topic: NewTopic
    ) -> None:
        name = topic(config={"retention.ms": "-1"})
        kafka_broker.produce(name, [(b"k", b"v%d" % n, 0, 1_000 + n) for n in range(5)])
        records = source_of(kafka_broker, name).cluster.records((name, 0), 2, 4)
        assert {offset: records[offset] for offset in (2, 3)} == {
            2: (1_002, b"k", b"v2"),
            3: (1_003, b"k", b"v3"),
        }

    def test_ids_are_those_of_topics_that_exist(
        self, kafka_broker: KafkaBroker, topic: NewTopic
    ) -> None:
        name = topic()
        source = source_of(kafka_broker, name)
        ids = source.cluster.ids([name, f"{name}-missing"])
        assert ids == source.cluster.topics(source.address).ids
        assert len(ids[name]) == 22


@pytest.mark.integration
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
class TestFork:
    def test_a_forked_process_asks_by_a_connection_of_its_own(
        self, kafka_broker: KafkaBroker, topic: NewTopic
    ) -> None:
        name = topic(partitions=3)
        kafka_broker.produce(name, [(None, b"x", number) for number in range(3)])
        source = source_of(kafka_broker, name, f"?group=g-{name}")

        def answers() -> bool:
            places = [(name, number) for number in range(3)]
            topics = source.cluster.topics(source.address)
            source.cluster.commit({(name, 0): 0}, f"g-{name}")
            committed = source.cluster.committed(places, f"g-{name}")
            bounds = source.cluster.bounds(places)
            return (
                set(topics.labels) == set(places)
                and committed == {(name, 0): 0}
                and bounds == dict.fromkeys(places, (0, 1))
            )

        assert answers()
        assert in_child(answers)
        assert answers(), "the parent's connection outlives its child"
