"""How a run ends: killed, stopped by a signal, or by itself; and what its database holds then."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from examples.events import events, write
from tests.pipelines.commands import arguments, audit, ingest, ingested, printed
from tests.pipelines.programs import ROOT, running, wait_for_rows
from tests.pipelines.tables import count_rows, query

pytestmark = pytest.mark.slow


class TestKilled:
    def test_killed_runs_end_in_the_same_table_as_one_clean_run(
        self, sink: str, schema: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        lines = list(events(60_000, duplicates=0.02, broken=0.002))
        write(tmp_path / "in", iter(lines), 4)
        source, more = f"{tmp_path}/in/*.jsonl", ("--schema", str(schema))
        rng = random.Random(5)
        for target in (10_000, 30_000):
            with running(arguments(source, sink, *more, key="event_id")) as process:
                wait_for_rows(process, sink, target)
                time.sleep(rng.random() * 0.05)  # anywhere within the next transactions
                process.kill()
        killed_at = count_rows(sink)
        assert killed_at < 59_000, "the run was not killed in its middle"
        summary = ingested(source, sink, *more, key="event_id")
        good = {line.key for line in lines if not line.broken}
        assert count_rows(sink) == len(good)
        assert query(sink, "SELECT count(*) FROM ingest_jobs WHERE state = 'discarded'") == [
            (sum(1 for line in lines if line.broken),)
        ]
        assert summary["read"] < 60_000 - 25_000, "what was settled is not read again"
        capsys.readouterr()
        assert audit(sink, "--json") == 0
        partitions = json.loads(capsys.readouterr().out)
        assert all(each["complete"] and not each["gaps"] for each in partitions)
        assert sum(each["read"] for each in partitions) == len(lines)

    def test_a_first_signal_settles_what_was_read_and_a_later_run_reads_the_rest(
        self, sink: str, tmp_path: Path
    ) -> None:
        write(tmp_path / "in", events(80_000), 2)
        source = f"{tmp_path}/in/*.jsonl"
        with running(arguments(source, sink, key="event_id")) as process:
            wait_for_rows(process, sink, 1)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert printed(err) == ["ingest: stopped by SIGTERM; run again to read the rest"]
        assert "read" in out, "the summary is printed"
        if sink.startswith("sqlite"):
            assert not list(tmp_path.glob("ingest.db-*")), "one file holds everything"
        before = count_rows(sink)
        assert 0 < before < 80_000
        assert ingested(source, sink, key="event_id")["read"] == 80_000 - before
        assert count_rows(sink) == 80_000


class TestOneFile:
    """A SQLite database can be copied once a program has ended: no -wal file holds its rows."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "in.jsonl").write_text('{"event_id": 1}\nbad\n{"event_id": 2}\n')
        return tmp_path

    def _counts(self, folder: Path) -> dict[str, int]:
        """What a copy of the one file holds."""
        assert not list(folder.glob("*.db-*"))
        copy = folder / "copy"
        shutil.copy(folder / "ingest.db", copy)
        tables = ("events", "ingest_jobs", "ingest_progress")
        statement = "SELECT count(*) FROM {}"
        return {name: query(f"sqlite:///{copy}", statement.format(name))[0][0] for name in tables}

    def test_after_every_command(self, folder: Path) -> None:
        sink = f"sqlite:///{folder}/ingest.db"
        source = ["--source", f"{folder}/in.jsonl", "--table", "events", "--key", "event_id"]
        for name, *argv in (
            ["ingest", *source, "--outbox"],
            ["audit"],
            ["dead_letters", "list"],
            ["dead_letters", "replay", "--reason", "try again"],
            ["ingest", *source],
            ["dead_letters", "show", "9"],  # there is none: exit 2
        ):
            command_line = [sys.executable, "-m", f"pipelines.{name}", *argv, "--sink", sink]
            subprocess.run(command_line, cwd=ROOT, capture_output=True, timeout=120, check=False)
            expected = {"events": 2, "ingest_jobs": 1, "ingest_progress": 1}
            assert self._counts(folder) == expected, name

    def test_after_a_command_within_a_process(self, folder: Path) -> None:
        assert ingest(folder / "in.jsonl", f"sqlite:///{folder}/ingest.db", key="event_id") == 0
        assert self._counts(folder)["events"] == 2

    def test_after_a_pipeline_of_the_users_own(self, folder: Path) -> None:
        (folder / "own.py").write_text(
            """
import sys
import apache_beam as beam
from sinks.sql import SqlConfig, SqlSink
from sinks.sql import WriteToSql
from tests.io.sinks.tested_database import make_batch

sink = SqlSink(SqlConfig.of(sys.argv[1], "events", key=["event_id"]))
sink.prepare()
batch = make_batch([{"event_id": 1}, {"event_id": 2}])
with beam.Pipeline(runner="apache_beam.runners.portability.fn_api_runner.FnApiRunner") as pipeline:
    pipeline | beam.Create([batch]) | WriteToSql(sink)
"""
        )
        path = os.pathsep.join((str(ROOT), str(ROOT / "io")))
        subprocess.run(
            [sys.executable, folder / "own.py", f"sqlite:///{folder}/ingest.db"],
            env={**os.environ, "PYTHONPATH": path},
            check=True,
            timeout=120,
        )
        assert self._counts(folder) == {"events": 2, "ingest_jobs": 0, "ingest_progress": 1}


class TestStreaming:
    def test_new_files_are_picked_up_until_a_signal_ends_the_run_well(
        self, sink: str, tmp_path: Path
    ) -> None:
        folder = tmp_path / "in"
        write(folder / "a", events(500), 1)
        source = f"{folder}/**/*.jsonl"
        with running(arguments(source, sink, "--streaming", key="event_id")) as process:
            wait_for_rows(process, sink, 500)
            staging = tmp_path / "staging"
            write(staging, events(300, seed=8), 1)
            os.rename(staging, folder / "b")
            wait_for_rows(process, sink, 800)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        assert (process.returncode, printed(err)) == (0, [])
        assert "800" in out
