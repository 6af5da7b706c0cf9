"""Which runs go on, which have ended and how: as an ingest enters them, and as `runs` shows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines import command
from pipelines import runs as runs_command
from runners import streams
from tests.pipelines.commands import ingest
from tests.pipelines.tables import query


def runs(action: str, sink: str, *more: str) -> int:
    return command.run("runs", runs_command.main, [action, "--sink", sink, *more])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "1"}\n{"id": "2"}\n{"id": "2"}\nx\n')
    return path


def listed(sink: str, capsys: pytest.CaptureFixture[str], *more: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert runs("list", sink, "--json", *more) == 0
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return rows


def test_an_ingest_is_a_run_with_what_it_has_settled(
    sink: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ingest(file, sink, "--max_dead", "100%") == 0
    (row,) = listed(sink, capsys)
    assert (row["state"], row["pipeline"], row["runner"]) == ("completed", "events", "DirectRunner")
    counts = {name: row[name] for name in ("read", "inserted", "duplicates", "dead")}
    assert counts == {"read": 4, "inserted": 2, "duplicates": 1, "dead": 1}
    assert row["options"]["max_dead"] == "100%"
    assert row["ended_at"] >= row["started_at"]
    assert query(sink, "SELECT DISTINCT run FROM ingest_progress") == [(row["id"],)]


def test_an_error_ends_it_with_its_line(
    sink: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ingest(file, sink, "--max_dead", "100%") == 0
    assert ingest(file.parent / "*.gone", sink) == 2
    newest, _ = listed(sink, capsys)
    assert newest["state"] == "failed"
    assert "gone" in newest["message"]


def test_options_are_kept_without_secrets(
    sink: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--kafka_config", "sasl.password=hunter2hunter2", "--max_dead", "100%")
    assert ingest(file, sink, *more) == 0
    (row,) = listed(sink, capsys)
    assert row["options"]["kafka_config"] == ["sasl.password"]
    assert "hunter2" not in json.dumps(row)


def test_they_are_shown_for_people(
    sink: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ingest(file, sink, "--max_dead", "100%") == 0
    (row,) = listed(sink, capsys)
    assert runs("list", sink) == 0
    assert row["id"][:8] in capsys.readouterr().out
    assert runs("show", sink, "--run", row["id"][:8]) == 0
    out = capsys.readouterr().out
    assert all(part in out for part in (row["id"], "completed", "--max_dead", "4"))
    assert runs("list", sink, "--pipeline", "others") == 0
    assert "no runs" in capsys.readouterr().out


def test_a_run_that_is_not_there_is_a_usage_error(
    sink: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runs("list", sink) == 2
    assert "no ingest_ tables" in capsys.readouterr().err
    assert ingest(file, sink, "--max_dead", "100%") == 0
    assert runs("show", sink, "--run", "zzz") == 2
    assert "no run begins with 'zzz'" in capsys.readouterr().err


def test_a_run_deletes_the_entries_of_old_ones_where_it_is_told_so(sink: str, file: Path) -> None:
    budget = ("--max_dead", "100%")
    assert ingest(file, sink, *budget) == 0
    assert ingest(file, sink, *budget, "--retain", "runs=0s") == 0
    assert query(sink, "SELECT count(*) FROM ingest_runs") == [(1,)]
    assert query(sink, "SELECT action, actor, count FROM ingest_audit") == [("prune", "ingest", 1)]


def test_output_that_is_lost_is_a_failure(
    sink: str, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ingest(file, sink, "--max_dead", "100%") == 0
    (row,) = listed(sink, capsys)
    monkeypatch.setattr(streams, "lost", lambda: "No space left on device")
    assert runs("list", sink) == command.FAILED
    assert runs("list", sink, "--json") == command.FAILED
    assert runs("show", sink, "--run", row["id"]) == command.FAILED
