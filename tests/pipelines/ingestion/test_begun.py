"""What a run logs while it runs, as programs read it: no payload and no secret."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines import command
from pipelines.ingest import main
from tests.pipelines.commands import arguments

PAYLOAD = "payload-canary"
SECRET = "secret-canary"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text(
        f'{{"id": "1", "note": "{PAYLOAD}"}}\n{PAYLOAD}\n{PAYLOAD}\n{{"note": "{PAYLOAD}"}}\n'
    )
    return path


def logged(capsys: pytest.CaptureFixture[str], *argv: str) -> list[dict[str, Any]]:
    """The lines of a run that has to succeed, which are all that is on stderr."""
    assert command.run("ingest", main, list(argv)) == 0
    text = capsys.readouterr().err
    assert PAYLOAD not in text
    assert SECRET not in text
    return [json.loads(line) for line in text.splitlines()]


def test_a_run_says_its_begin_and_the_first_dead_letter_of_each_kind(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sink = f"sqlite:///{tmp_path}/a.db?token={SECRET}"
    base = f"sqlite:///{tmp_path}/a.db"
    more = ("--max_dead=100%", "--log_level=info", "--kafka_config", f"sasl.password={SECRET}")
    begin, *dead = logged(capsys, *arguments(source, base, *more, table="t"))
    assert sink not in json.dumps(begin)
    assert begin["level"] == "info"
    assert begin["sources"] == [str(source)]
    assert (begin["pipeline"], begin["target"], begin["streaming"]) == ("t", "t", False)
    assert begin["runner"] == "DirectRunner"
    kinds = [(line["stage"], line["category"], line["offset"]) for line in dead]
    lengths = list(map(len, source.read_bytes().splitlines(keepends=True)))
    assert kinds == [("parse", "malformed", lengths[0]), ("write", "key", sum(lengths[:3]))]
    assert {line["level"] for line in dead} == {"warning"}
    assert {line["source"] for line in dead} == {source.as_uri()}
    assert {line["run"] for line in dead} == {begin["run"]}


def test_beside_a_bar_on_a_terminal_the_begin_is_not_said(
    source: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    more = ("--max_dead=100%", "--log_level=info")
    for mode, said in (("bar", False), ("plain", True)):
        argv = arguments(source, f"sqlite:///{tmp_path}/{mode}.db", *more, table="t")
        assert command.run("ingest", main, [*argv, f"--progress={mode}"]) == 0
        assert (" begins: pipeline t" in capsys.readouterr().err) == said
