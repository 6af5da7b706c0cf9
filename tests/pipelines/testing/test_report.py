"""What ``sluice test`` prints, and when it fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines import command, test

CASES = """\
map: [{cast: {id: integer}}]
cases:
- {name: a number, input: {id: "7"}, row: {id: 7}}
- {name: another, input: {id: "8"}, row: {id: %s}}
"""


def run(*argv: str) -> int:
    return command.run("test", test.main, argv)


def test_cases_that_come_out_as_expected_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(CASES % 8)
    assert run(str(path)) == command.OK
    assert capsys.readouterr().out == f"{path}: 2 passed\n"


def test_a_case_that_differs_is_shown_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(CASES % 8)
    bad.write_text(CASES % 9)
    assert run(str(good), str(bad)) == command.FAILED
    assert capsys.readouterr().out.splitlines() == [
        f"{good}: 2 passed",
        f"FAILED {bad}:4:3: another",
        "    row, id: expected 9, got 8",
        f"{bad}: 1 passed, 1 failed",
    ]


def test_json_has_an_object_for_each_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(CASES % 9)
    assert run(str(path), "--json") == command.FAILED
    first, second = json.loads(capsys.readouterr().out)
    assert (first["case"], first["passed"], first["differences"]) == ("a number", True, [])
    assert second == {
        "file": str(path),
        "case": "another",
        "place": f"{path}:4:3",
        "passed": False,
        "differences": ["row, id: expected 9, got 8"],
    }


def test_a_hostile_name_cannot_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text('cases: [{name: "\\e[2J", input: {}, row: {a: 1}}]')
    assert run(str(path)) == command.FAILED
    assert "\x1b" not in capsys.readouterr().out
