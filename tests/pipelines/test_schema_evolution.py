"""Tables that change with their records, by whole runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines import commands
from tests.pipelines.commands import audit, dead_letters, ingest
from tests.pipelines.tables import query

pytestmark = pytest.mark.slow

DUE = "UPDATE ingest_queue SET due_at = '2020-01-01 00:00:00'"


def ingested(source: Path, sink: str, *more: str) -> dict[str, Any]:
    """A run that leaves what is due later."""
    return commands.ingested(source, sink, "--retry_wait", "0", *more)


def write(path: Path, *records: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_columns_are_added_for_json_and_for_csv(
    sink: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = write(tmp_path / "a.jsonl", {"id": "1", "size": 2}, {"id": "2", "ok": True})
    summary = ingested(first, sink, "--evolve", "add")
    assert (summary["inserted"], summary["columns_added"]) == (2, 2)
    assert "added: 2 columns" in capsys.readouterr().out
    csv = tmp_path / "b.csv"
    csv.write_text("id,size,colour\n3,7,red\n")
    summary = ingested(csv, sink, "--evolve", "add")
    assert (summary["inserted"], summary["columns_added"], summary["dead"]) == (1, 1, 0)
    rows = query(sink, "SELECT id, size, colour FROM events ORDER BY id")
    assert rows == [("1", 2, None), ("2", None, None), ("3", 7, "red")]
    assert audit(sink) == 0


def test_a_record_waits_without_using_attempts_until_its_table_takes_it(
    sink: str, tmp_path: Path
) -> None:
    query(sink, "CREATE TABLE events (id varchar(9) PRIMARY KEY)")
    source = write(tmp_path / "a.jsonl", {"id": "1", "size": 2}, {"id": "2"})
    summary = ingested(source, sink, "--schema_wait", "3600", "--max_attempts", "2")
    assert (summary["inserted"], summary["retrying"], summary["dead"]) == (1, 1, 0)
    for _ in range(3):
        query(sink, DUE)
        assert ingested(source, sink, "--schema_wait", "3600")["attempts"] == 1
    state = query(sink, "SELECT state, category, attempt FROM ingest_jobs")
    assert state == [("scheduled", "schema_change", 0)]
    query(sink, "ALTER TABLE events ADD COLUMN size integer")
    query(sink, DUE)
    assert ingested(source, sink, "--schema_wait", "3600")["scheduled"] == 0
    assert query(sink, "SELECT id, size FROM events ORDER BY id") == [("1", 2), ("2", None)]
    assert audit(sink) == 0


def test_another_rule_heals_and_a_wait_that_is_over_makes_a_dead_letter(
    sink: str, tmp_path: Path
) -> None:
    query(sink, "CREATE TABLE events (id varchar(9) PRIMARY KEY)")
    source = write(tmp_path / "a.jsonl", {"id": "1", "size": 2}, {"id": "2", "ID": 2})
    assert ingested(source, sink, "--schema_wait", "3600")["retrying"] == 2
    query(sink, DUE)
    summary = ingested(source, sink, "--evolve", "add")
    assert (summary["columns_added"], summary["scheduled"]) == (1, 1)
    assert query(sink, "SELECT id, size FROM events") == [("1", 2)]
    query(sink, DUE)
    ingested(source, sink, "--evolve", "add", "--schema_wait", "0.000001")
    assert query(sink, "SELECT category FROM ingest_jobs WHERE state = 'discarded'") == [
        ("schema_change",)
    ]
    # A replay lets it wait anew.
    assert dead_letters("replay", "--sink", sink, "--reason", "a test") == 0
    ingested(source, sink, "--evolve", "add")
    assert query(sink, "SELECT state FROM ingest_jobs WHERE state <> 'completed'") == [
        ("scheduled",)
    ]
    assert audit(sink) == 0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--create", "never"], "--create never forbids it"),
        (["--unknown_fields", "payload"], "leave one of them out"),
    ],
)
def test_what_contradicts_it_is_refused_in_one_line(
    more: list[str], said: str, sink: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "a.jsonl", {"id": "1"})
    assert ingest(source, sink, "--evolve", "add", *more) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
