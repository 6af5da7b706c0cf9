"""Whole paths: files in, changes out on a topic, on real databases and a real broker."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from confluent_kafka import Consumer, TopicPartition

from pipelines import command
from pipelines.outbox import main as outbox_main
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.tables import leases
from sinks.sql import SqlSink
from sinks.table.config import SqlConfig
from tests.io.sinks.tested_database import make_batch
from tests.pipelines.commands import ingest
from tests.pipelines.programs import running
from tests.pipelines.tables import query
from tests.services.kafka_broker import KafkaBroker, Topics
from tests.waiting import wait_until
from transforms.errors import Contention

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PARTITIONS = 3


def publishing(url: str, to: str) -> list[str]:
    return ["--sink", url, "--to", to]


def publish(url: str, to: str, *more: str) -> int:
    return command.run("outbox", outbox_main, [*publishing(url, to), *more])


def consumed(broker: KafkaBroker, topic: str) -> list[Any]:
    """Every message there is, partition by partition."""
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap, "group.id": "test", "enable.auto.commit": False}
    )
    messages: list[Any] = []
    try:
        for number in range(PARTITIONS):
            place = TopicPartition(topic, number, 0)
            _, end = consumer.get_watermark_offsets(place, timeout=30)
            consumer.assign([place])
            deadline = time.monotonic() + 30
            left = end
            while left:
                assert time.monotonic() < deadline
                batch = [m for m in consumer.consume(5_000, 1.0) if m.error() is None]
                messages += batch
                left -= len(batch)
        return messages
    finally:
        consumer.close()


def number_of(message: Any) -> int:
    return int(dict(message.headers())["idempotence-id"].split(b":")[1])


def check_all_in_order(broker: KafkaBroker, topic: str, url: str) -> int:
    """Every row is on the topic, those of one key in order; returns how many came again."""
    messages = consumed(broker, topic)
    expected = {number for (number,) in query(url, "SELECT id FROM ingest_outbox")}
    assert {number_of(message) for message in messages} == expected
    first: dict[bytes, dict[int, int]] = defaultdict(dict)  # by key: number and seen
    for message in messages:
        seen = json.loads(message.value())["seen"]
        first[message.key()].setdefault(number_of(message), seen)
    for key, changes in first.items():
        assert list(changes) == sorted(changes), key
        assert list(changes.values()) == sorted(changes.values()), key
    latest = {int(json.loads(key)["id"]): list(of.values())[-1] for key, of in first.items()}
    assert latest == dict(query(url, "SELECT id, seen FROM events"))
    return len(messages) - len(expected)


@pytest.fixture
def table(sink: str) -> SqlSink:
    """A table whose rows are changed again and again; ``seen`` grows."""
    query(sink, "CREATE TABLE events (id integer PRIMARY KEY, seen integer)")
    config = SqlConfig.of(sink, "events", key=["id"], on_conflict="newest:seen")
    table = SqlSink(config, outbox=True)
    table.prepare()
    return table


def change(table: SqlSink, rounds: range, keys: int, *, source: str = "a") -> None:
    """Change every key once a round, in another order each."""
    for number in rounds:
        ids = [(i * 11 + number) % keys for i in range(keys)]
        batch = make_batch([{"id": i, "seen": number} for i in ids], number * keys, source=source)
        while True:
            try:
                table.commit([batch])
                break
            except Contention:
                continue


def alive(table: SqlSink) -> list[str]:
    """The leases that have not run out."""
    with transaction(table.config.database, "test", write=False) as connection:
        now = dialect_of(connection).now(connection)
        names = sa.select(leases.c.name).where(leases.c.expires_at > now)
        return list(connection.execute(names).scalars())


def left(url: str) -> int:
    return int(query(url, "SELECT count(*) FROM ingest_outbox WHERE published_at IS NULL")[0][0])


def test_what_an_ingest_writes_is_published_once_and_duplicates_are_not(
    sink: str, tmp_path: Path, kafka_broker: KafkaBroker, topic: Topics
) -> None:
    name = topic(partitions=PARTITIONS)
    to = f"kafka://{kafka_broker.bootstrap}/{name}"
    lines = [json.dumps({"id": i % 900, "seen": 1}) for i in range(1_000)]
    (tmp_path / "in.jsonl").write_text("\n".join([*lines, "broken"]) + "\n")
    query(sink, "CREATE TABLE events (id integer PRIMARY KEY, seen integer)")
    source = f"{tmp_path}/in.jsonl"
    out = tmp_path / "summary.json"
    assert ingest(source, sink, "--outbox") == 0
    assert publish(sink, to, "--summary_json", str(out)) == 0
    summary = json.loads(out.read_text())
    assert (summary["published"], summary["left"]) == (900, 0)
    assert ingest(source, sink, "--outbox") == 0
    assert publish(sink, to, "--summary_json", str(out), "--table", "events") == 0
    assert json.loads(out.read_text())["published"] == 0
    assert check_all_in_order(kafka_broker, name, sink) == 0


def test_an_ingest_without_the_option_leaves_the_outbox_empty(sink: str, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"id": 1}\n')
    assert ingest(tmp_path / "in.jsonl", sink) == 0
    assert query(sink, "SELECT count(*) FROM ingest_outbox") == [(0,)]


@pytest.mark.usefixtures("prism")
def test_order_by_key_over_four_splits_of_prism(
    sink: str, table: SqlSink, tmp_path: Path, kafka_broker: KafkaBroker, topic: Topics
) -> None:
    name = topic(partitions=PARTITIONS)
    change(table, range(12), 700)
    out = tmp_path / "summary.json"
    argv = ["--runner", "PrismRunner", "--splits", "4", "--summary_json", str(out)]
    assert publish(sink, f"kafka://{kafka_broker.bootstrap}/{name}", *argv) == 0
    summary = json.loads(out.read_text())
    assert (summary["published"], summary["left"]) == (12 * 700, 0)
    assert check_all_in_order(kafka_broker, name, sink) == 0
    assert alive(table) == []


def test_a_publisher_is_killed_while_writers_write_and_another_takes_over(
    sink: str, table: SqlSink, kafka_broker: KafkaBroker, topic: Topics
) -> None:
    name = topic(partitions=PARTITIONS)
    change(table, range(10), 500)
    argv = [*publishing(sink, f"kafka://{kafka_broker.bootstrap}/{name}"), "--streaming"]
    argv += ["--lease", "2"]
    rounds = range(10, 40)
    writers = [
        # They change the same rows at once, each with rounds of its own.
        threading.Thread(
            target=change, args=(table, rounds[number::2], 500), kwargs={"source": f"w{number}"}
        )
        for number in range(2)
    ]
    published = "SELECT count(*) FROM ingest_outbox WHERE published_at IS NOT NULL"
    with running([*argv, "--splits", "2"], "outbox") as victim:
        wait_until(lambda: left(sink) < 5_000, "a first commit of the publisher")
        for writer in writers:
            writer.start()
        with running([*argv, "--splits", "4"], "outbox") as heir:
            wait_until(lambda: query(sink, published)[0][0] >= 6_000, "changes of the writers")
            victim.kill()
            for writer in writers:
                writer.join(120)
                assert not writer.is_alive()
            wait_until(lambda: left(sink) == 0, "everything published")
            heir.send_signal(signal.SIGTERM)
            _, errors = heir.communicate(timeout=60)
            assert heir.returncode == 0, errors
    check_all_in_order(kafka_broker, name, sink)
    assert not [name for name in alive(table) if name.endswith("/4")]


def test_killed_in_the_middle_the_next_run_publishes_the_rest(
    sink: str, table: SqlSink, kafka_broker: KafkaBroker, topic: Topics
) -> None:
    name = topic(partitions=PARTITIONS)
    change(table, range(10), 2_000)
    to = f"kafka://{kafka_broker.bootstrap}/{name}"
    with running([*publishing(sink, to), "--lease", "1"], "outbox"):
        wait_until(lambda: left(sink) < 20_000, "a first commit of the publisher")
    assert left(sink) > 0, "it was killed too late"
    assert publish(sink, to, "--lease", "1") == 0
    assert left(sink) == 0
    check_all_in_order(kafka_broker, name, sink)


def test_a_part_that_another_publishes_is_left_to_it(
    sink: str,
    table: SqlSink,
    kafka_broker: KafkaBroker,
    topic: Topics,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change(table, range(1), 10)
    year = "'2100-01-01 00:00:00.000000'"
    query(sink, f"INSERT INTO ingest_leases VALUES ('outbox:events:0/1', 'elsewhere', {year})")
    out = tmp_path / "summary.json"
    to = f"kafka://{kafka_broker.bootstrap}/{topic(partitions=PARTITIONS)}"
    assert publish(sink, to, "--lease", "1", "--summary_json", str(out)) == 0
    assert "is being published by another process" in capsys.readouterr().err
    assert json.loads(out.read_text())["left"] == 10


def test_what_was_published_long_ago_is_deleted(
    sink: str, table: SqlSink, kafka_broker: KafkaBroker, topic: Topics
) -> None:
    to = f"kafka://{kafka_broker.bootstrap}/{topic(partitions=PARTITIONS)}"
    change(table, range(2), 10)
    assert publish(sink, to) == 0
    query(
        sink,
        "UPDATE ingest_outbox SET published_at = '2001-01-01 00:00:00.000000' WHERE id <= 12",
    )
    change(table, range(2, 3), 10)
    assert publish(sink, to, "--retain", "7d") == 0
    assert query(sink, "SELECT count(*), min(id) FROM ingest_outbox") == [(18, 13)]


class TestUsage:
    @pytest.mark.parametrize(
        ("more", "message"),
        [
            (("--stream",), "unknown option --stream; did you mean --streaming?"),
            (("--splits", "65"), "--splits must be 64 or less"),
            (("--splits", "0"), "must be a whole number"),
            (("--lease", "0.5"), "--lease: must be at least 1 s"),
            (("--retain", "soon"), "a duration is written"),
            (("--runner", "Nowhere"), "unknown runner"),
            (("--kafka_config", "acks=1"), "acks cannot be set"),
        ],
    )
    def test_a_mistake_is_one_line_and_exit_2(
        self,
        more: tuple[str, ...],
        message: str,
        capsys: pytest.CaptureFixture[str],
        tmp_path: Path,
    ) -> None:
        assert publish(f"sqlite:///{tmp_path}/x.db", "kafka://127.0.0.1:1/t", *more) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line

    @pytest.mark.parametrize(
        ("to", "message"),
        [("s3://bucket", "not a Kafka URI"), ("kafka://h:1/t?group=g", "is not a Kafka topic")],
    )
    def test_a_place_that_is_no_topic_is_one_line_and_exit_2(
        self, to: str, message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        assert publish(f"sqlite:///{tmp_path}/x.db", to) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line

    def test_a_database_without_an_outbox(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        assert publish(f"sqlite:///{tmp_path}/x.db", "kafka://127.0.0.1:1/t") == 2
        assert "has no outbox" in capsys.readouterr().err


def test_the_table_named_apart_is_not_published(
    sink: str, table: SqlSink, kafka_broker: KafkaBroker, topic: Topics
) -> None:
    change(table, range(1), 5)
    query(sink, "CREATE TABLE others (id integer PRIMARY KEY, seen integer)")
    others = replace(table, config=SqlConfig.of(sink, "others", key=["id"]))
    others.prepare()
    change(others, range(1), 5)
    to = f"kafka://{kafka_broker.bootstrap}/{topic(partitions=PARTITIONS)}"
    assert publish(sink, to, "--table", "others") == 0
    waiting = "SELECT DISTINCT target FROM ingest_outbox WHERE published_at IS NULL"
    assert query(sink, waiting) == [("events",)]
    assert left(sink) == 5
