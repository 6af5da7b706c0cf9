"""Files that are gone are forgotten in the ledger: by the command, after an ingest has read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines import command
from pipelines import ledger as ledger_command
from tests.pipelines.commands import audit, ingest, ingested
from tests.pipelines.tables import query

WHY = ("--reason", "deleted upstream", "--by", "ann", "--yes")


def forget(sink: str, source: str | Path, *more: str, age: str = "0s") -> int:
    argv = ["forget", "--sink", sink, "--source", str(source), "--older_than", age, *more]
    return command.run("ledger", ledger_command.main, argv)


def answer(capsys: pytest.CaptureFixture[str], *arguments: Any, **more: Any) -> dict[str, Any]:
    capsys.readouterr()
    assert forget(*arguments, "--json", **more) == 0
    (said,) = json.loads(capsys.readouterr().out)
    return dict(said)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a b.jsonl").write_text('{"id": "1"}\n{"id": "2"}\n')
    (folder / "stays.jsonl").write_text('{"id": "3"}\n')
    return folder


def test_a_forgotten_file_is_read_again_and_the_key_decides(
    sink: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    glob = files / "*.jsonl"
    assert ingested(glob, sink)["inserted"] == 3
    gone = files / "a b.jsonl"
    text, status = gone.read_text(), gone.stat()
    gone.unlink()
    said = answer(capsys, sink, glob)
    assert (said["count"], said["left_alone"], said["dry_run"]) == (1, {"present": 1}, True)
    assert said["first"][0]["source"].endswith("/a%20b.jsonl")
    assert query(sink, "SELECT count(*) FROM ingest_audit") == [(0,)]
    said = answer(capsys, sink, glob, *WHY)
    assert (said["count"], said["dry_run"]) == (1, False)
    assert query(sink, "SELECT action, actor, reason, count FROM ingest_audit") == [
        ("forget", "ann", "deleted upstream", 1)
    ]
    assert audit(sink) == 0
    assert answer(capsys, sink, glob, *WHY)["count"] == 0
    gone.write_text(text)
    assert gone.stat().st_size == status.st_size
    summary = ingested(glob, sink)
    assert (summary["read"], summary["duplicates"], summary["inserted"]) == (2, 2, 0)
    assert audit(sink) == 0


def test_it_says_what_it_leaves_alone_and_how_to_do_it(
    sink: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    glob = files / "*.jsonl"
    ingested(glob, sink)
    (files / "a b.jsonl").unlink()
    capsys.readouterr()
    assert forget(sink, glob) == 0
    said = capsys.readouterr().out
    assert "would forget 1; nothing was changed: --yes --reason TEXT does it" in said
    assert "1 left alone: still there" in said
    assert forget(sink, glob, *WHY) == 0
    assert "1 forgotten" in capsys.readouterr().out


def test_young_files_stay_and_present_ones_go_where_nobody_looks(
    sink: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    glob = files / "*.jsonl"
    ingested(glob, sink)
    assert answer(capsys, sink, glob, "--no_look", age="1d")["left_alone"] == {"young": 2}
    assert answer(capsys, sink, glob, "--no_look")["count"] == 2


@pytest.mark.parametrize(
    ("source", "more", "part"),
    [
        ("kafka://b:9092/t", WHY, "the ledger of a topic stays"),
        ("in/*.jsonl", ("--yes",), "--reason TEXT"),
        ("in/*.jsonl", ("--pipeline", "nobody"), "there are events"),
        ("in/*.csv", (), "the ledger has nothing of --source"),
        ("absent/*.jsonl", (), "is not on this machine"),
        ("ftp://host/x", (), "unknown scheme 'ftp'"),
    ],
)
def test_a_mistake_is_one_line(
    sink: str,
    files: Path,
    source: str,
    more: tuple[str, ...],
    part: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(files.parent)
    ingest("in/*.jsonl", sink)
    capsys.readouterr()
    assert forget(sink, source, *more) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert part in captured.err
    assert len(captured.err.strip().splitlines()) == 1


def test_a_database_without_a_ledger_is_refused(
    sink: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert forget(sink, files / "*") == 2
    assert "nothing was ingested into it" in capsys.readouterr().err
