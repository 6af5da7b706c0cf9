"""Whole paths that an operator holds: runs that end, and streams that wait and go on."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import command
from sinks.database.engine import dispose_engines
from tests.pipelines.commands import arguments, audit, dead_letters, ingest, ingested, printed
from tests.pipelines.control.asked import steer
from tests.pipelines.programs import running, wait_for_rows
from tests.pipelines.tables import count_rows, query
from tests.services.kafka_broker import KafkaBroker, Topics
from tests.waiting import wait_until
from transforms import instruments
from transforms.batch.record import Record
from transforms.steps.each_record import EachRecord


def lines(path: Path, first: int, last: int) -> Path:
    path.write_text("".join(f'{{"id": {n}}}\n' for n in range(first, last)))
    return path


@pytest.fixture
def database(tmp_path: Path) -> Iterator[str]:
    yield f"sqlite:///{tmp_path}/a.db"
    dispose_engines()


def outcomes(sink: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """How the runs ended, the newest first."""
    from pipelines import runs

    capsys.readouterr()
    assert command.run("runs", runs.main, ["list", "--sink", sink, "--json"]) == 0
    return [row["state"] for row in json.loads(capsys.readouterr().out)]


class TestARunThatEnds:
    def test_it_reads_nothing_while_it_is_paused_and_all_once_it_is_resumed(
        self, tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ingested(lines(tmp_path / "a.jsonl", 0, 10), database)
        assert steer("pause", database, "--by", "ann", reason="disk full") == 0
        capsys.readouterr()
        summary = tmp_path / "summary.json"
        more = ("--summary_json", str(summary))
        source = lines(tmp_path / "b.jsonl", 10, 20)
        assert ingest(source, database, *more) == command.PAUSED == 5
        (line,) = printed(capsys.readouterr().err)
        assert line.startswith("ingest: pipeline events is paused since ")
        assert "by ann: disk full; go on with: " in line
        assert line.endswith(f"sluice resume --pipeline events --sink {database}")
        assert json.loads(summary.read_text())["read"] == 0
        assert outcomes(database, capsys) == ["paused", "completed"]
        steer("resume", database)
        assert ingested(source, database)["inserted"] == 10
        assert audit(database) == 0

    def test_what_others_have_typed_does_not_steer_the_terminal(
        self, tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        source = lines(tmp_path / "a.jsonl", 0, 10)
        ingested(source, database)
        steer("pause", database, "--by", "e\x1b[31mve", reason="\x1b]0;owned\x07 a\u202eb")
        capsys.readouterr()
        assert ingest(source, database) == command.PAUSED
        (line,) = printed(capsys.readouterr().err)
        assert line.isprintable()
        assert r"by e\x1b[31mve: \x1b]0;owned\x07 a\u202eb" in line

    def test_a_source_that_does_not_exist_is_not_looked_for_meanwhile(
        self, tmp_path: Path, database: str
    ) -> None:
        ingested(lines(tmp_path / "a.jsonl", 0, 10), database)
        steer("pause", database)
        assert ingest(tmp_path / "none.jsonl", database) == command.PAUSED

    def test_one_source_is_held_and_the_other_is_read(
        self, tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        one, two = lines(tmp_path / "a.jsonl", 0, 10), lines(tmp_path / "b.jsonl", 10, 20)
        ingested(lines(tmp_path / "c.jsonl", 20, 21), database, "--source", str(two))
        lines(two, 10, 30)
        query(database, "DELETE FROM events")
        query(database, "DELETE FROM ingest_progress")
        assert steer("pause", database, "--source", str(two)) == 0
        capsys.readouterr()
        assert ingest(one, database, "--source", str(two)) == command.PAUSED
        (line,) = printed(capsys.readouterr().err)
        assert f"--source {two}" in line
        assert count_rows(database, "events") == 10

    def test_a_pause_in_mid_run_settles_what_was_read(
        self, tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        from pipelines.ingest import ingest as program

        ingested(lines(tmp_path / "a.jsonl", 0, 1), database, "--step", _step(tmp_path, "plain"))
        source = lines(tmp_path / "b.jsonl", 0, 40_000)

        def hold(record: Record) -> Record:
            if record.origin.offset == 0:
                steer("pause", database)
                wait_until(lambda: _paused(database), "the process to see it")
            return record

        code = program(
            steps=[EachRecord(hold, "Hold")],
            argv=arguments(source, database, "--pipeline", "events", "--max_in_flight", "4"),
        )
        assert code == command.PAUSED
        settled = count_rows(database, "events")
        assert 0 < settled < 40_000
        assert audit(database) == 0, "what is settled adds up, and the rest is simply not read yet"
        steer("resume", database)
        assert ingest(source, database, "--pipeline", "events") == 0
        assert count_rows(database, "events") == 40_000

    def test_a_drain_reads_nothing_and_tries_failed_records_again(
        self, tmp_path: Path, database: str
    ) -> None:
        source = tmp_path / "a.jsonl"
        source.write_text('{"id": 1}\n{"id": \n')
        ingested(source, database, "--max_dead", "100%")
        lines(tmp_path / "b.jsonl", 10, 20)
        assert dead_letters("replay", "--sink", database, "--reason", "again") == 0
        steer("pause", database)
        assert ingest(tmp_path / "b.jsonl", database) == command.PAUSED
        assert _jobs(database) == [("available", 1)], "nobody has tried it"
        steer("drain", database)
        assert ingest(tmp_path / "b.jsonl", database) == command.PAUSED
        assert _jobs(database) == [("discarded", 1)], "it was tried, and failed once more"
        assert count_rows(database, "events") == 1

    @pytest.mark.slow
    def test_a_limit_slows_it_down_and_all_is_read(self, tmp_path: Path, database: str) -> None:
        source = lines(tmp_path / "a.jsonl", 0, 1_000)
        assert ingested(source, database, "--max_rate", "2000")["inserted"] == 1_000
        waited = instruments.measured().counters["rate_wait_seconds"]
        assert waited[str(source),] > 0
        steer("rate", database, "--max_bytes_rate", "20kB")
        lines(tmp_path / "b.jsonl", 1_000, 2_000)
        assert ingested(tmp_path / "b.jsonl", database)["inserted"] == 1_000
        assert instruments.measured().counters["rate_wait_seconds"]
        assert audit(database) == 0

    @pytest.mark.slow
    def test_replays_count_against_the_limit_and_each_is_tried_once(
        self, tmp_path: Path, database: str
    ) -> None:
        source = tmp_path / "a.jsonl"
        source.write_text("not json\n" * 300)
        ingested(source, database, "--max_dead", "100%")
        assert dead_letters("replay", "--sink", database, "--reason", "again") == 0
        more = ("--max_dead", "100%", "--max_rate", "400", "--job_lease", "1")
        assert ingest(source, database, *more) == 0
        assert instruments.measured().counters["rate_wait_seconds"]["jobs://events",] > 0
        assert set(_jobs(database)) == {("discarded", 1)}
        assert query(database, "SELECT min(attempt), max(attempt) FROM ingest_jobs") == [(1, 1)]
        assert audit(database) == 0


def _jobs(sink: str) -> list[tuple[str, int]]:
    return [
        (str(state), int(n)) for state, n in query(sink, "SELECT state, replays FROM ingest_jobs")
    ]


def _paused(sink: str) -> bool:
    from sinks.control import polling

    return bool(polling.held())


def _step(folder: Path, name: str) -> str:
    (folder / "steps.py").write_text(f"def {name}(record):\n    return record\n")
    return f"{folder}/steps.py:{name}"


@pytest.mark.integration
@pytest.mark.slow
class TestAStream:
    def test_it_is_paused_restarted_and_resumed_and_each_record_is_there_once(
        self, kafka_broker: KafkaBroker, topic: Topics, sink: str
    ) -> None:
        name = topic(partitions=4)
        uri = f"kafka://{kafka_broker.bootstrap}/{name}"
        argv = arguments(uri, sink, "--streaming")

        def produce(first: int, last: int) -> None:
            records = [(b"%d" % n, b'{"id":%d}' % n, n % 4) for n in range(first, last)]
            kafka_broker.produce(name, records)

        produce(0, 1_000)
        with running(argv) as process:
            wait_for_rows(process, sink, 1_000)
            assert steer("pause", sink) == 0
            seen = _await_line(process, "is paused since")
            assert "by " in seen
            produce(1_000, 2_000)
            process.send_signal(signal.SIGTERM)  # a stream that is paused can be stopped
            process.communicate(timeout=60)
            assert process.returncode == 0
        assert count_rows(sink, "events") == 1_000
        with running(argv) as process:
            _await_line(process, "it waits until: sluice resume --pipeline events")
            process.kill()
        assert count_rows(sink, "events") == 1_000
        with running(argv) as process:
            _await_line(process, "it waits until")
            produce(2_000, 3_000)
            assert steer("resume", sink) == 0
            wait_for_rows(process, sink, 3_000)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
        assert query(sink, "SELECT count(*), count(DISTINCT id) FROM events") == [(3_000, 3_000)]
        assert audit(sink) == 0

    def test_too_many_dead_letters_pause_it_and_a_resume_counts_anew(
        self, kafka_broker: KafkaBroker, topic: Topics, tmp_path: Path, database: str
    ) -> None:
        name = topic()
        uri = f"kafka://{kafka_broker.bootstrap}/{name}"

        def broken(count: int) -> None:
            kafka_broker.produce(name, [(b"x", b"not json", 0)] * count)

        broken(10)
        with running(arguments(uri, database, "--streaming", "--max_dead", "5")) as process:
            line = _await_line(process, "is paused since")
            assert "by sluice: 10 records are dead letters, more than --max_dead 5 allows" in line
            kafka_broker.produce(name, [(b"x", b'{"id":1}', 0)])
            assert steer("resume", database) == 0
            wait_for_rows(process, database, 1)
            broken(5)
            wait_until(lambda: len(_jobs(database)) == 15, "the dead letters")
            broken(1)
            _await_line(process, "by sluice: 6 records are dead letters")
            assert process.poll() is None, "nothing was raised"


def _await_line(process: object, text: str) -> str:
    """The next line on the stderr of ``process`` that contains ``text``."""
    stream = process.stderr  # type: ignore[attr-defined]
    for line in stream:
        if text in line:
            return str(line)
    raise AssertionError(f"the process has ended without a line that says {text!r}")
