"""Two pipelines may read one source into one table: each has a ledger and jobs of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.pipelines import commands
from tests.pipelines.tables import query

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
    assert "6 read = 2 inserted + 0 updated + 2 duplicates" in shown


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
