"""Questions to a cluster, and the connection that each process has of its own."""

from __future__ import annotations

import pytest

from sources.kafka.source import KafkaSource
from tests.services.kafka_broker import KafkaBroker, Topics
from tests.transforms.test_per_process import in_child

pytestmark = pytest.mark.integration


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
class TestFork:
    def test_a_forked_process_asks_by_a_connection_of_its_own(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic(partitions=3)
        source = KafkaSource(f"kafka://{kafka_broker.bootstrap}/{name}?group=g-{name}")

        def answers() -> bool:
            places = [(name, number) for number in range(3)]
            topics = source.cluster.topics(source.address)
            source.cluster.commit({(name, 0): 0}, f"g-{name}")
            committed = source.cluster.committed(places, f"g-{name}")
            bounds = source.cluster.bounds(places)
            return (
                set(topics.labels) == set(places)
                and committed == {(name, 0): 0}
                and bounds == dict.fromkeys(places, (0, 0))
            )

        assert answers()
        assert in_child(answers)
        assert answers(), "the parent's connection outlives its child"
