"""docs/first-connector.md and docs/first-target.md are true: their code runs in the order of the page, as printed."""

from __future__ import annotations

import inspect
import re
import runpy
import shlex
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.dialects import registry

from pipelines.conformance import output, suite
from sinks.database import leases
from sinks.database.database import Database
from sinks.database.dialects import dialect_named
from sinks.database.engine import dispose_engines
from sluice.command import main
from tests.pages.page import page
from tests.test_readme import commands, pattern, squeezed

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The reader's folder, with a short path, so that no table is folded; its modules can be imported."""
    before = set(sys.modules)
    with tempfile.TemporaryDirectory() as name:
        monkeypatch.chdir(name)
        monkeypatch.syspath_prepend(name)
        dispose_engines()
        yield Path(name)
        leases.release_all()
        dispose_engines()
        forget(before, Path(name))


def forget(before: set[str], folder: Path) -> None:
    """Forget the modules of a folder, and the dialects that they brought."""
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]
    registry.impls.pop("shelf", None)
    dialect_named.cache_clear()


def fenced(page: Path) -> list[tuple[str, str, str]]:
    """The fenced blocks of a page in order: language, name of a file, text."""
    blocks = re.findall(r"^```(\w+) ?(\S*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    return blocks


def write(path: Path, text: str) -> None:
    """Write a file of the page, or append to it what belongs behind it."""
    if path.exists():
        text = f"{path.read_text()}\n\n{text}" if text[0] != " " else f"{path.read_text()}\n{text}"
    path.write_text(text)


def play(block: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Run the commands of a console block; each prints what the page shows."""
    for step in commands(f"```console\n{block}```\n"):
        words = shlex.split(step.text)
        if words[0] == "python":
            runpy.run_path(words[1], run_name="__main__")
        else:
            assert (words[0], main(words[1:])) == ("sluice", 0)
        lines = "".join(f"{squeezed(line)}\n" for line in capsys.readouterr().out.splitlines())
        assert pattern(step.output).fullmatch(lines), f"$ {step.text}\n{lines}"


def check_tests(path: Path, folder: Path) -> None:
    """Call the tests of a file that a page shows."""
    tests = [value for name, value in runpy.run_path(str(path)).items() if name.startswith("test_")]
    assert tests
    for number, test in enumerate(tests):
        place = folder / f"of_test_{number}"
        place.mkdir()
        test(*([place] if inspect.signature(test).parameters else []))


def test_the_first_connector(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    played = []
    for language, name, text in fenced(DOCS / "first-connector.md"):
        if language == "console":
            play(text, capsys)
        else:
            write(folder / name, text)
        if name.startswith("test_"):
            check_tests(folder / name, folder)
        played.append(name or language)
    with page("docs/first-connector.md", folder) as opened:
        assert " passed" in opened.runs("python -m pytest")[-1]
    assert played.count("console") == 3
    assert played.count("tar_source.py") == 2


def installed(project: str, folder: Path) -> None:
    """Make the entry points of a pyproject.toml known, as its installation would."""
    groups = tomllib.loads(project)["project"]["entry-points"]
    lines = [
        line
        for group, points in groups.items()
        for line in (f"[{group}]", *(f"{name} = {place}" for name, place in points.items()))
    ]
    info = folder / "shelf-0.1.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


def check_results(shown: str, folder: Path, *, command: bool) -> None:
    """Carry out the checks of the conformance suite that a page shows, and compare the lines.

    With ``command``, by the command of the page, which is told of no other checks here.
    """
    names = re.findall(r"^(?:passed|failed|not offered): ([\w.]+)", shown, re.MULTILINE)
    checks = [check for check in suite.CHECKS if check.name in names]
    assert len(checks) == len(names) > 0
    if command:
        with pytest.MonkeyPatch.context() as patch, page("docs/first-target.md", folder) as opened:
            patch.setattr(suite.results, "__defaults__", (checks,))
            lines = opened.runs("sluice doctor --conformance", code=1)[:-1]
    else:
        database = Database(f"shelf:///{folder}/try.db")
        results = suite.results(database, checks)
        lines = [line for result in results for line in output.lines(result)]
    expected = [line for line in shown.splitlines() if line not in ("", "…")]
    assert pattern(expected).fullmatch("".join(f"{squeezed(line)}\n" for line in lines)), lines


def test_the_first_target(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = set(sys.modules)
    played = []
    for language, name, text in fenced(DOCS / "first-target.md"):
        if language == "toml":
            (folder / name).write_text(text)
            installed(text, folder)
        elif language == "text":
            dispose_engines()
            forget(before, folder)
            check_results(text, folder, command="text" not in played)
        elif language == "console":
            play(text, capsys)
        else:
            write(folder / name, text)
        played.append(name or language)
    assert played.count("text") == 3
    assert played.count("shelf.py") == 2
