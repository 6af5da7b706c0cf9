"""What must hold once a topic has been ingested: every record once, a ledger without gaps."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import psycopg
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from benchmarks.kafka.ingestion import Ingestion
from pipelines.audit import verdicts

T = TypeVar("T")

Offsets = dict[int, int]
"""By partition."""

PATIENCE_SECONDS = 120.0
ANSWER_SECONDS = 30.0
POLL_SECONDS = 0.1

_PASSING = frozenset(
    # What a broker says for a moment after partitions were added or it was started again.
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
    """What the broker answers once nothing of ``_PASSING`` is in the way."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in _PASSING or time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.5, 1.5) * POLL_SECONDS)


def ends(bootstrap: str, topic: str) -> Offsets:
    """The high watermark of every partition; nothing may have been deleted."""
    found: Offsets = {}
    with _client(bootstrap, "checks") as consumer:
        topics = _answer(lambda: consumer.list_topics(topic, timeout=ANSWER_SECONDS).topics)
        for partition in topics[topic].partitions:
            place = TopicPartition(topic, partition)
            marks = _answer(partial(consumer.get_watermark_offsets, place, ANSWER_SECONDS))
            assert marks is not None
            assert marks[0] == 0, f"{topic}/{partition} begins at {marks[0]}"
            found[partition] = marks[1]
    return found


def committed(bootstrap: str, topic: str, group: str, partitions: int) -> Offsets:
    """What ``group`` has committed; a partition without an offset is left out."""
    asked = [TopicPartition(topic, partition) for partition in range(partitions)]
    with _client(bootstrap, group) as consumer:
        found = _answer(lambda: consumer.committed(asked, timeout=ANSWER_SECONDS))
    return {each.partition: each.offset for each in found if each.offset >= 0}


def settled(dsn: str, topic: str) -> Offsets:
    """First offset of each partition that the ledger lacks."""
    found: Offsets = {}
    for verdict in verdicts(dsn, None):
        progress = verdict.progress
        if progress.source == f"kafka://{topic}" and progress.coverage.ranges:
            low, high = progress.coverage.ranges[0]
            found[partition_of(progress.partition)] = high if low == 0 else 0
    return found


def partition_of(label: str) -> int:
    """The number in the ledger's ``NUMBER@TOPIC_ID``."""
    return int(label.partition("@")[0])


def await_settled(dsn: str, topic: str, until: Mapping[int, int], ingestion: Ingestion) -> float:
    """Wait until the ledger has everything below ``until``; returns the seconds it took."""
    started = time.monotonic()
    wanted = {partition: end for partition, end in until.items() if end}
    while True:
        found = settled(dsn, topic)
        if all(found.get(partition, 0) >= end for partition, end in wanted.items()):
            return time.monotonic() - started
        ingestion.check()
        lag = sum(wanted.values()) - sum(found.values())
        waited = time.monotonic() - started
        assert waited < PATIENCE_SECONDS, f"lag still {lag} after {waited:.0f} s: {found}"
        time.sleep(POLL_SECONDS)


def audited(dsn: str, topic: str, until: Mapping[int, int]) -> dict[str, int]:
    """Run ``pipelines.audit --json`` and hold it against the topic; returns its sums.

    Every partition of the topic is covered from 0 to its end without a gap, and as many
    records were read as were produced.
    """
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.audit", "--sink", dsn, "--json"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"audit ended with {done.returncode}: {done.stdout}"
    found: list[dict[str, Any]] = json.loads(done.stdout)
    ours = [each for each in found if each["source"] == f"kafka://{topic}"]
    assert len(ours) == len(found), f"unknown sources in the ledger: {found}"
    ranges = {partition_of(each["partition"]): each["ranges"] for each in ours}
    wanted = {partition: [[0, end]] for partition, end in until.items() if end}
    assert {number: each for number, each in ranges.items() if each} == wanted, ranges
    for each in ours:
        assert each["ok"], each
        assert not each["gaps"], each
        assert each["conserved"], each
    names = ("read", "inserted", "updated", "duplicates", "dead", "retrying", "filtered")
    sums = {name: sum(each[name] for each in ours) for name in names}
    assert sums["read"] == sum(until.values()), f"{sums} of {sum(until.values())} produced"
    return sums


def count_applications(dsn: str, table: str, number: str) -> None:
    """Note every row that is ever offered to ``table``, whatever its key does to it.

    The trigger fires before a conflict is looked for and its note is part of the transaction,
    so a record that was applied twice is noted twice though the table has it once.

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
    """Fail unless the events 0 … ``sent`` - 1 are there, each in one row.

    Args:
        dsn: The database.
        table: The table.
        number: SQL for the number of the event.
        sent: How many there are.
    """
    query = f"SELECT count(*), count(DISTINCT n), min(n), max(n) FROM (SELECT {number} n FROM {table}) t"
    with psycopg.connect(dsn) as connection:
        found = connection.execute(query).fetchone()
    wanted = (sent, sent, 0, sent - 1)
    assert found == wanted, f"{table}: rows, distinct, least, greatest {found}, not {wanted}"
