"""``sluice plan``: its page, its options and its exit codes."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from pipelines import command
from pipelines.planning.command import main
from tests.pipelines.tables import query
from tests.test_readme import ROOT, blocks, commands, pattern, squeezed

PAGE = (ROOT / "docs" / "plan.md").read_text()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of the page, in the current folder."""
    for kind in ("csv", "yaml"):
        for name, text in blocks(PAGE, kind):
            (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def planned(*argv: str) -> int:
    return command.run("plan", main, argv)


def test_the_page_shows_what_is_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shown,) = commands(PAGE)
    name, subject, *argv = shlex.split(shown.text)
    assert (name, subject, planned(*argv)) == ("sluice", "plan", 0)
    printed = "".join(f"{squeezed(line)}\n" for line in capsys.readouterr().out.splitlines())
    assert pattern(shown.output).fullmatch(printed), printed
    assert sorted(path.name for path in folder.iterdir()) == ["orders.csv", "orders.yaml"]


def test_dead_letters_have_an_exit_code_of_their_own_if_asked_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert planned("orders.yaml", "--json", "--fail_on_dead_letters") == command.DEAD_LETTERS
    printed = json.loads(capsys.readouterr().out)
    assert (printed["read"], printed["dead"], printed["created"]) == (4, 1, ["orders"])
    assert planned("orders.yaml", "--sample", "2", "--fail_on_dead_letters") == command.OK


def test_settings_are_laid_over_the_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{folder}/other.db"
    query(url, "CREATE TABLE buyers (id BIGINT PRIMARY KEY, customer TEXT, amount BIGINT)")
    assert planned("orders.yaml", "--json", "--set", "table=buyers", "--set", f"sink={url}") == 0
    assert json.loads(capsys.readouterr().out)["tables"]["buyers"]["inserted"] == 3


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["orders.yaml", "--sample", "100001"], "--sample: must be at most 100,000"),
        (["orders.yaml", "--sample", "0"], "--sample: must be a whole number of at least 1"),
        (["missing.yaml"], "missing.yaml"),
        (["orders.yaml", "--set", "sorce=x"], "source"),
        ([], "FILE"),
    ],
)
def test_a_mistake_is_one_line(
    folder: Path, argv: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert planned(*argv) == command.USAGE
    (printed,) = capsys.readouterr().err.splitlines()
    assert line in printed


def test_a_password_is_not_printed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2-hunter2")
    url = "sink=postgresql://me:${env:SHOP_PASSWORD}@127.0.0.1:1/shop"
    assert planned("orders.yaml", "--set", url) == command.FAILED
    captured = capsys.readouterr()
    assert "127.0.0.1:1" in captured.err
    assert "hunter2" not in captured.out + captured.err
