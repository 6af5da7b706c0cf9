"""Whole paths: files in, rows and dead letters out, on real databases."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from mypy_boto3_s3 import S3Client

from examples.events import BREAKS, COLUMNS, SCHEMA, Line, csv_line, events, write
from pipelines import command
from pipelines.audit import main as audit_main
from pipelines.ingest import main as ingest_main

COMMAND = [sys.executable, "-m", "pipelines.ingest"]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.integration)])
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ingest.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(SCHEMA))
    return path


def ingest(
    source: str | Path, sink: str, *more: str, key: str = "event_id", table: str = "events"
) -> int:
    """Run the command in this process; returns its exit code."""
    argv = ["--source", str(source), "--sink", sink, "--table", table, "--key", key]
    return command.run("ingest", ingest_main, [*argv, "--no_progress", *more])


def summary_of(path: Path) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(path.read_text())
    return made


def query(sink: str, statement: str) -> list[tuple[Any, ...]]:
    engine = sa.create_engine(sink)
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(statement))]
    finally:
        engine.dispose()


def audit(sink: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]]]:
    capsys.readouterr()
    code = command.run("audit", audit_main, ["--sink", sink, "--json"])
    partitions: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return code, partitions


def placed(lines: Sequence[Line], files: int) -> Iterator[tuple[str, int, Line]]:
    """Each line with the file and the byte offset at which ``write`` puts it."""
    offsets = [0] * files
    for number, line in enumerate(lines):
        file = number % files
        yield f"events-{file}.jsonl", offsets[file], line
        offsets[file] += len(line.raw) + 1


class TestEveryRecordIsAccountedFor:
    def test_broken_ones_die_with_bytes_and_origin_and_good_ones_are_in_the_table(
        self,
        sink: str,
        schema: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        records = 100_000
        lines = list(events(records, duplicates=0.01, broken=0.01))
        write(tmp_path / "in", iter(lines), 4)
        out = tmp_path / "summary.json"
        code = ingest(
            tmp_path / "in" / "*.jsonl",
            *(sink, "--schema", str(schema), "--summary_json", str(out)),
        )
        assert code == 0
        broken = [line for line in lines if line.broken]
        good = {line.key for line in lines if not line.broken}
        assert {line.broken for line in broken} == set(BREAKS), "every way is in the data"

        summary = summary_of(out)
        assert summary["read"] == records
        assert summary["inserted"] == len(good)
        assert summary["dead"] == len(broken)
        assert summary["duplicates"] == records - len(good) - len(broken)
        assert (summary["updated"], summary["retrying"], summary["filtered"]) == (0, 0, 0)

        keys = {str(row[0]).replace("-", "") for row in query(sink, "SELECT event_id FROM events")}
        assert keys == {key.replace("-", "") for key in good}

        dead = query(
            sink, 'SELECT source, "offset", category, raw, exception, stage FROM ingest_jobs'
        )
        found = {
            (source.rsplit("/", 1)[1], offset): (category, bytes(raw))
            for source, offset, category, raw, _, _ in dead
        }
        expected = {
            (file, offset): (BREAKS[line.broken][0], line.raw)
            for file, offset, line in placed(lines, 4)
            if line.broken
        }
        assert found == expected
        assert all(exception for *_, exception, _ in dead)
        assert {stage for *_, stage in dead} == {"parse", "validate"}

        code, partitions = audit(sink, capsys)
        assert code == 0
        assert len(partitions) == 4
        assert all(each["complete"] and not each["gaps"] for each in partitions)
        assert sum(each["read"] for each in partitions) == records

    def test_csv_rows_with_a_wrong_number_of_columns_die(
        self, sink: str, schema: Path, tmp_path: Path
    ) -> None:
        good = [csv_line(line.raw) for line in events(100)]
        rows = [b",".join(name.encode() for name in COLUMNS), *good]
        rows[10] += b",one more"
        rows[20] = rows[20].rsplit(b",", 2)[0]
        path = tmp_path / "events.csv"
        path.write_bytes(b"\r\n".join(rows) + b"\r\n")
        out = tmp_path / "summary.json"
        assert ingest(path, sink, "--schema", str(schema), "--summary_json", str(out)) == 0
        summary = summary_of(out)
        assert (summary["read"], summary["inserted"], summary["dead"]) == (100, 98, 2)
        dead = query(sink, 'SELECT category, raw FROM ingest_jobs ORDER BY "offset"')
        assert [(category, bytes(raw)) for category, raw in dead] == [
            ("column_count", rows[10]),
            ("column_count", rows[20]),
        ]

    def test_numbers_reach_the_table_exactly(self, sink: str, tmp_path: Path) -> None:
        path = tmp_path / "numbers.jsonl"
        path.write_bytes(
            b'{"id":"a","n":0.1234567890123456789012345}\n{"id":"b","n":12345678901234567890123}\n'
        )
        schema = tmp_path / "schema.json"
        schema.write_text(
            '{"type":"object","properties":{"id":{"type":"string"},"n":{"type":"number"}}}'
        )
        assert ingest(path, sink, "--schema", str(schema), key="id") == 0
        rows = query(sink, "SELECT id, n FROM events ORDER BY id")
        assert [(key, str(number)) for key, number in rows] == [
            ("a", "0.1234567890123456789012345"),
            ("b", "12345678901234567890123"),
        ]


class TestRepeat:
    def test_a_second_run_reads_nothing_and_says_so(
        self, sink: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write(tmp_path / "in", events(1_000), 4)
        out = tmp_path / "summary.json"
        for expected in (1_000, 0):
            assert ingest(tmp_path / "in" / "*.jsonl", sink, "--summary_json", str(out)) == 0
            assert summary_of(out)["read"] == expected
        assert summary_of(out)["resumed"] == 4
        assert "4 objects were settled before" in capsys.readouterr().out
        assert query(sink, "SELECT count(*) FROM events") == [(1_000,)]

    def test_only_new_objects_are_read(self, sink: str, tmp_path: Path) -> None:
        out = tmp_path / "summary.json"
        write(tmp_path / "in" / "a", events(100), 1)
        assert ingest(tmp_path / "in" / "**" / "*.jsonl", sink, "--summary_json", str(out)) == 0
        write(tmp_path / "in" / "b", events(50, seed=8), 1)
        assert ingest(tmp_path / "in" / "**" / "*.jsonl", sink, "--summary_json", str(out)) == 0
        assert (summary_of(out)["read"], summary_of(out)["inserted"]) == (50, 50)

    def test_a_repeat_without_key_adds_nothing(self, sink: str, tmp_path: Path) -> None:
        path = write(tmp_path / "in", events(100, duplicates=0.2), 1)[0]
        for _ in range(2):
            argv = ["--source", str(path), "--sink", sink, "--table", "raw", "--no_progress"]
            assert command.run("ingest", ingest_main, argv) == 0
        assert query(sink, "SELECT count(*) FROM raw") == [(100,)]


class TestS3:
    @pytest.mark.integration
    def test_objects_give_the_same_rows_as_files_gzip_among_them(
        self, sink: str, schema: Path, tmp_path: Path, s3: S3Client, bucket: str, s3_endpoint: str
    ) -> None:
        lines = list(events(20_000, duplicates=0.02, broken=0.005))
        paths = write(tmp_path / "in", iter(lines), 4)
        for number, path in enumerate(paths):
            name, body = f"in/{path.name}", path.read_bytes()
            if number % 2:
                name, body = f"{name}.gz", gzip.compress(body)
            s3.put_object(Bucket=bucket, Key=name, Body=body)
        more = ("--schema", str(schema))
        assert ingest(tmp_path / "in" / "*.jsonl", sink, *more, table="from_files") == 0
        endpoint = ("--s3_endpoint_url", s3_endpoint)
        assert ingest(f"s3://{bucket}/in/*", sink, *more, *endpoint, table="from_s3") == 0
        files, objects = (
            query(sink, f"SELECT * FROM {table} ORDER BY event_id")
            for table in ("from_files", "from_s3")
        )
        assert len(files) == len({line.key for line in lines if not line.broken})
        assert objects == files
        dead = {
            table: query(
                sink,
                'SELECT "offset", category, raw FROM ingest_jobs '
                f"WHERE target = '{table}' ORDER BY category, \"offset\", raw",
            )
            for table in ("from_files", "from_s3")
        }
        assert len(dead["from_s3"]) == sum(1 for line in lines if line.broken)
        assert comparable(dead["from_s3"]) == comparable(dead["from_files"])

    @pytest.mark.integration
    def test_an_unreachable_endpoint_is_one_line(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], s3_endpoint: str
    ) -> None:
        code = ingest(
            "s3://bucket/*.jsonl",
            *(f"sqlite:///{tmp_path}/a.db", "--s3_endpoint_url", "http://127.0.0.1:9"),
        )
        (line,) = capsys.readouterr().err.splitlines()
        assert code == 1
        assert "127.0.0.1:9" in line


def comparable(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows whose bytes compare by content."""
    return [
        tuple(bytes(cell) if isinstance(cell, memoryview) else cell for cell in row) for row in rows
    ]


class TestKilled:
    def test_killed_runs_end_in_the_same_table_as_one_clean_run(
        self, sink: str, schema: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        lines = list(events(60_000, duplicates=0.02, broken=0.002))
        write(tmp_path / "in", iter(lines), 4)
        argv = ["--source", f"{tmp_path}/in/*.jsonl", "--sink", sink, "--table", "events"]
        argv += ["--key", "event_id", "--schema", str(schema), "--no_progress"]
        rng = random.Random(5)
        for target in (10_000, 30_000):
            process = subprocess.Popen([*COMMAND, *argv], cwd=ROOT, stdout=subprocess.DEVNULL)
            try:
                _await_rows(process, sink, target)
                time.sleep(rng.random() * 0.05)  # anywhere within the next transactions
            finally:
                process.kill()
                process.wait()
        killed_at = _rows(sink)
        assert killed_at < 59_000, "the run was not killed in its middle"
        out = tmp_path / "summary.json"
        assert command.run("ingest", ingest_main, [*argv, "--summary_json", str(out)]) == 0
        good = {line.key for line in lines if not line.broken}
        assert _rows(sink) == len(good)
        assert query(sink, "SELECT count(*) FROM ingest_jobs WHERE state = 'discarded'") == [
            (sum(1 for line in lines if line.broken),)
        ]
        assert summary_of(out)["read"] < 60_000 - 25_000, "what was settled is not read again"
        code, partitions = audit(sink, capsys)
        assert code == 0
        assert all(each["complete"] and not each["gaps"] for each in partitions)
        assert sum(each["read"] for each in partitions) == len(lines)

    def test_a_first_signal_settles_what_was_read_and_a_later_run_reads_the_rest(
        self, sink: str, tmp_path: Path
    ) -> None:
        write(tmp_path / "in", events(200_000), 2)
        argv = ["--source", f"{tmp_path}/in/*.jsonl", "--sink", sink, "--table", "events"]
        argv += ["--key", "event_id", "--no_progress"]
        process = subprocess.Popen(
            [*COMMAND, *argv], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        _await_rows(process, sink, 1)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert err.strip() == "ingest: stopped by SIGTERM; run again to read the rest"
        assert "read" in out, "the summary is printed"
        if sink.startswith("sqlite"):
            assert not list(tmp_path.glob("ingest.db-*")), "one file holds everything"
        before = _rows(sink)
        assert 0 < before < 200_000
        summary = tmp_path / "summary.json"
        assert command.run("ingest", ingest_main, [*argv, "--summary_json", str(summary)]) == 0
        assert summary_of(summary)["read"] == 200_000 - before
        assert _rows(sink) == 200_000


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
        found = {
            name: query(f"sqlite:///{copy}", f"SELECT count(*) FROM {name}") for name in tables
        }
        return {name: count for name, ((count,),) in found.items()}

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
        assert ingest(folder / "in.jsonl", f"sqlite:///{folder}/ingest.db") == 0
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
        argv = ["--source", f"{folder}/**/*.jsonl", "--sink", sink, "--table", "events"]
        argv += ["--key", "event_id", "--no_progress", "--streaming"]
        process = subprocess.Popen(
            [*COMMAND, *argv], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        _await_rows(process, sink, 500)
        staging = tmp_path / "staging"
        write(staging, events(300, seed=8), 1)
        os.rename(staging, folder / "b")
        _await_rows(process, sink, 800)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")
        assert "800" in out


def _rows(sink: str) -> int:
    try:
        return int(query(sink, "SELECT count(*) FROM events")[0][0])
    except sa.exc.DBAPIError:
        return 0  # not created yet, or locked for a moment


def _await_rows(process: subprocess.Popen[Any], sink: str, rows: int) -> None:
    deadline = time.monotonic() + 90
    while _rows(sink) < rows:
        assert process.poll() is None, f"ended with {process.returncode} before {rows} rows"
        assert time.monotonic() < deadline, f"no {rows} rows within 90 s"
        time.sleep(0.02)


class TestDeadLettersFail:
    def test_exit_3_when_asked_for(self, sink: str, tmp_path: Path) -> None:
        path = tmp_path / "in.jsonl"
        path.write_bytes(b'{"event_id":"a"}\n{"event_id":\n')
        assert ingest(path, sink, "--fail_on_dead_letters") == 3
        assert query(sink, "SELECT event_id FROM events") == [("a",)]


class TestUsage:
    """Each mistake: one clear line on stderr, the right exit code, no stack."""

    def refused(self, capsys: pytest.CaptureFixture[str], code: int, *argv: str) -> str:
        capsys.readouterr()
        assert command.run("ingest", ingest_main, argv) == code
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        (line,) = captured.err.splitlines()
        assert line.startswith("ingest: ")
        return line

    @pytest.fixture
    def argv(self, tmp_path: Path) -> list[str]:
        path = tmp_path / "in.jsonl"
        path.write_bytes(b'{"id":"a"}\n')
        sink = f"sqlite:///{tmp_path}/ingest.db"
        return ["--source", str(path), "--sink", sink, "--table", "t", "--key", "id"]

    def test_an_unknown_option(self, argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        line = self.refused(capsys, 2, *argv, "--on_conflct=update")
        assert "--on_conflct" in line
        assert "did you mean --on_conflict?" in line

    def test_an_abbreviated_option_is_unknown(
        self, argv: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert "--stream" in self.refused(capsys, 2, *argv, "--stream")

    def test_missing_options_are_named_together(self, capsys: pytest.CaptureFixture[str]) -> None:
        line = self.refused(capsys, 2, "--key", "id")
        assert "--source, --sink, --table" in line

    def test_a_wrong_value(self, argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert "max_depth" in self.refused(capsys, 2, *argv, "--max_depth", "0")
        assert "on_conflict" in self.refused(capsys, 2, *argv, "--on_conflict", "replace")
        assert "cap" in self.refused(capsys, 2, *argv, "--backoff_base", "600")
        assert "FlinkRnner" in self.refused(capsys, 2, *argv, "--runner", "FlinkRnner")

    def test_an_unreachable_database(
        self, argv: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        argv[3] = "postgresql://user:s3cret-word@127.0.0.1:9/db"
        line = self.refused(capsys, 1, *argv)
        assert "127.0.0.1" in line
        assert "s3cret-word" not in line

    def test_an_empty_glob(self, argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        argv[1] += ".nothing*"
        assert ".nothing*" in self.refused(capsys, 2, *argv)

    def test_an_unknown_scheme(self, argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        argv[1] = "ftp://host/file.jsonl"
        line = self.refused(capsys, 2, *argv)
        assert "ftp" in line
        assert "s3://" in line

    def test_a_key_that_the_table_lacks(
        self, argv: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        engine = sa.create_engine(argv[3])
        with engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE t (other TEXT PRIMARY KEY)"))
        engine.dispose()
        line = self.refused(capsys, 2, *argv)
        assert "id" in line
        assert "t" in line

    @pytest.mark.parametrize("text", ["{", '{"type": 7}', "[1]"])
    def test_a_bad_schema_file(
        self, argv: list[str], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "bad.json"
        path.write_text(text)
        assert "bad.json" in self.refused(capsys, 2, *argv, "--schema", str(path))

    def test_a_schema_file_that_is_not_there(
        self, argv: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert "/no/such.json" in self.refused(capsys, 2, *argv, "--schema", "/no/such.json")

    def test_verbose_shows_the_stack(
        self, argv: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert command.run("ingest", ingest_main, [*argv, "--nope", "--verbose"]) == 2
        assert "Traceback" in capsys.readouterr().err


def test_events_are_what_they_claim_to_be() -> None:
    """The yardstick of these tests: the generator's shares and kinds."""
    lines = list(events(20_000, duplicates=0.02, broken=0.01))
    kinds = Counter(line.broken for line in lines)
    assert set(kinds) - {None} == set(BREAKS)
    assert 150 < sum(n for kind, n in kinds.items() if kind) < 250
    assert 300 < sum(line.duplicate for line in lines) < 500
