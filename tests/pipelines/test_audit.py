from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from pipelines import command
from runners import streams
from tests.pipelines.commands import audit, dead_letters, ingest
from tests.pipelines.tables import query


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a database with two settled files of three records each."""
    folder = tmp_path_factory.mktemp("settled")
    for name in ("a", "b"):
        lines = b'{"id":"%s1"}\n{"id":\n{"id":"%s2"}\n' % (name.encode(), name.encode())
        (folder / f"{name}.jsonl").write_bytes(lines)
    assert ingest(folder / "*.jsonl", f"sqlite:///{folder}/a.db", table="t") == 0
    return folder / "a.db"


@pytest.fixture
def sink(settled: Path, tmp_path: Path) -> str:
    """A copy of that database, for one test."""
    shutil.copy(settled, tmp_path / "a.db")
    return f"sqlite:///{tmp_path}/a.db"


def test_every_partition_is_covered_and_adds_up(
    sink: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert audit(sink, "--json") == 0
    partitions = json.loads(capsys.readouterr().out)
    assert [each["source"].rsplit("/", 1)[1] for each in partitions] == ["a.jsonl", "b.jsonl"]
    for partition in partitions:
        assert partition["complete"]
        assert partition["ok"]
        assert partition["gaps"] == []
        assert partition["ranges"] == [[0, 12 + 7 + 12]]
        assert (partition["read"], partition["inserted"], partition["dead"]) == (3, 2, 1)
        assert partition["jobs"] == {"retrying": 0, "dead": 1}


def test_the_table_says_the_sum(sink: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert audit(sink) == 0
    out = capsys.readouterr().out
    assert "6 read = 4 inserted + 0 updated + 0 deleted + 0 duplicates + 0 filtered + 2 dead" in out
    assert "2 partitions, 0 still open, no gap, every record accounted for" in out


def test_a_source_narrows_it_down(
    sink: str, settled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert audit(sink, "--json", "--source", f"{settled.parent}/b*") == 0
    (only,) = json.loads(capsys.readouterr().out)
    assert only["source"].endswith("/b.jsonl")


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_source_of_which_nothing_is_settled_is_a_mistake(
    sink: str, capsys: pytest.CaptureFixture[str], form: list[str]
) -> None:
    capsys.readouterr()
    assert audit(sink, "--source", "/mistyped.jsonl", *form) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("audit: the ledger has nothing of --source /mistyped.jsonl")


def test_the_table_is_named_where_it_has_not_the_pipelines_name(
    sink: str, settled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = settled.parent / "a.jsonl"
    capsys.readouterr()
    assert audit(sink) == 0
    assert " table " not in capsys.readouterr().out
    assert ingest(source, sink, "--pipeline", "again", table="others") == 0
    capsys.readouterr()
    assert audit(sink) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0][:3] == ["pipeline", "table", "source"]
    assert ["again", "others"] in [line[:2] for line in lines]
    assert ["t", "t"] in [line[:2] for line in lines]


def test_the_counts_of_several_tables_have_a_line_each(
    sink: str, capsys: pytest.CaptureFixture[str]
) -> None:
    query(
        sink,
        "INSERT INTO ingest_counts SELECT pipeline, 'other', source, partition, 1, 1, 0, 0, 0, 0, 0, "
        "0, 0, 0, 0, 0 FROM ingest_counts LIMIT 1",
    )
    capsys.readouterr()
    assert audit(sink) == 1, "the ledger has not the record of the other table"
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert any(line.startswith("other: 1 read = 1 inserted") for line in lines), lines
    assert any("the counts of its tables do not add up" in line for line in lines)


def test_a_gap_is_found(sink: str, capsys: pytest.CaptureFixture[str]) -> None:
    query(sink, "UPDATE ingest_progress SET end_offset = 10 WHERE source LIKE '%a.jsonl'")
    query(
        sink,
        "INSERT INTO ingest_progress SELECT pipeline, source, partition, 20, 31, final, 0, 0, 0, 0, "
        "0, 0, 0, updated_at, 0, content, run, 0, 0 FROM ingest_progress WHERE source LIKE '%a.jsonl'",
    )
    capsys.readouterr()
    assert audit(sink, "--json") == 1
    broken = [each for each in json.loads(capsys.readouterr().out) if not each["ok"]]
    assert [each["gaps"] for each in broken] == [[[10, 20]]]


def test_counts_that_do_not_add_up_are_found(sink: str, capsys: pytest.CaptureFixture[str]) -> None:
    query(sink, "UPDATE ingest_progress SET inserted = inserted - 1 WHERE source LIKE '%a.jsonl'")
    capsys.readouterr()
    assert audit(sink) == 1
    assert "DOES NOT ADD UP" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("statement", "stored"),
    [
        (
            "UPDATE ingest_jobs SET state = 'retryable' WHERE source LIKE '%a.jsonl'",
            {"retrying": 1, "dead": 0},
        ),
        (
            "UPDATE ingest_progress SET dead = 0, retrying = 1 WHERE source LIKE '%a.jsonl'",
            {"retrying": 0, "dead": 1},
        ),
        (
            "UPDATE ingest_progress SET dead = 0, filtered = 1 WHERE source LIKE '%a.jsonl'",
            {"retrying": 0, "dead": 1},
        ),
    ],
)
def test_jobs_that_the_ledger_counts_otherwise_are_found(
    sink: str, capsys: pytest.CaptureFixture[str], statement: str, stored: dict[str, int]
) -> None:
    query(sink, statement)
    capsys.readouterr()
    assert audit(sink, "--json") == 1
    (broken,) = [each for each in json.loads(capsys.readouterr().out) if not each["ok"]]
    assert (broken["conserved"], broken["jobs"]) == (True, stored)
    assert audit(sink) == 1
    assert "JOBS DO NOT MATCH" in capsys.readouterr().out


def test_dead_letters_that_were_purged_are_still_accounted_for(
    sink: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dead_letters("purge", "--sink", sink, "--reason", "seen", "--by", "ann") == 0
    capsys.readouterr()
    assert audit(sink, "--json") == 0
    for partition in json.loads(capsys.readouterr().out):
        assert (partition["dead"], partition["purged"]) == (1, 1)
        assert partition["jobs"] == {"retrying": 0, "dead": 0}


def test_dead_letters_that_were_deleted_past_the_program_are_missed(
    sink: str, capsys: pytest.CaptureFixture[str]
) -> None:
    query(sink, "DELETE FROM ingest_jobs WHERE source LIKE '%a.jsonl'")
    capsys.readouterr()
    assert audit(sink) == 1
    out = capsys.readouterr().out
    assert "JOBS DO NOT MATCH" in out
    (line,) = [line for line in out.splitlines() if line.startswith("t: file://")]
    assert line.endswith(
        "): the ledger has 1 dead and 0 retrying, but there are 0 jobs that are dead, 0 that were "
        "purged, and 0 that wait"
    )


@pytest.mark.parametrize("command", [audit, partial(dead_letters, "list", "--sink")])
def test_a_database_without_our_tables_is_a_mistake_and_no_file_is_created(
    command: Callable[[str], int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(f"sqlite:///{tmp_path}/mistyped.db") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"sqlite database {tmp_path}/mistyped.db has no ingest_ tables" in line
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "empty.db").touch()
    assert command(f"sqlite:///{tmp_path}/empty.db") == 2
    (tmp_path / "other.db").write_text("no database " * 100)
    capsys.readouterr()
    assert command(f"sqlite:///{tmp_path}/other.db") == 2
    assert "file is not a database" in capsys.readouterr().err


def test_a_place_for_objects_is_one_line_that_asks_for_its_state(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert audit("s3://bucket/prefix?format=parquet") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("audit: argument --sink: s3:// holds objects only")
    assert "--state" in line


def test_an_unreachable_database_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit("postgresql://u:secret-word@127.0.0.1:9/db") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("audit: ")
    assert "secret-word" not in line


def test_what_failed_is_named_and_no_table_that_nobody_asked_for(
    sink: str, capsys: pytest.CaptureFixture[str]
) -> None:
    query(sink, "DROP TABLE ingest_jobs")
    capsys.readouterr()
    assert audit(sink) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"audit: sqlite database {sink.removeprefix('sqlite:///')} ")
    assert "refuses to read the ledger: no such table: ingest_jobs" in line


def test_what_is_to_be_copied_is_whole_on_a_narrow_terminal(
    sink: str,
    settled: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(
        command, "console", lambda: Console(width=40, force_terminal=True, no_color=True)
    )
    capsys.readouterr()
    assert audit(sink) == 0
    assert f" file://{settled.parent}/a.jsonl " in capsys.readouterr().out


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_output_that_is_lost_is_a_failure(
    more: tuple[str, ...], sink: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "lost", lambda: "No space left on device")
    assert audit(sink, *more) == command.FAILED
