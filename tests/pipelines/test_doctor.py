"""The doctor: what it prints of a database, and its exit code for monitoring."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines import command
from pipelines import doctor as doctor_command
from pipelines.conformance import suite
from tests.pipelines.commands import ingest, ingested
from tests.pipelines.tables import query


def doctor(sink: str, *more: str) -> int:
    return command.run("doctor", doctor_command.main, ["--sink", sink, *more])


def answer(capsys: pytest.CaptureFixture[str], sink: str, *more: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    doctor(sink, "--json", *more)
    items: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return items


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "1"}\n{"id": "2"}\n')
    return path


def test_after_an_ingest_all_is_well(
    sink: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ingested(file, sink)
    capsys.readouterr()
    assert doctor(sink, "--fail_on", "warning") == 0
    out = capsys.readouterr().out
    assert "ok: versions" in out
    assert "warning" not in out
    items = answer(capsys, sink)
    assert all(
        item.keys() == {"check", "level", "what", "where", "do", "figures"} for item in items
    )


def test_dead_letters_are_a_warning_with_hostile_messages_made_harmless(
    sink: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text('{"id": "1"}\nx\n')
    assert ingest(file, sink, "--max_dead", "100%") == 0
    message = "boom \x1b[2J[red]\n postgresql\\://u\\:hunter2hunter2@h/d"  # no parameters
    query(sink, f"UPDATE ingest_jobs SET message = '{message}'")
    capsys.readouterr()
    assert doctor(sink) == 0
    out = capsys.readouterr().out
    assert "warning: dead_letters [parse]: 1 dead letter of parse/malformed" in out
    assert "boom \\x1b[2J[red]" in out
    assert "hunter2" not in out
    assert "\x1b" not in out
    assert doctor(sink, "--fail_on", "warning") == 6
    (item,) = [item for item in answer(capsys, sink) if item["level"] == "warning"]
    assert item["figures"]["count"] == 1
    assert len(item["figures"]["fingerprint"]) == 12
    assert "hunter2" not in json.dumps(item)


def test_an_error_is_exit_code_6_and_stands_first(
    sink: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ingested(file, sink)
    query(sink, "DROP INDEX ingest_queue_next")
    capsys.readouterr()
    assert doctor(sink) == 6
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("error: indexes [ingest_queue]: index ingest_queue_next is missing")
    assert second.startswith("    run: CREATE INDEX ingest_queue_next")
    query(sink, second.strip().removeprefix("run: "))
    assert doctor(sink) == 0


def test_it_changes_nothing(sink: str, file: Path) -> None:
    ingested(file, sink)
    tables = ("ingest_audit", "ingest_runs", "ingest_leases", "ingest_progress")
    before = [query(sink, f"SELECT * FROM {table}") for table in tables]
    assert doctor(sink) == 0
    assert [query(sink, f"SELECT * FROM {table}") for table in tables] == before


@pytest.mark.parametrize(
    ("more", "part"),
    [
        (("--pipeline", "x"), "there is no pipeline 'x' here; there are events"),
        (("--role", "nobody"), "role"),
        (("--fail_on", "skipped"), "invalid choice"),
    ],
)
def test_a_mistake_is_one_line(
    sink: str, file: Path, more: tuple[str, ...], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ingested(file, sink)
    capsys.readouterr()
    assert doctor(sink, *more) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert part in captured.err
    assert len(captured.err.strip().splitlines()) == 1


def test_a_database_that_is_away_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor("postgresql://user@127.0.0.1:1/db") == 1
    assert "cannot reach" in capsys.readouterr().err


def test_a_database_without_tables_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor(f"sqlite:///{tmp_path}/none.db") == 2
    assert "nothing was ingested" in capsys.readouterr().err
    assert not (tmp_path / "none.db").exists()


def test_conformance_is_a_line_a_check_and_an_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = suite.CHECKS
    never = replace(first, run=lambda _ground, trial: trial.equal("one", 1, 2))
    monkeypatch.setattr(suite.results, "__defaults__", ((first,),))
    sink = f"sqlite:///{tmp_path}/a.db"
    assert doctor(sink, "--conformance") == 0
    line, total = capsys.readouterr().out.splitlines()
    assert line == f"passed: {first.name}"
    assert total.startswith("1 checks: 1 passed, in ")
    monkeypatch.setattr(suite.results, "__defaults__", ((never,),))
    (item,) = answer(capsys, sink, "--conformance")
    assert (item["status"], item["why"]) == ("failed", "one: expected 2, got 1")
    assert doctor(sink, "--conformance") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("sink", "code"), [("sqlite://", 2), ("postgresql://x@127.0.0.1:1/x", 1)])
def test_conformance_of_no_database(
    sink: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor(sink, "--conformance") == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("doctor: ")


def test_conformance_is_not_about_pipelines(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor("sqlite:///a.db", "--conformance", "--pipeline", "orders") == 2
    assert "--pipeline is about the pipelines" in capsys.readouterr().err
