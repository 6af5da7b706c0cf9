from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from pipelines import command, dead_letters, ingest


@pytest.fixture
def sink(tmp_path: Path) -> str:
    """A database with three dead letters, one of which is no text."""
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'{"id":"good"}\n{"id":\n[red]7[/red]\n"\xff\x00"\n')
    url = f"sqlite:///{tmp_path}/a.db"
    argv = ["--source", str(path), "--sink", url, "--table", "t", "--key", "id", "--no_progress"]
    assert command.run("ingest", ingest.main, argv) == 0
    return url


def run(*argv: str) -> int:
    return command.run("dead_letters", dead_letters.main, argv)


def listed(sink: str, capsys: pytest.CaptureFixture[str], *more: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert run("list", "--sink", sink, "--json", *more) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


class TestList:
    def test_bytes_come_whole_whether_text_or_not(
        self, sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        found = listed(sink, capsys)
        raws = [base64.b64decode(each["raw_base64"]) for each in found]
        assert raws == [b'"\xff\x00"', b"[red]7[/red]", b'{"id":']
        assert [each["text"] for each in found] == [None, "[red]7[/red]", '{"id":']
        assert [each["category"] for each in found] == ["invalid_utf8", "malformed", "malformed"]
        assert [each["offset"] for each in found] == [34, 21, 14]

    def test_filters_narrow_it_down(self, sink: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert len(listed(sink, capsys, "--category", "malformed")) == 2
        assert len(listed(sink, capsys, "--text", "red")) == 1
        assert len(listed(sink, capsys, "--state", "completed")) == 0
        assert len(listed(sink, capsys, "--stage", "write")) == 0
        assert len(listed(sink, capsys, "--table", "t", "--limit", "2")) == 2

    def test_payload_is_printed_as_it_is_and_never_as_markup(
        self, sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        capsys.readouterr()
        assert run("list", "--sink", sink) == 0
        out = capsys.readouterr().out
        assert "[red]7[/red]" in out
        assert "3 of 3 discarded" in out


class TestShow:
    def test_one_is_shown_whole(self, sink: str, capsys: pytest.CaptureFixture[str]) -> None:
        job = listed(sink, capsys, "--category", "invalid_utf8")[0]["id"]
        assert run("show", "--sink", sink, "--id", str(job)) == 0
        out = capsys.readouterr().out
        assert "22 ff 00 22" in out
        assert "invalid_utf8" in out
        assert "Traceback" in out

    def test_an_unknown_number_is_one_line(
        self, sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        capsys.readouterr()
        assert run("show", "--sink", sink, "--id", "999") == 2
        assert capsys.readouterr().err == (
            "dead_letters: there is no dead letter 999 in this database\n"
        )


class TestStats:
    def test_kinds_are_counted(self, sink: str, capsys: pytest.CaptureFixture[str]) -> None:
        capsys.readouterr()
        assert run("stats", "--sink", sink, "--json") == 0
        assert [
            (each["category"], each["count"]) for each in json.loads(capsys.readouterr().out)
        ] == [("invalid_utf8", 1), ("malformed", 2)]


def test_an_action_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 2
    assert "list|show|stats" in capsys.readouterr().err
