"""Each process commits the offsets of what it has settled, and of nothing else."""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer

from sources.kafka.source import KafkaSource
from tests.io.sources.kafka.reading import source_of
from tests.services.kafka_broker import KafkaBroker, Topics
from tests.transforms.forks import in_child
from tests.waiting import wait_until
from transforms.batch.record import Span
from transforms.errors import ConfigError
from transforms.settle.acknowledge import ACKNOWLEDGERS, flush

pytestmark = pytest.mark.integration

SECONDS = 60.0
"""More than a child that hangs is given."""


def committed(source: KafkaSource) -> dict[int, int]:
    """The group's offsets by partition, as the cluster has them."""
    cluster, group = source.cluster, str(source.address.group)
    places = cluster.topics(source.address).labels
    return {number: at for (_, number), at in cluster.committed(places, group).items()}


@pytest.fixture
def source(kafka_broker: KafkaBroker, topic: Topics) -> KafkaSource:
    name = topic(partitions=2)
    kafka_broker.produce(name, [(None, b"x", number % 2) for number in range(20)])
    return source_of(kafka_broker, name, f"?group=g-{name}")


def note(source: KafkaSource, partition: int, end: int) -> None:
    (topic,) = source.address.topics
    acknowledger = ACKNOWLEDGERS.get(source)
    assert acknowledger is not None, "the source names a group"
    acknowledger.note(Span(f"kafka://{topic}", f"{partition}@id", 0, end))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
class TestFork:
    def test_a_forked_process_commits_what_it_settles(self, source: KafkaSource) -> None:
        note(source, 0, 5)
        flush(SECONDS)

        def commits() -> bool:
            note(source, 1, 7)
            flush(SECONDS)
            return True

        assert in_child(commits)
        assert committed(source) == {0: 5, 1: 7}

    def test_a_forked_process_leaves_to_its_parent_what_the_parent_has_not_committed_yet(
        self, source: KafkaSource
    ) -> None:
        note(source, 0, 5)
        flush(SECONDS)
        note(source, 0, 8)  # waits for the interval to end

        def flushes() -> bool:
            flush(SECONDS)
            return True

        assert in_child(flushes), "there is nothing to wait for"
        flush(SECONDS)
        assert committed(source) == {0: 8}


class TestMembers:
    @pytest.mark.parametrize("protocol", ["classic", "consumer"])
    def test_a_group_with_members_of_its_own_is_said_to_have_them(
        self,
        kafka_broker: KafkaBroker,
        source: KafkaSource,
        protocol: str,
    ) -> None:
        (name,), group = source.address.topics, str(source.address.group)
        member = Consumer(
            {
                "bootstrap.servers": kafka_broker.bootstrap,
                "group.id": group,
                "group.protocol": protocol,
                "log_level": 0,
            }
        )
        try:
            member.subscribe([name])
            wait_until(lambda: member.poll(0.1) or member.assignment(), "an assignment")
            with pytest.raises(ConfigError, match=f"group {group} .* has members of its own"):
                source.cluster.commit({(name, 0): 1}, group)
        finally:
            member.close()
