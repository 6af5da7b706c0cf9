"""Where a user's folder hides a package of ours, one line says which and why."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

from runners.flink import worker
from sluice import packages
from sluice.command import main
from tests.test_architecture import FOLDERS


@pytest.fixture
def users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a ``transforms`` of its own, from which Python imports first."""
    (tmp_path / "transforms").mkdir()
    (tmp_path / "transforms" / "__init__.py").write_text("")
    for name in [name for name in sys.modules if name.partition(".")[0] == "transforms"]:
        monkeypatch.delitem(sys.modules, name)  # as in a process that has imported nothing yet
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_nothing_is_hidden_here() -> None:
    assert packages.hidden() is None


def test_a_package_that_is_hidden_by_pythonpath_is_one_line(
    users_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(users_folder)
    monkeypatch.setenv("PYTHONPATH", ".")
    assert main(["audit", "--sink", "sqlite://"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        f"sluice: {users_folder}/transforms hides a package of this program that is called "
        f"'transforms' too, because {users_folder} is in PYTHONPATH; leave it out there, or rename "
        "that folder"
    )


def test_without_pythonpath_the_remedy_is_another(
    users_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert f"Python looks into {users_folder} first; run `sluice`, or" in str(packages.hidden())


def test_every_package_is_looked_at() -> None:
    assert set(packages.PACKAGES) == FOLDERS.keys() - {"sluice"}
    assert worker.PACKAGES == packages.PACKAGES
    for name in packages.PACKAGES:
        assert import_module(name).__doc__
