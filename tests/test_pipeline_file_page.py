"""Every example of docs/pipeline-file.md runs as printed, and its schema takes its files."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest

from sinks.database import leases
from sinks.database.engine import dispose_engines
from sluice.command import main
from tests.options_page import SCHEMA
from tests.test_readme import Command, blocks, commands, pattern, squeezed
from transforms.mapping.reading.document import parsed

PAGE = Path(__file__).resolve().parents[1] / "docs" / "pipeline-file.md"
RECIPES = sorted((PAGE.parent / "recipes").glob("[!R]*.md"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the page."""
    for kind in ("csv", "yaml"):
        for name, text in blocks(PAGE.read_text(), kind):
            (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def play(step: Command, capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(step.text)
    assert words[0] == "sluice"
    try:
        code = main(words[1:])
    finally:
        leases.release_all()
        dispose_engines()
    lines = "".join(f"{squeezed(line)}\n" for line in capsys.readouterr().out.splitlines())
    assert pattern(step.output).fullmatch(lines), f"$ {step.text}\n{lines}"
    assert code == (2 if "wrong" in step.text else 0)


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_every_command_prints_what_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    steps = commands(PAGE.read_text())
    assert len(steps) == 4
    for step in steps:
        play(step, capsys)


@pytest.mark.parametrize("page", [PAGE, *RECIPES], ids=lambda page: page.stem)
def test_the_schema_takes_the_files_and_marks_the_wrong_one(page: Path) -> None:
    schema = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    files = [
        (name, parsed(text, name).plain)
        for name, text in blocks(page.read_text(), "yaml")
        if "map" not in name
    ]
    assert files
    for name, plain in files:
        assert schema.is_valid(plain) == ("wrong" not in name), name
