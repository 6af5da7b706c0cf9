"""A changed step is a new version of its pipeline: runs show it, and it heals old jobs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines import runs as runs_command
from pipelines.command import run as run_command
from pipelines.ingest import ingest
from tests.pipelines.commands import arguments, dead_letters
from tests.pipelines.tables import query
from transforms.batch.record import Record
from transforms.steps.each_record import EachRecord

pytestmark = pytest.mark.slow


def first(record: Record) -> Record:
    return record.with_value({**record.value, "name": record.value["name"].upper()})


def second(record: Record) -> Record:
    return record.with_value({**record.value, "name": str(record.value["name"] or "").upper()})


def shown(command: Any, name: str, capsys: pytest.CaptureFixture[str], *argv: str) -> Any:
    capsys.readouterr()
    assert run_command(name, command, list(argv)) == 0
    return json.loads(capsys.readouterr().out)


def versions_of_runs(sink: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The versions of the runs, the first one first."""
    rows = shown(runs_command.main, "runs", capsys, "list", "--sink", sink, "--json")
    return [row["pipeline_version"] for row in reversed(rows)]


def replay(sink: str) -> None:
    assert dead_letters("replay", "--sink", sink, "--reason", "the step is repaired") == 0


def test_old_jobs_run_with_the_new_body_and_both_versions_are_shown(
    sink: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    query(sink, "CREATE TABLE people (id integer PRIMARY KEY, name text)")
    (tmp_path / "a.jsonl").write_text('{"id":1,"name":"a"}\n{"id":2,"name":null}\n')
    argv = arguments(f"{tmp_path}/a.jsonl", sink, "--max_dead=100%", table="people")
    assert ingest(steps=[EachRecord(first, "Upper")], argv=argv) == 0
    replay(sink)
    assert ingest(steps=[EachRecord(second, "Upper")], argv=argv) == 0
    assert query(sink, "SELECT id, name FROM people ORDER BY id") == [(1, "A"), (2, "")]
    before, after = versions_of_runs(sink, capsys)
    assert before != after

    assert dead_letters("show", "--sink", sink, "--id", "1", "--json") == 0
    (job,) = json.loads(capsys.readouterr().out)
    assert (job["state"], job["version"]) == ("completed", after)
    assert [error["version"] for error in job["errors"]] == [before]
    assert dead_letters("show", "--sink", sink, "--id", "1") == 0
    text = capsys.readouterr().out
    assert f"version {before}" in text
    assert after in text

    assert run_command("runs", runs_command.main, ["list", "--sink", sink]) == 0
    listed = capsys.readouterr().out
    assert before[:8] in listed
    assert after[:8] in listed
    (run_id, _) = (row["id"] for row in shown_runs(sink, capsys))
    assert run_command("runs", runs_command.main, ["show", "--sink", sink, "--run", run_id]) == 0
    assert after in capsys.readouterr().out


def shown_runs(sink: str, capsys: pytest.CaptureFixture[str]) -> Any:
    return shown(runs_command.main, "runs", capsys, "list", "--sink", sink, "--json")


def test_a_changed_mapping_is_a_new_version_that_heals(
    sink: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    query(sink, "CREATE TABLE people (id integer PRIMARY KEY, born date)")
    (tmp_path / "a.jsonl").write_text(
        '{"id":1,"born":"1815-12-10"}\n{"id":2,"born":"27.11.1852"}\n'
    )
    more = ("--max_dead=100%", "--map", f"{tmp_path}/map.json")
    argv = arguments(f"{tmp_path}/a.jsonl", sink, *more, table="people")
    mapping = tmp_path / "map.json"
    mapping.write_text(json.dumps([{"cast": {"born": "date"}}]))
    assert ingest(argv=argv) == 0
    assert query(sink, "SELECT stage, mapped FROM ingest_jobs") == [("map", True)]
    replay(sink)
    mapping.write_text(
        json.dumps([{"cast": {"born": {"to": "date", "formats": ["iso", "%d.%m.%Y"]}}}])
    )
    assert ingest(argv=argv) == 0
    rows = query(sink, "SELECT id, CAST(born AS text) FROM people ORDER BY id")
    assert rows == [(1, "1815-12-10"), (2, "1852-11-27")]
    before, after = versions_of_runs(sink, capsys)
    assert before != after
