"""Change events from files to the table, as the command line reads them."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from benchmarks.changes.records import Source, write
from tests.pipelines.commands import arguments, audit, ingest, ingested
from tests.pipelines.programs import running, wait_for_rows
from tests.pipelines.tables import query

TABLE = "CREATE TABLE events (id integer PRIMARY KEY, n bigint, gone boolean)"
ENVELOPE = ("--envelope", "debezium", "--on_conflict", "newest:@position")


def lines(path: Path, *values: Any) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


@pytest.fixture
def url(tmp_path: Path) -> str:
    with sqlite3.connect(tmp_path / "changes.db") as connection:
        connection.execute(TABLE)
    connection.close()
    return f"sqlite:///{tmp_path}/changes.db"


@pytest.mark.slow
@pytest.mark.parametrize("on_delete", ["delete", "mark:gone"])
def test_a_killed_run_over_changes_ends_in_the_rows_of_the_source(
    on_delete: str, url: str, tmp_path: Path
) -> None:
    source = Source(keys=300)
    records = write(tmp_path / "in", source, 12_000)
    files, flags = f"{tmp_path}/in/*.jsonl", (*ENVELOPE, "--on_delete", on_delete)
    with running(arguments(files, url, *flags)) as process:
        wait_for_rows(process, url, 1)
        process.kill()
    ingested(files, url, *flags)
    shutil.copytree(tmp_path / "in", tmp_path / "again")
    again = ingested(f"{tmp_path}/again/*.jsonl", url, *flags)
    assert again["read"] == again["duplicates"] == records
    condition = "NOT gone" if on_delete == "mark:gone" else "true"
    assert dict(query(url, f"SELECT id, n FROM events WHERE {condition}")) == source.rows
    assert audit(url) == 0


def test_a_condition_says_what_is_gone(url: str, tmp_path: Path) -> None:
    rows = [{"id": 1, "n": 1}, {"id": 2, "n": 1}, {"id": 1, "n": 2, "state": "closed"}]
    summary = ingested(
        *(lines(tmp_path / "a.jsonl", *rows), url, "--on_conflict", "newest:n"),
        *("--on_delete", "delete", "--delete_when", "{field: state, is: closed}"),
    )
    assert (summary["inserted"], summary["deleted"]) == (2, 1)
    assert query(url, "SELECT id FROM events") == [(2,)]


def test_a_mapping_shapes_rows_and_deletes_alike(url: str, tmp_path: Path) -> None:
    mapping = tmp_path / "map.yaml"
    mapping.write_text("- rename: {number: id}\n")
    events = [
        {"op": "c", "after": {"number": 1, "n": 1}, "source": {"lsn": 1}},
        {"op": "c", "after": {"number": 2, "n": 1}, "source": {"lsn": 2}},
        {"op": "d", "before": {"number": 1, "n": 1}, "source": {"lsn": 3}},
    ]
    path = lines(tmp_path / "a.jsonl", *events)
    more = (*ENVELOPE, "--on_delete", "delete", "--map", str(mapping))
    summary = ingested(path, url, *more)
    assert (summary["inserted"], summary["deleted"], summary["dead"]) == (2, 1, 0)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            ("--on_delete", "delete"),
            "--on_delete delete needs an order, and --on_conflict is ignore",
        ),
        (
            ("--on_delete", "mark:at", *ENVELOPE),
            "has no column at that --on_delete mark:at could set",
        ),
        (("--on_delete", "delete", "--on_conflict", "newest:gone"), "compares whole numbers"),
    ],
)
def test_what_cannot_be_ordered_ends_before_anything_is_read(
    more: tuple[str, ...],
    message: str,
    url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ingest(lines(tmp_path / "a.jsonl"), url, *more) == 2
    assert message in capsys.readouterr().err
