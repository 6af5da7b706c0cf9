"""librdkafka's mock cluster: a Kafka of protocol handlers inside a client, up in 50 ms, no Java.

For tests of a client's own logic. It serves metadata, produce, fetch, offsets and consumer
groups from memory. A topic comes to be with its first use and has ``PARTITIONS`` partitions;
there is no admin API (no create, delete, more partitions, delete records), no retention and
no compaction: those need a real broker (``kafka_broker``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka.admin import AdminClient

PARTITIONS = 4  # librdkafka's default for the mock (src/rdkafka_mock.c); not configurable here


@contextmanager
def mock_cluster(brokers: int = 1) -> Iterator[str]:
    """The ``bootstrap.servers`` of a mock cluster that lives as long as the context."""
    # The mock belongs to this client and ends with it; its own bootstrap is replaced.
    host = AdminClient(
        {"bootstrap.servers": "mock", "test.mock.num.brokers": brokers, "log_level": 0}
    )
    try:
        metadata = host.list_topics(timeout=10).brokers.values()
        yield ",".join(f"{broker.host}:{broker.port}" for broker in metadata)
    finally:
        del host
