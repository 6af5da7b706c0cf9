"""A program that fails is one line that quotes the last thing it printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from runners import programs
from runners.runner import RunnerUnavailable


def shell(script: str, folder: Path, *, errors_on_stdout: bool = False) -> str:
    command = ["/bin/sh", "-c", script]
    return programs.run(command, folder, {"ADDED": "added"}, errors_on_stdout=errors_on_stdout)


def test_what_it_prints_is_returned_without_its_errors(tmp_path: Path) -> None:
    assert shell('echo "$ADDED"; pwd; echo warning >&2', tmp_path) == f"added\n{tmp_path}\n"


@pytest.mark.parametrize(
    ("script", "errors_on_stdout", "quoted"),
    [
        ("echo progress; echo a >&2; echo 'no route' >&2; exit 3", False, "no route"),
        ("echo '[ERROR] no route'; echo 'WARNING' >&2; exit 3", True, r"\[ERROR\] no route"),
        ("echo 'no route'; exit 3", False, "no route"),
        ("exit 3", False, "it printed nothing"),
    ],
)
def test_a_failure_quotes_the_last_line(
    tmp_path: Path, script: str, errors_on_stdout: bool, quoted: str
) -> None:
    with pytest.raises(RunnerUnavailable, match=rf"^`sh -c .*` failed with 3: {quoted}$"):
        shell(script, tmp_path, errors_on_stdout=errors_on_stdout)


def test_a_long_command_is_cut(tmp_path: Path) -> None:
    with pytest.raises(RunnerUnavailable) as raised:
        shell("exit 1 # " + "x" * 1_000, tmp_path)
    assert "x…` failed" in str(raised.value)
    assert len(str(raised.value)) < 200


def test_a_program_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "SECONDS", 0.2)
    with pytest.raises(RunnerUnavailable, match=r"^`sh -c sleep 60` took more than 0 s$"):
        shell("sleep 60", tmp_path)
