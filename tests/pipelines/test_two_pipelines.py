"""Two pipelines may read one source into one table: each has a ledger and jobs of its own."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines.ingest import ingest
from tests.pipelines import commands
from tests.pipelines.tables import query
from transforms.batch.record import Record
from transforms.steps.each_record import EachRecord

LINES = b'{"id": 1, "n": 1}\n{"id": 2, "n":\n{"id": 3, "n": 3}\n'


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.integration)])
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/a.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "a.jsonl").write_bytes(LINES)
    return tmp_path / "a.jsonl"


def test_each_reads_all_of_it_and_the_audit_shows_both(
    sink: str, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = commands.ingested(source, sink)
    second = commands.ingested(source, sink, "--pipeline", "again")
    assert (first["read"], first["inserted"], first["dead"]) == (3, 2, 1)
    assert (second["read"], second["duplicates"], second["dead"]) == (3, 2, 1)
    assert commands.ingested(source, sink)["read"] == 0
    assert commands.ingested(source, sink, "--pipeline", "again")["read"] == 0
    capsys.readouterr()
    assert commands.audit(sink, "--json") == 0
    again, events = json.loads(capsys.readouterr().out)
    for partition, outcome in ((events, "inserted"), (again, "duplicates")):
        assert partition["target"] == "events"
        assert (partition["read"], partition[outcome], partition["dead"]) == (3, 2, 1)
        assert partition["tables"]["events"][outcome] == 2
        assert partition["jobs"] == {"retrying": 0, "dead": 1}
    assert (again["pipeline"], events["pipeline"]) == ("again", "events")
    assert commands.audit(sink) == 0
    shown = capsys.readouterr().out
    assert "again" in shown
    assert "6 read = 2 inserted + 0 updated + 0 deleted + 2 duplicates" in shown


OTHER: list[tuple[Path, str]] = []
CODES: list[int] = []


def ingest_another(record: Record) -> Record:
    """At the first record, start another ingest in a thread of this process, and wait for it."""
    if OTHER:
        source, sink = OTHER.pop()
        with ThreadPoolExecutor(1) as thread:
            CODES.append(thread.submit(commands.ingest, source, sink).result())
    return record


def test_in_threads_of_one_process_the_second_is_refused_and_the_first_counts_its_own(
    tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    OTHER.append((source, f"sqlite:///{tmp_path}/other.db"))
    CODES.clear()
    sink = f"sqlite:///{tmp_path}/a.db"
    arguments = commands.arguments(source, sink, "--summary_json", f"{tmp_path}/summary.json")
    assert ingest(steps=[EachRecord(ingest_another, "Another")], argv=arguments) == 0
    assert CODES == [2]
    assert commands.printed(capsys.readouterr().err) == [
        "ingest: another thread of this process runs a pipeline; start each in a process of its own"
    ]
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["read"], summary["inserted"], summary["dead"]) == (3, 2, 1)
    assert not (tmp_path / "other.db").exists()


def test_a_job_that_another_pipeline_adopts_stays_in_the_ledger_of_its_reader(
    sink: str, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.ingested(source, sink)
    options = ("--sink", sink, "--by", "ann", "--reason", "it moves")
    adopt = ("adopt", *options, "--pipeline", "again", "--from_pipeline", "events", "--no_steps")
    assert commands.dead_letters(*adopt) == 0
    repaired = b'{"id": 2, "n": 2}'.hex()
    literal = f"X'{repaired}'" if sink.startswith("sqlite") else f"'\\x{repaired}'"
    query(sink, f"UPDATE ingest_jobs SET raw = {literal}")
    assert commands.dead_letters("replay", *options) == 0
    taken = commands.ingested(source, sink, "--pipeline", "again")
    assert (taken["read"], taken["inserted"], taken["dead"]) == (4, 1, 1)
    capsys.readouterr()
    commands.audit(sink, "--json")
    again, events = json.loads(capsys.readouterr().out)
    assert (events["read"], events["inserted"], events["dead"]) == (3, 3, 0)
    assert (again["read"], again["duplicates"], again["dead"]) == (3, 2, 1)
    assert again["ok"]
    assert events["ok"]


def test_a_name_that_belongs_to_another_table_is_refused(
    sink: str, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.ingested(source, sink, "--pipeline", "first")
    capsys.readouterr()
    assert commands.ingest(source, sink, "--pipeline", "first", table="others") == 2
    error = capsys.readouterr().err
    assert "pipeline first writes table events, not others" in error
    assert error.count("\n") == 1
