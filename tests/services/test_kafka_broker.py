from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from tests.services.kafka_broker import KafkaBroker, Topics
from tests.services.kafka_jars import JAVA, available

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def consumer(bootstrap: str) -> Iterator[Consumer]:
    settings = {"group.id": "test", "enable.auto.commit": False, "log_level": 0}
    reader = Consumer({"bootstrap.servers": bootstrap, **settings})
    try:
        yield reader
    finally:
        reader.close()


def watermarks(bootstrap: str, topic: str, partition: int = 0) -> tuple[int, int]:
    with consumer(bootstrap) as reader:
        watermarks = reader.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
    assert watermarks is not None
    return watermarks


def partitions_of(bootstrap: str, topic: str) -> set[int]:
    with consumer(bootstrap) as reader:
        return set(reader.list_topics(topic, timeout=10).topics[topic].partitions)


def consumed(bootstrap: str, topic: str, partition: int = 0) -> list[Message]:
    """Every message of a partition, from its low watermark to its end."""
    with consumer(bootstrap) as reader:
        low, high = reader.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
        reader.assign([TopicPartition(topic, partition, low)])
        messages: list[Message] = []
        deadline = time.monotonic() + 20
        while reader.position([TopicPartition(topic, partition)])[0].offset < high > low:
            assert time.monotonic() < deadline, f"read {len(messages)} of {topic}"
            for message in reader.consume(10_000, 0.2):
                assert message.error() is None
                messages.append(message)
        return messages


def values(bootstrap: str, topic: str, partition: int = 0) -> list[bytes | None]:
    return [message.value() for message in consumed(bootstrap, topic, partition)]


def eventually(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return met


def listening(bootstrap: str) -> bool:
    host, _, port = bootstrap.partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


class TestTopics:
    def test_messages_come_back_as_produced(self, kafka_broker: KafkaBroker, topic: Topics) -> None:
        name = topic(2)
        sent = kafka_broker.produce(
            name,
            [
                (b"a", b"1", 1, 1_700_000_000_123, [("h", b"x"), ("h", None)]),
                (None, None, 1),
                (b"b", b"2", 0),
            ],
        )
        first, second = consumed(kafka_broker.bootstrap, name, 1)
        assert sent == 3
        assert (first.key(), first.value(), first.offset()) == (b"a", b"1", 0)
        assert first.timestamp()[1] == 1_700_000_000_123
        assert first.headers() == [("h", b"x"), ("h", None)]
        assert (second.key(), second.value(), second.headers()) == (None, None, None)
        assert values(kafka_broker.bootstrap, name, 0) == [b"2"]

    def test_order_and_count_hold_over_many_batches(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic()
        expected = [b"%d" % number for number in range(50_000)]
        assert kafka_broker.produce(name, ((None, value) for value in expected)) == 50_000
        assert values(kafka_broker.bootstrap, name) == expected

    def test_an_undelivered_message_is_an_error(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic(1)
        with pytest.raises(RuntimeError, match=rf"1 of 2 messages were not delivered to {name}"):
            kafka_broker.produce(name, [(None, b"here", 0), (None, b"nowhere", 7)])
        assert values(kafka_broker.bootstrap, name) == [b"here"]

    def test_no_topic_comes_to_be_by_itself(self, kafka_broker: KafkaBroker) -> None:
        with consumer(kafka_broker.bootstrap) as reader:
            unknown = reader.list_topics("never-created", timeout=10).topics["never-created"]
        assert unknown.error is not None
        assert not unknown.partitions

    def test_a_topic_that_is_there_is_not_created_again(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        with pytest.raises(KafkaException, match="already exists"):
            kafka_broker.create_topic(topic())

    def test_partitions_can_be_added(self, kafka_broker: KafkaBroker, topic: Topics) -> None:
        name = topic(1)
        kafka_broker.produce(name, [(None, b"old")])
        kafka_broker.add_partitions(name, 3)
        kafka_broker.produce(name, [(None, b"new", 2)])
        assert partitions_of(kafka_broker.bootstrap, name) == {0, 1, 2}
        assert values(kafka_broker.bootstrap, name, 0) == [b"old"]
        assert values(kafka_broker.bootstrap, name, 2) == [b"new"]

    def test_deleted_records_move_the_low_watermark(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic(2)
        kafka_broker.produce(name, ((None, b"%d" % number, number % 2) for number in range(20)))
        assert kafka_broker.delete_records(name, {0: 4, 1: -1}) == {0: 4, 1: 10}
        assert watermarks(kafka_broker.bootstrap, name, 0) == (4, 10)
        assert watermarks(kafka_broker.bootstrap, name, 1) == (10, 10)
        assert values(kafka_broker.bootstrap, name, 0) == [b"8", b"10", b"12", b"14", b"16", b"18"]

    def test_a_deleted_topic_can_be_made_anew(
        self, kafka_broker: KafkaBroker, topic: Topics
    ) -> None:
        name = topic(2)
        kafka_broker.produce(name, [(None, b"x", 0)])
        kafka_broker.delete_topic(name)
        kafka_broker.create_topic(name, 1)
        assert partitions_of(kafka_broker.bootstrap, name) == {0}
        assert watermarks(kafka_broker.bootstrap, name) == (0, 0)

    def test_retention_can_be_provoked(self, kafka_broker: KafkaBroker, topic: Topics) -> None:
        name = topic(1, {"retention.ms": "60000"})
        long_ago = 1_600_000_000_000
        kafka_broker.produce(name, [(None, b"old", 0, long_ago)] * 3)
        assert eventually(lambda: watermarks(kafka_broker.bootstrap, name) == (3, 3))

    def test_compaction_can_be_provoked(self, kafka_broker: KafkaBroker, topic: Topics) -> None:
        config = {
            "cleanup.policy": "compact",
            "min.cleanable.dirty.ratio": "0.001",
            "segment.ms": "1000",
        }
        name = topic(1, config)
        then = 1_600_000_000_000  # a segment ends by the messages' own time, not by the clock
        kafka_broker.produce(name, [(b"k", b"%d" % number, 0, then) for number in range(5)])
        kafka_broker.produce(name, [(b"other", b"x", 0, then + 10_000)])
        assert eventually(lambda: values(kafka_broker.bootstrap, name) == [b"4", b"x"])
        assert [m.offset() for m in consumed(kafka_broker.bootstrap, name)] == [4, 5]


class TestLife:
    def test_stop_and_kill_keep_ports_and_data(self) -> None:
        with KafkaBroker() as broker:
            bootstrap, folder = broker.bootstrap, broker.folder
            broker.create_topic("kept", 1)
            broker.produce("kept", [(None, b"first")])

            broker.stop()
            assert not broker.running
            with pytest.raises(RuntimeError, match="not running"):
                broker.create_topic("refused")
            broker.start()
            assert broker.bootstrap == bootstrap
            assert values(bootstrap, "kept") == [b"first"]

            broker.produce("kept", [(None, b"second")])
            broker.kill()
            assert not broker.running
            broker.start()
            broker.start()  # nothing: it runs
            broker.produce("kept", [(None, b"third")])
            assert values(bootstrap, "kept") == [b"first", b"second", b"third"]
            assert "INFO" in broker.log.read_text()
        assert not broker.running
        assert not folder.exists()

    def test_a_broker_that_cannot_start_says_why(self) -> None:
        broker = KafkaBroker({"log.cleaner.threads": "many"})
        try:
            with pytest.raises(RuntimeError, match=r"(?s)Kafka could not .*log\.cleaner\.threads"):
                broker.start()
        finally:
            broker.close()
        assert not broker.running

    def test_a_broker_that_ends_at_once_says_why(self) -> None:
        broker = KafkaBroker({"metric.reporters": "no.such.Reporter"})
        try:
            with pytest.raises(
                RuntimeError,
                match=r"(?s)the broker ended with 1; its log ends with.*such\.Reporter",
            ):
                broker.start()
        finally:
            broker.close()
        assert not broker.running

    def test_no_broker_outlives_a_killed_owner(self) -> None:
        script = (
            "import sys\nfrom tests.services.kafka_broker import KafkaBroker\n"
            "broker = KafkaBroker()\nbroker.start()\n"
            "print(broker.bootstrap, broker.folder, flush=True)\nsys.stdin.read()\n"
        )
        owner = subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with owner:
            assert owner.stdout is not None
            bootstrap, folder = owner.stdout.readline().split()
            assert listening(bootstrap)
            owner.kill()
        assert eventually(lambda: not listening(bootstrap))
        assert eventually(lambda: not Path(folder).exists())


class TestWhatIsMissing:
    def test_nothing_is_missing_here(self, kafka_broker: KafkaBroker) -> None:
        assert available() is None

    def test_java_and_maven_are_named(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("SLUICE_JARS", str(tmp_path / "jars"))
        monkeypatch.setenv("PATH", str(tmp_path))
        assert (available() or "").startswith("java not found")
        self.pretend_java(tmp_path, "11.0.2")
        assert available() == f"java 11 found, {JAVA} or newer is needed"
        self.pretend_java(tmp_path, f"{JAVA}.0.1")
        assert (available() or "").startswith("mvn not found")

    def test_fetched_jars_need_no_maven(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        from tests.services.kafka_jars import jars_folder

        monkeypatch.setenv("SLUICE_JARS", str(tmp_path / "jars"))
        monkeypatch.setenv("PATH", str(tmp_path))
        self.pretend_java(tmp_path, "21")
        jars_folder().mkdir(parents=True)
        assert available() is None

    @pytest.mark.slow
    @pytest.mark.parametrize("processes", [(), ("-n", "1")])
    @pytest.mark.parametrize(("ci", "status"), [("true", 1), (None, 0)])
    def test_a_skip_is_loud_and_fails_continuous_integration(
        self, ci: str | None, status: int, processes: tuple[str, ...], tmp_path: Path
    ) -> None:
        environment = {**os.environ, "PATH": str(tmp_path), "SLUICE_JARS": str(tmp_path)}
        environment.pop("CI", None)
        if ci is not None:
            environment["CI"] = ci
        this = f"{__file__}::{type(self).__name__}::test_nothing_is_missing_here"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *processes, this],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "\nKAFKA TESTS SKIPPED: java not found" in done.stdout
        assert ("FAILED because CI is set" in done.stdout) == (ci is not None)
        assert done.returncode == status

    def pretend_java(self, folder: Path, version: str) -> None:
        java = folder / "java"
        java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
        java.chmod(0o755)
