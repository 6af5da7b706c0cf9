"""Whole paths: files in, rows and dead letters out, on real databases."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from mypy_boto3_s3 import S3Client

from examples.events import BREAKS, COLUMNS, Line, csv_line, events, write
from pipelines import command
from pipelines.ingest import main as ingest_main
from tests.pipelines import commands
from tests.pipelines.tables import query

pytestmark = pytest.mark.slow


ingest = partial(commands.ingest, key="event_id")
ingested = partial(commands.ingested, key="event_id")


def audited(sink: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]]]:
    capsys.readouterr()
    code = commands.audit(sink, "--json")
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
        records = 20_000
        lines = list(events(records, duplicates=0.01, broken=0.01))
        write(tmp_path / "in", iter(lines), 4)
        summary = ingested(tmp_path / "in" / "*.jsonl", sink, "--schema", str(schema))
        broken = [line for line in lines if line.broken]
        good = {line.key for line in lines if not line.broken}
        assert {line.broken for line in broken} == set(BREAKS), "every way is in the data"

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
        stored = {
            (source.rsplit("/", 1)[1], offset): (category, raw)
            for source, offset, category, raw, _, _ in dead
        }
        expected = {
            (file, offset): (BREAKS[line.broken][0], line.raw[:65_536])
            for file, offset, line in placed(lines, 4)
            if line.broken
        }
        assert stored == expected
        assert all(exception for *_, exception, _ in dead)
        assert {stage for *_, stage in dead} == {"read", "parse", "validate"}

        code, partitions = audited(sink, capsys)
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
        summary = ingested(path, sink, "--schema", str(schema))
        assert (summary["read"], summary["inserted"], summary["dead"]) == (100, 98, 2)
        dead = query(sink, 'SELECT category, raw FROM ingest_jobs ORDER BY "offset"')
        assert dead == [
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
        for expected in (1_000, 0):
            summary = ingested(tmp_path / "in" / "*.jsonl", sink)
            assert summary["read"] == expected
        assert summary["resumed"] == 4
        assert "4 objects were settled before" in capsys.readouterr().out
        assert query(sink, "SELECT count(*) FROM events") == [(1_000,)]

    def test_only_new_objects_are_read(self, sink: str, tmp_path: Path) -> None:
        write(tmp_path / "in" / "a", events(100), 1)
        assert ingest(tmp_path / "in" / "**" / "*.jsonl", sink) == 0
        write(tmp_path / "in" / "b", events(50, seed=8), 1)
        summary = ingested(tmp_path / "in" / "**" / "*.jsonl", sink)
        assert (summary["read"], summary["inserted"]) == (50, 50)

    def test_a_repeat_without_key_adds_nothing(self, sink: str, tmp_path: Path) -> None:
        path = write(tmp_path / "in", events(100, duplicates=0.2), 1)[0]
        for _ in range(2):
            assert commands.ingest(path, sink, table="raw", key=None) == 0
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
        assert dead["from_s3"] == dead["from_files"]

    @pytest.mark.integration
    def test_an_unreachable_endpoint_is_one_line(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], s3_endpoint: str
    ) -> None:
        code = ingest(
            "s3://bucket/*.jsonl",
            *(f"sqlite:///{tmp_path}/a.db", "--s3_endpoint_url", "http://127.0.0.1:9"),
            *("--outage_budget", "0"),
        )
        (line,) = commands.printed(capsys.readouterr().err)
        assert code == 1
        assert "127.0.0.1:9" in line


class TestMissingTable:
    def test_it_is_made_and_one_line_says_so(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "in.jsonl"
        path.write_text('{"event_id": "a"}\n')
        shown = []
        for _ in range(2):
            assert ingest(str(path), f"sqlite:///{tmp_path}/a.db") == 0
            shown.append(
                "made table events (event_id text, payload json)\n" in capsys.readouterr().out
            )
        assert shown == [True, False]

    def test_with_create_never_it_is_refused_in_one_line(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "in.jsonl"
        path.write_text('{"event_id": "a"}\n')
        assert ingest(str(path), f"sqlite:///{tmp_path}/a.db", "--create", "never") == 2
        (line,) = commands.printed(capsys.readouterr().err)
        assert line == "ingest: table events does not exist, and --create is never"
        assert not (tmp_path / "a.db").exists()


class TestDeadLettersFail:
    def test_exit_3_when_asked_for(self, sink: str, tmp_path: Path) -> None:
        path = tmp_path / "in.jsonl"
        path.write_bytes(b'{"event_id":"a"}\n{"event_id":\n')
        assert ingest(path, sink, "--fail_on_dead_letters") == 3
        assert query(sink, "SELECT event_id FROM events") == [("a",)]

    def test_the_next_run_says_3_too_until_somebody_has_dealt_with_them(
        self, sink: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for name in ("a", "b"):
            (tmp_path / f"{name}.jsonl").write_bytes(b'{"event_id":"%s"}\n{"x":\n' % name.encode())
        (tmp_path / "c.jsonl").write_bytes(b'{"event_id":"c"}\n')
        bad, good = tmp_path / "[ab].jsonl", tmp_path / "c.jsonl"
        assert ingest(bad, sink) == 0
        capsys.readouterr()
        assert ingest(bad, sink, "--fail_on_dead_letters") == 3
        (line,) = commands.printed(capsys.readouterr().err)
        assert line.startswith("ingest: 2 dead letters of these sources are unresolved")
        assert ingest(good, sink, "--fail_on_dead_letters") == 0, "others are not its business"
        assert ingest(good, sink, "--fail_on_dead_letters", "--pipeline", "p") == 0
        why = ("--sink", sink, "--reason", "r")
        assert commands.dead_letters("purge", *why, "--origin", "*a.jsonl") == 0
        assert ingest(bad, sink, "--fail_on_dead_letters") == 3
        assert commands.dead_letters("replay", *why) == 0
        capsys.readouterr()
        assert ingest(bad, sink, "--fail_on_dead_letters") == 3, "it is dead again"
        (line,) = commands.printed(capsys.readouterr().err)
        assert line.startswith("ingest: 1 records became dead letters in this run; 1 dead letters")
        assert commands.dead_letters("purge", *why) == 0
        assert ingest(bad, sink, "--fail_on_dead_letters") == 0


class TestUsage:
    """Each mistake: one clear line on stderr, the right exit code, no stack."""

    def refused(self, capsys: pytest.CaptureFixture[str], code: int, *argv: str) -> str:
        capsys.readouterr()
        assert command.run("ingest", ingest_main, argv) == code
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        (line,) = commands.printed(captured.err)
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
        line = self.refused(capsys, 1, *argv, "--outage_budget", "0")
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
