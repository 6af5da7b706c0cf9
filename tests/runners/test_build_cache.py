"""What is fetched once for each user appears whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runners.build_cache import cache_folder, jars_folder, made_once

ROOT = Path(__file__).resolve().parents[2]
MAKES = (
    "import pathlib, sys, time\n"
    "from runners.build_cache import made_once\n"
    "def make(scratch):\n"
    "    with open(sys.argv[2], 'a') as log: log.write('made\\n')\n"
    "    (scratch / 'part').mkdir()\n"
    "    time.sleep(0.3)\n"
    "    (scratch / 'part' / 'file').write_text('whole')\n"
    "    return scratch / 'part'\n"
    "print((made_once(pathlib.Path(sys.argv[1]), make) / 'file').read_text())\n"
)


def test_it_is_made_once_and_kept(tmp_path: Path) -> None:
    scratches: list[Path] = []

    def make(scratch: Path) -> Path:
        scratches.append(scratch)
        (scratch / "file").write_text("content")
        return scratch / "file"

    path = tmp_path / "cache" / "file"
    assert [made_once(path, make).read_text() for _ in range(2)] == ["content"] * 2
    (scratch,) = scratches
    assert not scratch.exists()


def test_what_fails_leaves_nothing_and_may_succeed_later(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "file"

    def fail(scratch: Path) -> Path:
        (scratch / "half").write_text("half")
        raise ValueError("no route")

    def whole(scratch: Path) -> Path:
        (scratch / "file").write_text("whole")
        return scratch / "file"

    with pytest.raises(ValueError, match="no route"):
        made_once(path, fail)
    assert [each.name for each in path.parent.iterdir()] == [".file.lock"]
    assert made_once(path, whole).read_text() == "whole"


def test_of_two_processes_one_makes_it_and_the_other_waits(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MAKES, str(tmp_path / "part"), str(tmp_path / "log")]
    both = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    assert [process.communicate()[0] for process in both] == ["whole\n"] * 2
    assert (tmp_path / "log").read_text() == "made\n"


def test_the_folders_are_the_users_unless_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLUICE_JARS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "sluice"
    assert jars_folder() == tmp_path / "sluice" / "jars"
    monkeypatch.setenv("SLUICE_JARS", str(tmp_path / "elsewhere"))
    assert jars_folder() == tmp_path / "elsewhere"
