from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runners import RunnerUnavailable
from runners.prism_binary import PACKAGE, VERSION, available, cached, located

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def nothing_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No Prism on the path or in the cache, and no Go but what a test puts into tmp_path/bin."""
    (tmp_path / "bin").mkdir()
    for tool in ("sh", "sleep"):
        (tmp_path / "bin" / tool).symlink_to(f"/bin/{tool}")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def program(path: Path, text: str = "") -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


class TestNamed:
    def test_a_named_binary_is_taken_as_it_is(self, tmp_path: Path) -> None:
        assert located(str(program(tmp_path / "mine"))) == str(tmp_path / "mine")

    def test_a_named_binary_that_is_not_there_is_one_line(self) -> None:
        with pytest.raises(RunnerUnavailable, match=r"^--prism_location /no/prism: .*$"):
            located("/no/prism")

    def test_a_file_that_cannot_be_run_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "text").write_text("not a program")
        with pytest.raises(RunnerUnavailable, match="no such program"):
            located(str(tmp_path / "text"))

    def test_a_url_that_beam_refuses_is_one_line(self) -> None:
        with pytest.raises(RunnerUnavailable, match=r"^--prism_location https://h/p: .*$"):
            located("https://h/p")


class TestOnThePath:
    def test_prism_on_the_path_is_taken(self, tmp_path: Path) -> None:
        found = program(tmp_path / "bin" / "prism", f"# {PACKAGE}")
        assert located(None) == str(found)
        assert available() is None

    def test_another_program_of_that_name_is_not(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        program(tmp_path / "bin" / "prism", "# mocks HTTP APIs")
        assert available() is not None
        with pytest.raises(RunnerUnavailable):
            located(None)
        assert "another program" in caplog.text


class TestBuilt:
    GO = 'echo "$@" >> "$LOG"; sleep 0.2; echo binary > "$GOBIN/prism"'

    def test_go_builds_the_sdks_version_once_and_it_is_kept(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LOG", str(tmp_path / "log"))
        program(tmp_path / "bin" / "go", self.GO)
        assert available() is None
        assert [located(None), located(None)] == [str(cached())] * 2
        assert cached().read_text() == "binary\n"
        assert (tmp_path / "log").read_text() == f"install {PACKAGE}@{VERSION}\n"
        assert [path.name for path in cached().parent.iterdir() if path.is_dir()] == []

    def test_of_two_processes_one_builds_and_the_other_waits(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LOG", str(tmp_path / "log"))
        program(tmp_path / "bin" / "go", self.GO)
        code = "from runners.prism_binary import located; print(located(None))"
        both = [
            subprocess.Popen(
                [sys.executable, "-c", code],
                cwd=ROOT,
                env=os.environ,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            for _ in range(2)
        ]
        assert [each.communicate()[0] for each in both] == [f"{cached()}\n"] * 2
        assert (tmp_path / "log").read_text().count("install") == 1

    def test_a_build_that_fails_leaves_nothing_and_says_why(self, tmp_path: Path) -> None:
        program(tmp_path / "bin" / "go", 'echo half > "$GOBIN/prism"; echo no route >&2; exit 1')
        with pytest.raises(RunnerUnavailable, match=r"^`go install .*` failed with 1: no route; "):
            located(None)
        assert not cached().exists()

    def test_without_go_the_ways_out_are_named(self) -> None:
        assert available() is not None
        with pytest.raises(RunnerUnavailable, match="--prism_location") as raised:
            located(None)
        assert "https://go.dev/dl" in str(raised.value)
        assert "\n" not in str(raised.value)

    def test_a_cache_that_cannot_be_written_is_one_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
        with pytest.raises(RunnerUnavailable, match="Not a directory"):
            located(None)
