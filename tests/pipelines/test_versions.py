"""Runs one after another over files that change: each record is one row, with a key and without."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipelines import command
from pipelines.ingest import main
from tests.pipelines import commands
from tests.pipelines.tables import query

pytestmark = pytest.mark.slow


def lines(first: int, last: int) -> bytes:
    return b"".join(b'{"id": %d}\n' % n for n in range(first, last + 1))


@pytest.fixture(params=["key", "origin"])
def key(request: pytest.FixtureRequest) -> list[str]:
    return ["--key", "id"] if request.param == "key" else []


def run(folder: Path, sink: str, key: list[str]) -> None:
    argv = ["--runner", "DirectRunner", "--source", f"{folder}/**", "--sink", sink]
    argv += ["--table", "events", "--no_progress", *key]
    assert command.run("ingest", main, argv) == 0


def rows(sink: str) -> int:
    (row,) = query(sink, "SELECT count(*) FROM events")
    count: Any = row[0]
    return int(count)


def test_a_log_that_is_written_rotated_touched_and_moved(
    tmp_path: Path, sink: str, key: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "log"
    (folder / "done").mkdir(parents=True)
    log = folder / "app.log"
    log.write_bytes(lines(1, 40) + b'{"id": 41}')
    run(folder, sink, key)
    assert rows(sink) == 41
    with log.open("ab") as file:
        file.write(b"\n" + lines(42, 60))
    run(folder, sink, key)
    assert rows(sink) == 60
    assert "1 file read on from where reading had ended" in capsys.readouterr().out
    os.utime(log)
    run(folder, sink, key)
    log.rename(folder / "done" / "app.log")
    run(folder, sink, key)
    assert rows(sink) == 60
    with (folder / "done" / "app.log").open("ab") as file:
        file.write(lines(61, 62))
    (folder / "done" / "app.log").rename(folder / "done" / "app.log.1")
    (folder / "done" / "app.log").write_bytes(lines(63, 70))
    run(folder, sink, key)
    assert rows(sink) == 70
    capsys.readouterr()
    assert commands.audit(sink) == 0
    assert "0 still open" in capsys.readouterr().out


def test_a_copy_and_a_rewrite_are_read_and_only_a_key_recognises_their_records(
    tmp_path: Path, sink: str, key: list[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(lines(1, 10))
    run(folder, sink, key)
    shutil.copy2(folder / "a.jsonl", folder / "b.jsonl")
    run(folder, sink, key)
    assert rows(sink) == (10 if key else 20)
    (folder / "a.jsonl").write_bytes(lines(2, 11))
    run(folder, sink, key)
    assert rows(sink) == (11 if key else 30)
    assert commands.audit(sink) == 0


def test_a_file_that_was_begun_with_other_quotes_is_refused_in_one_line(
    tmp_path: Path, sink: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,v\n1,x\n")
    assert commands.ingest(path, sink) == 0
    query(sink, "UPDATE ingest_progress SET final = (1 = 0)")
    capsys.readouterr()
    assert commands.ingest(path, sink, "--csv_quote", "'") == 2
    error = capsys.readouterr().err
    assert "a.csv was read as (csv \") up to offset 9 and is read as (csv ') now" in error
    assert commands.ingest(path, sink) == 0
    assert commands.audit(sink) == 0
