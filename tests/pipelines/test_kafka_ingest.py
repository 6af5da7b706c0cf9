"""Whole paths: a topic of a real broker in, rows out, the group offsets how far it is."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from pipelines import command
from pipelines.ingest import main as ingest_main
from sinks.database.engine import dispose_engines
from sinks.ledger.ledger import SqlLedger
from sinks.table.config import SqlConfig
from tests.io.sources.kafka.reading import commit_offsets
from tests.pipelines.commands import arguments, audit, ingest, ingested, printed
from tests.pipelines.programs import running, wait_for_rows
from tests.pipelines.tables import query
from tests.services.kafka_broker import KafkaBroker, Topics

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PARTITIONS = 4


def events(count: int, first: int = 0) -> list[tuple[bytes, bytes, int]]:
    return [(b"%d" % n, b'{"id":%d}' % n, n % PARTITIONS) for n in range(first, first + count)]


def committed(broker: KafkaBroker, topic: str, group: str) -> dict[int, int]:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": group, "log_level": 0})
    try:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        return {each.partition: each.offset for each in consumer.committed(partitions, timeout=10)}
    finally:
        consumer.close()


def settled(sink: str, topic: str) -> dict[int, int]:
    """Where what is settled without a gap ends, by partition."""
    ledger = SqlLedger(SqlConfig.of(sink, "events", key=("id",)))
    coverage = ledger.partitions(f"kafka://{topic}")
    return {int(name.partition("@")[0]): each.ranges[0][1] for name, each in coverage.items()}


class TestUntilLatest:
    def test_one_row_a_key_and_an_audit_without_a_gap(
        self,
        kafka_broker: KafkaBroker,
        topic: Topics,
        sink: str,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        name = topic(partitions=PARTITIONS)
        kafka_broker.produce(name, events(20_000))
        kafka_broker.produce(name, events(500))  # duplicates
        kafka_broker.produce(name, [(b"x", b"not json", 0), (b"y", None, 1)])
        uri = f"kafka://{kafka_broker.bootstrap}/{name}?until=latest"
        summary = ingested(uri, sink)
        assert summary["read"] == 20_502
        assert summary["inserted"] == 20_000
        assert summary["duplicates"] == 500
        assert (summary["dead"], summary["skipped_offsets"]) == (2, 0)
        assert query(sink, "SELECT count(*), count(DISTINCT id) FROM events") == [(20_000, 20_000)]
        dead = query(sink, "SELECT stage, category FROM ingest_jobs ORDER BY category")
        assert dead == [("parse", "malformed"), ("read", "tombstone")]

        capsys.readouterr()
        assert audit(sink, "--json") == 0
        partitions = json.loads(capsys.readouterr().out)
        assert len(partitions) == PARTITIONS
        assert all(each["ok"] and not each["gaps"] for each in partitions)
        assert sum(each["read"] for each in partitions) == 20_502

        kafka_broker.produce(name, events(100, first=20_000))
        assert ingested(uri, sink)["read"] == 100, "only what is new"
        assert ingested(uri, sink)["read"] == 0

    def test_skipped_offsets_are_in_the_summary_and_leave_no_gap(
        self,
        kafka_broker: KafkaBroker,
        topic: Topics,
        sink: str,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        name = topic()
        uri = f"kafka://{kafka_broker.bootstrap}/{name}"
        kafka_broker.produce(name, [(None, b'{"id":1}')] * 10)
        ingested(uri, sink)
        kafka_broker.produce(name, [(None, b'{"id":2}')] * 10)
        kafka_broker.delete_records(name, {0: 15})
        summary = ingested(uri, sink)
        assert (summary["skipped_offsets"], summary["dead"], summary["read"]) == (5, 1, 6)
        assert "5 offsets were deleted before they were read" in capsys.readouterr().out
        assert audit(sink) == 0

    def test_a_second_run_from_latest_reads_what_came_in_between(
        self, kafka_broker: KafkaBroker, topic: Topics, sink: str, tmp_path: Path
    ) -> None:
        name = topic(partitions=PARTITIONS)
        uri = f"kafka://{kafka_broker.bootstrap}/{name}?start=latest"
        kafka_broker.produce(name, events(8))
        assert ingested(uri, sink)["read"] == 0
        kafka_broker.produce(name, events(4, first=8))
        assert ingested(uri, sink)["read"] == 4

    def test_files_and_topics_together(
        self, kafka_broker: KafkaBroker, topic: Topics, sink: str, tmp_path: Path
    ) -> None:
        name = topic()
        kafka_broker.produce(name, [(None, b'{"id":1}')])
        (tmp_path / "in.jsonl").write_text('{"id":2}\n')
        files = ("--source", str(tmp_path / "in.jsonl"))
        summary = ingested(f"kafka://{kafka_broker.bootstrap}/{name}", sink, *files)
        assert summary["inserted"] == 2
        assert [each["partitions"] for each in summary["sources"]] == [1, 1]


class TestMessages:
    def test_what_is_not_plain_json_is_named_and_a_mark_is_passed_over(
        self, kafka_broker: KafkaBroker, topic: Topics, tmp_path: Path
    ) -> None:
        name, sink = topic(), f"sqlite:///{tmp_path}/i.db"
        raws = (b"\0\0\0\0\x2a\x02\x06abc", b'\xef\xbb\xbf{"id":7}')
        kafka_broker.produce(name, [(None, raw) for raw in raws])
        ingested(f"kafka://{kafka_broker.bootstrap}/{name}", sink)
        assert query(sink, "SELECT id FROM events") == [("7",)]
        ((message,),) = query(sink, "SELECT message FROM ingest_jobs")
        assert "Confluent wire format, schema id 42" in message
        dispose_engines()

    def test_empty_partitions_are_counted(
        self,
        kafka_broker: KafkaBroker,
        topic: Topics,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        name = topic(partitions=3)
        kafka_broker.produce(name, [(None, b'{"id":7}', 1)])
        summary = ingested(f"kafka://{kafka_broker.bootstrap}/{name}", f"sqlite:///{tmp_path}/i.db")
        (reached,) = summary["sources"]
        assert (reached["partitions"], reached["empty"], reached["held_back"]) == (3, 2, 0)
        assert "3 partitions (2 empty), 0 with a gap" in capsys.readouterr().out
        dispose_engines()


class TestGroup:
    def test_a_bounded_run_leaves_the_group_at_the_end(
        self, kafka_broker: KafkaBroker, topic: Topics, tmp_path: Path
    ) -> None:
        name = topic(partitions=PARTITIONS)
        kafka_broker.produce(name, events(4_000))
        sink = f"sqlite:///{tmp_path}/ingest.db"
        ingested(f"kafka://{kafka_broker.bootstrap}/{name}?group=g-{name}", sink)
        assert committed(kafka_broker, name, f"g-{name}") == dict.fromkeys(range(4), 1_000)
        dispose_engines()

    def test_a_group_that_is_added_later_or_was_left_behind_follows_the_ledger(
        self, kafka_broker: KafkaBroker, topic: Topics, tmp_path: Path
    ) -> None:
        name = topic(partitions=PARTITIONS)
        group, sink = f"g-{name}", f"sqlite:///{tmp_path}/ingest.db"
        kafka_broker.produce(name, events(40))
        uri = f"kafka://{kafka_broker.bootstrap}/{name}"
        ingested(uri, sink)
        assert ingested(f"{uri}?group={group}", sink)["read"] == 0
        assert committed(kafka_broker, name, group) == dict.fromkeys(range(4), 10)
        # As if the process had died between the commit of the database and that of the offsets.
        commit_offsets(kafka_broker, group, {(name, number): 3 for number in range(PARTITIONS)})
        assert ingested(f"{uri}?group={group}", sink)["read"] == 0
        assert committed(kafka_broker, name, group) == dict.fromkeys(range(4), 10)
        dispose_engines()

    def test_an_offset_of_the_group_beyond_the_end_says_how_it_is_reset(
        self,
        kafka_broker: KafkaBroker,
        topic: Topics,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        name = topic()
        kafka_broker.produce(name, [(None, b'{"id":1}')])
        commit_offsets(kafka_broker, f"g-{name}", {(name, 0): 99})
        uri = f"kafka://{kafka_broker.bootstrap}/{name}?group=g-{name}"
        assert ingest(uri, f"sqlite:///{tmp_path}/i.db") == 1
        line = capsys.readouterr().err.splitlines()[-1]
        assert f"group g-{name} has committed 99" in line
        assert "--reset-offsets" in line
        assert "ledger" not in line
        dispose_engines()

    def test_without_a_group_nothing_is_committed(
        self, kafka_broker: KafkaBroker, topic: Topics, tmp_path: Path
    ) -> None:
        name = topic(partitions=PARTITIONS)
        kafka_broker.produce(name, events(40))
        ingested(f"kafka://{kafka_broker.bootstrap}/{name}", f"sqlite:///{tmp_path}/i.db")
        assert all(offset < 0 for offset in committed(kafka_broker, name, "sluice").values())
        dispose_engines()

    def test_a_streaming_run_commits_behind_the_ledger_and_drains_on_a_signal(
        self, kafka_broker: KafkaBroker, topic: Topics, sink: str
    ) -> None:
        name = topic(partitions=PARTITIONS)
        group = f"g-{name}"
        uri = f"kafka://{kafka_broker.bootstrap}/{name}?group={group}"
        kafka_broker.produce(name, events(100))
        with running(arguments(uri, sink, "--streaming")) as process:
            wait_for_rows(process, sink, 100)
            sent = 100
            seen: list[int] = []
            deadline = time.monotonic() + 60
            while not seen or seen[-1] < 5_000:
                assert time.monotonic() < deadline, f"committed {seen[-5:]}"
                kafka_broker.produce(name, events(1_000, first=sent))
                sent += 1_000
                # The group first: what it is offsets later may only be settled later, too.
                offsets = committed(kafka_broker, name, group)
                ahead = {p: at for p, at in offsets.items() if at > settled(sink, name)[p]}
                assert not ahead
                seen.append(sum(max(0, at) for at in offsets.values()))
            wait_for_rows(process, sink, sent)
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=60)
            assert (process.returncode, printed(err)) == (0, [])
        assert sum(committed(kafka_broker, name, group).values()) == sent
        assert query(sink, "SELECT count(*), count(DISTINCT id) FROM events") == [(sent, sent)]


class TestUsage:
    def refused(self, capsys: pytest.CaptureFixture[str], code: int, *argv: str) -> str:
        capsys.readouterr()
        assert command.run("ingest", ingest_main, argv) == code
        captured = capsys.readouterr()
        (line,) = printed(captured.err)
        return line

    def test_a_missing_topic(
        self, kafka_broker: KafkaBroker, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        kafka_broker.start()
        argv = arguments(f"kafka://{kafka_broker.bootstrap}/no-such", f"sqlite:///{tmp_path}/i.db")
        assert "no topic no-such" in self.refused(capsys, 2, *argv)
        dispose_engines()

    def test_a_bad_setting(
        self, kafka_broker: KafkaBroker, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        argv = arguments(
            f"kafka://{kafka_broker.bootstrap}/t",
            f"sqlite:///{tmp_path}/i.db",
            *("--kafka_config", "fetch.min.bites=1"),
        )
        assert "fetch.min.bites" in self.refused(capsys, 2, *argv)
        dispose_engines()
