"""Whole paths: files in, changes out on a topic, on real databases and a real broker."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from confluent_kafka import Consumer, TopicPartition

from pipelines import command
from pipelines.ingest import main as ingest_main
from pipelines.outbox import main as outbox_main
from sinks.database.dialects import dialect_of
from sinks.database.engine import dispose_engines, transaction
from sinks.database.tables import leases
from sinks.sql import SqlSink
from sinks.table.config import SqlConfig
from tests.io.sinks.tested_database import make_batch
from tests.services.kafka_broker import KafkaBroker, Topics
from transforms.errors import Contention

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
PARTITIONS = 3


@pytest.fixture(params=["sqlite", "postgres"])
def sink_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/ingest.db"
    else:
        yield str(request.getfixturevalue("postgres_url"))
    dispose_engines()


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            result = connection.execute(sa.text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        engine.dispose()


def publish(url: str, to: str, *more: str) -> int:
    return command.run("outbox", outbox_main, ["--sink", url, "--to", to, *more])


def spawned(url: str, to: str, *more: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "pipelines.outbox", "--sink", url, "--to", to, *more]
    return subprocess.Popen(
        argv, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


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
                found = [m for m in consumer.consume(5_000, 1.0) if m.error() is None]
                messages += found
                left -= len(found)
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
def table(sink_url: str) -> SqlSink:
    """A table whose rows are changed again and again; ``seen`` grows."""
    query(sink_url, "CREATE TABLE events (id integer PRIMARY KEY, seen integer)")
    config = SqlConfig.of(sink_url, "events", key=["id"], on_conflict="newest:seen")
    sink = SqlSink(config, outbox=True)
    sink.prepare()
    return sink


def change(sink: SqlSink, rounds: range, keys: int, *, source: str = "a") -> None:
    """Change every key once a round, in another order each."""
    for number in rounds:
        ids = [(i * 11 + number) % keys for i in range(keys)]
        batch = make_batch([{"id": i, "seen": number} for i in ids], number * keys, source=source)
        while True:
            try:
                sink.commit([batch])
                break
            except Contention:
                continue


def await_that(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline, f"not within 90 s: {what}"
        time.sleep(0.02)


def alive(sink: SqlSink) -> list[str]:
    """The leases that have not run out."""
    with transaction(sink.config.database, "test", write=False) as connection:
        query = sa.select(leases.c.name).where(
            leases.c.expires_at > dialect_of(connection).now(connection)
        )
        return list(connection.execute(query).scalars())


def left(url: str) -> int:
    return int(query(url, "SELECT count(*) FROM ingest_outbox WHERE published_at IS NULL")[0][0])


def test_what_an_ingest_writes_is_published_once_and_duplicates_are_not(
    sink_url: str, tmp_path: Path, kafka_broker: KafkaBroker, topic: Topics
) -> None:
    name = topic(partitions=PARTITIONS)
    to = f"kafka://{kafka_broker.bootstrap}/{name}"
    lines = [json.dumps({"id": i % 900, "seen": 1}) for i in range(1_000)]
    (tmp_path / "in.jsonl").write_text("\n".join([*lines, "broken"]) + "\n")
    query(sink_url, "CREATE TABLE events (id integer PRIMARY KEY, seen integer)")
    argv = ["--source", f"{tmp_path}/in.jsonl", "--sink", sink_url, "--table", "events"]
    argv += ["--key", "id", "--no_progress"]
    out = tmp_path / "summary.json"
    assert command.run("ingest", ingest_main, [*argv, "--outbox"]) == 0
    assert publish(sink_url, to, "--summary_json", str(out)) == 0
    summary = json.loads(out.read_text())
    assert (summary["published"], summary["left"]) == (900, 0)
    assert command.run("ingest", ingest_main, [*argv, "--outbox"]) == 0
    assert publish(sink_url, to, "--summary_json", str(out), "--table", "events") == 0
    assert json.loads(out.read_text())["published"] == 0
    assert check_all_in_order(kafka_broker, name, sink_url) == 0


def test_an_ingest_without_the_option_leaves_the_outbox_empty(
    sink_url: str, tmp_path: Path
) -> None:
    (tmp_path / "in.jsonl").write_text('{"id": 1}\n')
    argv = ["--source", f"{tmp_path}/in.jsonl", "--sink", sink_url, "--table", "events"]
    assert command.run("ingest", ingest_main, [*argv, "--key", "id", "--no_progress"]) == 0
    assert query(sink_url, "SELECT count(*) FROM ingest_outbox") == [(0,)]


@pytest.mark.usefixtures("prism")
def test_order_by_key_over_four_splits_of_prism(
    sink_url: str, table: SqlSink, tmp_path: Path, kafka_broker: KafkaBroker, topic: Topics
) -> None:
    name = topic(partitions=PARTITIONS)
    change(table, range(12), 700)
    out = tmp_path / "summary.json"
    argv = ["--runner", "PrismRunner", "--splits", "4", "--summary_json", str(out)]
    assert publish(sink_url, f"kafka://{kafka_broker.bootstrap}/{name}", *argv) == 0
    summary = json.loads(out.read_text())
    assert (summary["published"], summary["left"]) == (12 * 700, 0)
    assert check_all_in_order(kafka_broker, name, sink_url) == 0
    assert alive(table) == []


def test_a_publisher_is_killed_while_writers_write_and_another_takes_over(
    sink_url: str, table: SqlSink, kafka_broker: KafkaBroker, topic: Topics
) -> None:
    name = topic(partitions=PARTITIONS)
    change(table, range(10), 500)
    argv = (sink_url, f"kafka://{kafka_broker.bootstrap}/{name}", "--streaming", "--lease", "2")
    victim = spawned(*argv, "--splits", "2")
    heir = None
    rounds = range(10, 40)
    writers = [
        # They change the same rows at once, each with rounds of its own.
        threading.Thread(
            target=change, args=(table, rounds[number::2], 500), kwargs={"source": f"w{number}"}
        )
        for number in range(2)
    ]
    try:
        await_that(lambda: left(sink_url) < 5_000, "a first commit of the publisher")
        for writer in writers:
            writer.start()
        heir = spawned(*argv, "--splits", "4")
        await_that(
            lambda: (
                query(
                    sink_url, "SELECT count(*) FROM ingest_outbox WHERE published_at IS NOT NULL"
                )[0][0]
                >= 6_000
            ),
            "changes of the writers that are published",
        )
        victim.kill()
        for writer in writers:
            writer.join(120)
            assert not writer.is_alive()
        await_that(lambda: left(sink_url) == 0, "everything published")
        heir.send_signal(signal.SIGTERM)
        _, said = heir.communicate(timeout=60)
        assert heir.returncode == 0, said
        check_all_in_order(kafka_broker, name, sink_url)
        assert not [name for name in alive(table) if name.endswith("/4")]
    finally:
        for process in (victim, heir):
            if process is not None:
                process.kill()
                process.communicate()


def test_killed_in_the_middle_the_next_run_publishes_the_rest(
    sink_url: str, table: SqlSink, kafka_broker: KafkaBroker, topic: Topics
) -> None:
    name = topic(partitions=PARTITIONS)
    change(table, range(10), 2_000)
    to = f"kafka://{kafka_broker.bootstrap}/{name}"
    process = spawned(sink_url, to, "--lease", "1")
    try:
        await_that(lambda: left(sink_url) < 20_000, "a first commit of the publisher")
    finally:
        process.kill()
        process.communicate()
    assert left(sink_url) > 0, "it was killed too late"
    assert publish(sink_url, to, "--lease", "1") == 0
    assert left(sink_url) == 0
    check_all_in_order(kafka_broker, name, sink_url)


def test_a_part_that_another_publishes_is_left_to_it(
    sink_url: str,
    table: SqlSink,
    kafka_broker: KafkaBroker,
    topic: Topics,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change(table, range(1), 10)
    year = "'2100-01-01 00:00:00.000000'"
    query(sink_url, f"INSERT INTO ingest_leases VALUES ('outbox:events:0/1', 'elsewhere', {year})")
    out = tmp_path / "summary.json"
    to = f"kafka://{kafka_broker.bootstrap}/{topic(partitions=PARTITIONS)}"
    assert publish(sink_url, to, "--lease", "1", "--summary_json", str(out)) == 0
    assert "is being published by another process" in capsys.readouterr().err
    assert json.loads(out.read_text())["left"] == 10


def test_what_was_published_long_ago_is_deleted(
    sink_url: str, table: SqlSink, kafka_broker: KafkaBroker, topic: Topics
) -> None:
    to = f"kafka://{kafka_broker.bootstrap}/{topic(partitions=PARTITIONS)}"
    change(table, range(2), 10)
    assert publish(sink_url, to) == 0
    query(
        sink_url,
        "UPDATE ingest_outbox SET published_at = '2001-01-01 00:00:00.000000' WHERE id <= 12",
    )
    change(table, range(2, 3), 10)
    assert publish(sink_url, to, "--retain", "7d") == 0
    assert query(sink_url, "SELECT count(*), min(id) FROM ingest_outbox") == [(18, 13)]


class TestUsage:
    @pytest.mark.parametrize(
        ("more", "said"),
        [
            (("--stream",), "unknown option --stream; did you mean --streaming?"),
            (("--splits", "65"), "--splits must be 64 or less"),
            (("--splits", "0"), "not a whole number"),
            (("--lease", "0.5"), "--lease must be 1 second"),
            (("--retain", "soon"), "a duration is written"),
            (("--runner", "Nowhere"), "unknown runner"),
            (("--to", "s3://bucket"), "not a Kafka URI"),
            (("--to", "kafka://h:1/t?group=g"), "no topic to publish on"),
            (("--kafka_config", "acks=1"), "acks cannot be set"),
        ],
    )
    def test_a_mistake_is_one_line_and_exit_2(
        self, more: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        assert publish(f"sqlite:///{tmp_path}/x.db", "kafka://127.0.0.1:1/t", *more) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line

    def test_a_database_without_an_outbox(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        assert publish(f"sqlite:///{tmp_path}/x.db", "kafka://127.0.0.1:1/t") == 2
        assert "has no outbox" in capsys.readouterr().err


def test_the_table_named_apart_is_not_published(
    sink_url: str, table: SqlSink, kafka_broker: KafkaBroker, topic: Topics
) -> None:
    change(table, range(1), 5)
    query(sink_url, "CREATE TABLE others (id integer PRIMARY KEY, seen integer)")
    others = replace(table, config=SqlConfig.of(sink_url, "others", key=["id"]))
    others.prepare()
    change(others, range(1), 5)
    to = f"kafka://{kafka_broker.bootstrap}/{topic(partitions=PARTITIONS)}"
    assert publish(sink_url, to, "--table", "others") == 0
    waiting = "SELECT DISTINCT target FROM ingest_outbox WHERE published_at IS NULL"
    assert query(sink_url, waiting) == [("events",)]
    assert left(sink_url) == 5
