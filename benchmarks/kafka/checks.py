"""Checks of an ingested topic: every record is there once, and the ledger has no gaps."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import psycopg
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from benchmarks.commands import audit
from benchmarks.kafka.ingestion import Ingestion
from benchmarks.kafka.services import Services
from sinks.database.database import Database
from sinks.ledger import ledger

T = TypeVar("T")

Offsets = dict[int, int]
"""By partition."""

PATIENCE_SECONDS = 120.0
ANSWER_SECONDS = 30.0
POLL_SECONDS = 0.1

_PASSING = frozenset(
    # Errors that pass a moment after partitions were added or the broker was restarted.
    (
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError._TRANSPORT,
        KafkaError._TIMED_OUT,
        KafkaError._UNKNOWN_PARTITION,
    )
)


@contextmanager
def _client(bootstrap: str, group: str) -> Iterator[Consumer]:
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False}
    )
    try:
        yield consumer
    finally:
        consumer.close()


def _answer(ask: Callable[[], T]) -> T:
    """What the broker answers; errors of ``_PASSING`` are retried."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in _PASSING or time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.5, 1.5) * POLL_SECONDS)


def ends(bootstrap: str, topic: str) -> Offsets:
    """The end offset of every partition; fails if anything was deleted."""
    high: Offsets = {}
    with _client(bootstrap, "checks") as consumer:
        topics = _answer(lambda: consumer.list_topics(topic, timeout=ANSWER_SECONDS).topics)
        for partition in topics[topic].partitions:
            place = TopicPartition(topic, partition)
            marks = _answer(partial(consumer.get_watermark_offsets, place, ANSWER_SECONDS))
            assert marks is not None
            assert marks[0] == 0, f"{topic}/{partition} begins at {marks[0]}"
            high[partition] = marks[1]
    return high


def committed(bootstrap: str, topic: str, group: str, partitions: int) -> Offsets:
    """The offsets that ``group`` has committed; a partition without one is left out."""
    places = [TopicPartition(topic, partition) for partition in range(partitions)]
    with _client(bootstrap, group) as consumer:
        positions = _answer(lambda: consumer.committed(places, timeout=ANSWER_SECONDS))
    return {each.partition: each.offset for each in positions if each.offset >= 0}


def settled(dsn: str, topic: str) -> Offsets:
    """The first offset of each partition that the ledger lacks."""
    reached: Offsets = {}
    for progress in ledger.audit(Database(dsn)):
        if progress.source == f"kafka://{topic}" and progress.coverage.ranges:
            low, high = progress.coverage.ranges[0]
            reached[partition_of(progress.partition)] = high if low == 0 else 0
    return reached


def partition_of(label: str) -> int:
    """The number in the ledger's ``NUMBER@TOPIC_ID``."""
    return int(label.partition("@")[0])


def await_settled(dsn: str, topic: str, until: Mapping[int, int], ingestion: Ingestion) -> float:
    """Wait until the ledger has everything before ``until``; returns the seconds it took."""
    started = time.monotonic()
    targets = {partition: end for partition, end in until.items() if end}
    while True:
        reached = settled(dsn, topic)
        if all(reached.get(partition, 0) >= end for partition, end in targets.items()):
            return time.monotonic() - started
        ingestion.check()
        lag = sum(targets.values()) - sum(reached.values())
        waited = time.monotonic() - started
        assert waited < PATIENCE_SECONDS, f"lag still {lag} after {waited:.0f} s: {reached}"
        time.sleep(POLL_SECONDS)


def audited(dsn: str, topic: str, until: Mapping[int, int]) -> dict[str, int]:
    """Compare ``pipelines.audit`` with the topic; returns the sums of its counts.

    Every partition of the topic must be covered from 0 to its end without a gap, and as many
    records read as were produced.
    """
    partitions = audit(dsn)
    of_topic = [partition for partition in partitions if partition["source"] == f"kafka://{topic}"]
    assert len(of_topic) == len(partitions), f"unknown sources in the ledger: {partitions}"
    ranges = {partition_of(partition["partition"]): partition["ranges"] for partition in of_topic}
    expected = {partition: [[0, end]] for partition, end in until.items() if end}
    assert {number: partition for number, partition in ranges.items() if partition} == expected, (
        ranges
    )
    for partition in of_topic:
        assert partition["ok"], partition
        assert not partition["gaps"], partition
        assert partition["conserved"], partition
    names = ("read", "inserted", "updated", "duplicates", "dead", "retrying", "filtered")
    sums = {name: sum(partition[name] for partition in of_topic) for name in names}
    assert sums["read"] == sum(until.values()), f"{sums} of {sum(until.values())} produced"
    return sums


def count_applications(dsn: str, table: str, number: str) -> None:
    """Note every row that is ever offered to ``table``, whatever becomes of it.

    The trigger fires before conflicts are detected, and its note is part of the transaction, so a
    record that was applied twice is noted twice, although the table has it once.

    Args:
        dsn: The database.
        table: The table.
        number: SQL for the number of the event in ``NEW``.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE applied (number bigint)")
        connection.execute(
            "CREATE FUNCTION note_applied() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"INSERT INTO applied VALUES ({number}); RETURN NEW; END $$"
        )
        connection.execute(
            f"CREATE TRIGGER note_applied BEFORE INSERT ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION note_applied()"
        )


def each_once(dsn: str, table: str, number: str, sent: int) -> None:
    """Fail unless the events 0 to ``sent`` - 1 are there, each in one row.

    Args:
        dsn: The database.
        table: The table.
        number: SQL for the number of the event.
        sent: How many events there are.
    """
    query = f"SELECT count(*), count(DISTINCT n), min(n), max(n) FROM (SELECT {number} n FROM {table}) t"
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query).fetchone()
    expected = (sent, sent, 0, sent - 1)
    assert row == expected, f"{table}: rows, distinct, least, greatest {row}, not {expected}"


def all_applied_once(
    servers: Services, topic: str, table: str, number: str, group: str, sent: int
) -> int:
    """Fail unless the whole topic was applied once, without a gap, and the group is at its end.

    Args:
        servers: The broker and the database, whose table has ``count_applications``.
        topic: What was read.
        table: What was written.
        number: SQL for the number of the event.
        group: The consumer group.
        sent: How many events were sent.

    Returns:
        How many records were read.
    """
    until = ends(servers.broker.bootstrap, topic)
    assert sum(until.values()) == sent, f"{sum(until.values())} in the topic, {sent} sent"
    each_once(servers.dsn, table, number, sent)
    each_once(servers.dsn, "applied", "number", sent)
    sums = audited(servers.dsn, topic, until)
    assert sums["inserted"] == sent, sums
    offsets = committed(servers.broker.bootstrap, topic, group, len(until))
    assert offsets == until, f"the group stands at {offsets}, the ends are {until}"
    return sums["read"]
