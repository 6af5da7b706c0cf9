"""``sluice test``: its exit codes, and the page that explains it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipelines import command, test

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "testing.md").read_text()
CASES = """\
map: [{cast: {id: integer}}]
cases:
- {name: a number, input: {id: "7"}, row: {id: 7}}
- {name: another, input: {id: "8"}, row: {id: %s}}
"""


def run(*argv: str) -> int:
    return command.run("test", test.main, argv)


def blocks(kind: str) -> list[str]:
    """The fenced blocks of the page of that kind."""
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def test_a_file_that_is_wrong_is_a_line_and_nothing_is_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(CASES % 8)
    bad.write_text("cases: 1")
    assert run(str(good), str(bad)) == command.USAGE
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"test: {bad}:1:8: cases is a list of cases, got 1\n")


def test_the_files_of_the_page_come_out_as_it_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for text in blocks("yaml"):
        first, _, content = text.partition("\n")
        Path(first.removeprefix("# ")).write_text(content)
    (shown,) = blocks("text")
    invocation, _, output = shown.partition("\n")
    assert run(*invocation.removeprefix("$ sluice test ").split()) == command.FAILED
    assert capsys.readouterr().out == output
    assert run("orders.test.yaml", "shop.test.yaml") == command.OK


def test_the_tests_in_python_of_the_page_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for text in blocks("yaml"):
        first, _, content = text.partition("\n")
        Path(first.removeprefix("# ")).write_text(content)
    names: dict[str, object] = {}
    (program,) = blocks("python")
    exec(compile(program, "testing.md", "exec"), names)
    functions = [value for name, value in names.items() if name.startswith("test_")]
    assert len(functions) == 2
    for function in functions:
        assert callable(function)
        function()
