"""Whole runs with ``--workers``: one summary, one exit code, nothing lost and nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from examples.events import events, write
from pipelines import command
from pipelines.ingest import main as ingest_main
from tests.pipelines.commands import OUTCOMES, arguments, audit, ingested, printed
from tests.pipelines.programs import ROOT, running, wait_for_rows
from tests.pipelines.tables import count_rows, query
from tests.services.kafka_broker import KafkaBroker, Topics

pytestmark = pytest.mark.slow


def run(*argv: str, code: int = 0) -> tuple[dict[str, Any], list[str]]:
    """Run an ingest as a process of its own; returns its summary, if it wrote one, and stderr."""
    path = Path(argv[argv.index("--summary_json") + 1])
    path.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.ingest", *argv],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return (json.loads(path.read_text()) if path.exists() else {}), printed(done.stderr)


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(pid) for pid in children.split()]


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ingest.db"


SLOW = ("--workers", "2", "--max_rate", "5000")
"""Two workers that take some seconds, so that a run can be ended in its middle."""


class TestFiles:
    def test_the_summary_adds_up_and_the_table_is_that_of_one_process(
        self, sink: str, schema: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        lines = list(events(20_000, duplicates=0.02, broken=0.002))
        write(tmp_path / "in", iter(lines), 9)
        argv = arguments(f"{tmp_path}/in/*.jsonl", sink, "--schema", str(schema), key="event_id")
        argv += ["--workers", "3", "--summary_json", f"{tmp_path}/summary.json"]
        summary, said = run(*argv)
        assert said == []
        good = {line.key for line in lines if not line.broken}
        broken = sum(1 for line in lines if line.broken)
        assert summary["read"] == 20_000
        assert sum(summary[outcome] for outcome in OUTCOMES) == 20_000
        assert (summary["inserted"], summary["dead"]) == (len(good), broken)
        assert (summary["splits"], summary["resumed"]) == (9, 0)
        assert count_rows(sink) == len(good)
        assert query(sink, "SELECT count(*), count(ended_at) FROM ingest_workers") == [(3, 3)]
        assert query(sink, 'SELECT sum("read"), sum(dead) FROM ingest_workers') == [
            (20_000, broken)
        ]
        assert audit(sink) == 0
        again, _ = run(*argv)
        assert (again["read"], again["resumed"]) == (0, 9)

    def test_a_killed_worker_ends_the_run_and_a_later_one_reads_the_rest(
        self, postgres_url: str, tmp_path: Path
    ) -> None:
        sink = postgres_url
        write(tmp_path / "in", events(20_000), 6)
        source = f"{tmp_path}/in/*.jsonl"
        with running(arguments(source, sink, *SLOW, key="event_id")) as process:
            wait_for_rows(process, sink, 1)
            victim = workers_of(process)[0]
            os.kill(victim, signal.SIGKILL)
            _, err = process.communicate(timeout=60)
        assert process.returncode == command.FAILED
        (line,) = printed(err)
        assert line == (
            f"ingest: worker process {victim} was killed by SIGKILL; what the others had read "
            "is settled, and the next run reads the rest"
        )
        before = count_rows(sink)
        assert 0 < before < 20_000
        assert ingested(source, sink, key="event_id")["read"] == 20_000 - before
        assert count_rows(sink) == 20_000

    def test_a_killed_run_leaves_no_worker_behind(self, sqlite: str, tmp_path: Path) -> None:
        sink = sqlite
        write(tmp_path / "in", events(20_000), 6)
        source = f"{tmp_path}/in/*.jsonl"
        with running(arguments(source, sink, *SLOW, key="event_id")) as process:
            wait_for_rows(process, sink, 1)
            workers = workers_of(process)
            process.kill()
            # Its output is closed once the workers, which have it too, are gone.
            process.communicate(timeout=30)
        assert len(workers) == 2
        before = count_rows(sink)
        assert ingested(source, sink, key="event_id")["read"] == 20_000 - before
        assert count_rows(sink) == 20_000

    def test_a_signal_settles_what_all_workers_have_read(
        self, postgres_url: str, tmp_path: Path
    ) -> None:
        sink = postgres_url
        write(tmp_path / "in", events(20_000), 6)
        source = f"{tmp_path}/in/*.jsonl"
        with running(arguments(source, sink, *SLOW, key="event_id")) as process:
            wait_for_rows(process, sink, 1)
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it as well
            out, err = process.communicate(timeout=60)
        assert process.returncode == command.FAILED
        assert printed(err) == ["ingest: stopped by SIGINT; run again to read the rest"]
        before = count_rows(sink)
        assert f"{before:,}  read" in out, "the summary counts what is settled"
        assert ingested(source, sink, key="event_id")["read"] == 20_000 - before

    def test_the_budget_of_dead_letters_is_that_of_the_run(
        self, tmp_path: Path, sqlite: str
    ) -> None:
        sink = sqlite
        for number in range(4):
            path = tmp_path / f"{number}.jsonl"
            path.write_text(
                "".join(f'{{"{"no" if n % 3 else "id"}": {n}}}\n' for n in range(3_000))
            )
        argv = arguments(f"{tmp_path}/*.jsonl", sink, "--workers", "2")
        _, (line,) = run(*(*argv, "--summary_json", f"{tmp_path}/s.json"), code=command.DEAD_BUDGET)
        assert "are dead letters, more than --max_dead 50% allows" in line
        assert query(sink, "SELECT count(*) FROM ingest_jobs") == [(0,)]

    def test_more_than_the_budget_at_the_same_time_is_more_than_the_budget(
        self, tmp_path: Path, sqlite: str
    ) -> None:
        for number in range(2):
            (tmp_path / f"{number}.jsonl").write_text('{"id": 1}\n{"id":\n')
        argv = arguments(f"{tmp_path}/*.jsonl", sqlite, "--workers", "2", "--max_dead", "1")
        _, (line,) = run(*(*argv, "--summary_json", f"{tmp_path}/s.json"), code=command.DEAD_BUDGET)
        assert "2 records are dead letters, more than --max_dead 1 allows" in line

    def test_an_error_of_a_worker_is_that_of_the_run(self, tmp_path: Path, sqlite: str) -> None:
        for number in range(2):
            (tmp_path / f"{number}.jsonl").write_text('{"id": 1}\n{"id": 2}\n')
        (tmp_path / "wrong.py").write_text("def leave(record):\n    raise SystemExit(7)\n")
        argv = arguments(f"{tmp_path}/*.jsonl", sqlite, "--step", f"{tmp_path}/wrong.py:leave")
        argv += ["--workers", "2", "--summary_json", f"{tmp_path}/s.json"]
        _, (line,) = run(*argv, code=command.FAILED)
        assert line.startswith("ingest: ")
        assert "leave" in line
        assert count_rows(sqlite) == 0


class TestUsage:
    @pytest.mark.parametrize(
        ("more", "said"),
        [
            (("--runner", "PrismRunner"), "--workers: PrismRunner starts no processes of its own"),
            (("--runner", "FlinkRunner"), "use --parallelism"),
            (("--sink", "duckdb:///a.duckdb"), "duckdb lets one process at a time into a database"),
        ],
    )
    def test_where_it_cannot_be(
        self,
        more: tuple[str, ...],
        said: str,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        options = {"--sink": f"sqlite:///{tmp_path}/a.db", more[0]: more[1]}
        argv = [part for option in options.items() for part in option]
        argv += ["--source", f"{tmp_path}/a.jsonl", "--table", "events", "--workers", "2"]
        assert command.run("ingest", ingest_main, argv) == command.USAGE
        (line,) = printed(capsys.readouterr().err)
        assert said in line


@pytest.mark.integration
class TestTopics:
    def test_a_stream_is_shared_and_drains_on_a_signal(
        self, kafka_broker: KafkaBroker, topic: Topics, postgres_url: str
    ) -> None:
        sink, name = postgres_url, topic(partitions=4)
        uri = f"kafka://{kafka_broker.bootstrap}/{name}"
        kafka_broker.produce(name, [(b"%d" % n, b'{"id":%d}' % n, n % 4) for n in range(2_000)])
        with running(arguments(uri, sink, "--streaming", "--workers", "2")) as process:
            wait_for_rows(process, sink, 2_000)
            more = [(b"%d" % n, b'{"id":%d}' % n, n % 4) for n in range(2_000, 4_000)]
            kafka_broker.produce(name, more)
            wait_for_rows(process, sink, 4_000)
            assert len(workers_of(process)) == 2
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=60)
        assert (process.returncode, printed(err)) == (0, [])
        assert "4,000  read" in out
        assert query(sink, "SELECT count(*), count(DISTINCT id) FROM events") == [(4_000, 4_000)]
        shares = query(sink, 'SELECT "read" FROM ingest_workers')
        assert sorted(shares) == [(2_000,), (2_000,)], "each worker had two partitions"


class TestRetries:
    def test_every_worker_tries_failed_records_again(self, tmp_path: Path, sqlite: str) -> None:
        sink = sqlite
        (tmp_path / "in.jsonl").write_text("".join(f'{{"id": {n}}}\n' for n in range(200)))
        step = tmp_path / "flaky.py"
        step.write_text(
            "import pathlib\n"
            "from transforms.errors import RetryLater\n"
            "def flaky(record):\n"
            f"    seen = pathlib.Path('{tmp_path}') / str(record.value['id'])\n"
            "    if not seen.exists():\n"
            "        seen.touch()\n"
            "        raise RetryLater('once')\n"
            "    return record\n"
        )
        argv = arguments(f"{tmp_path}/in.jsonl", sink, "--step", f"{step}:flaky")
        argv += ["--workers", "2", "--backoff_base", "0.1", "--backoff_cap", "0.2"]
        summary, _ = run(*argv, "--summary_json", f"{tmp_path}/summary.json")
        assert (summary["read"], summary["inserted"]) == (200, 200)
        assert (summary["attempts"], summary["scheduled"], summary["retrying"]) == (200, 0, 0)
