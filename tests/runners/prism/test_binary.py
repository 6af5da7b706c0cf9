from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runners.prism.binary import (
    MODULE,
    SERVER,
    STAGE,
    VERSION,
    available,
    cached,
    located,
    on_loopback,
    waiting,
)
from runners.runner import RunnerUnavailable

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def nothing_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No Prism on the path or in the cache, and no Go but what a test puts into tmp_path/bin."""
    (tmp_path / "bin").mkdir()
    for tool in ("sh", "sleep", "cat"):
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


LISTENS = 'lis, err := net.Listen("tcp", fmt.Sprintf(":%d", port))\n'


class TestOnLoopback:
    def test_the_one_listener_is_put_on_loopback(self) -> None:
        text = f"func NewServer(port int) {{\n\t{LISTENS}}}\n"
        assert on_loopback(text) == text.replace('":%d"', '"127.0.0.1:%d"')

    @pytest.mark.parametrize(
        "source",
        [
            "",
            LISTENS * 2,
            LISTENS.replace("port))", "s.port))"),
            LISTENS + 'web, err := net.Listen("tcp", ":8074")\n',
        ],
    )
    def test_a_prism_that_listens_otherwise_is_not_built(self, source: str) -> None:
        with pytest.raises(RunnerUnavailable, match="cannot be kept on loopback") as raised:
            on_loopback(source)
        assert "\n" not in str(raised.value)


WAITS = "\tselect {\n\t\tcase <-dataReady:\n\t\t\tdataFinished = true\n\t}\n"


class TestWaiting:
    def test_data_that_has_ended_is_not_asked_for_again(self) -> None:
        """A closed channel is always ready, so the loop around the select would never wait."""
        assert waiting(WAITS) == WAITS.replace("= true\n", "= true\n\t\t\tdataReady = nil\n")

    @pytest.mark.parametrize("source", ["", WAITS * 2, WAITS.replace("dataReady", "ended")])
    def test_a_prism_that_waits_otherwise_is_not_built(self, source: str) -> None:
        with pytest.raises(RunnerUnavailable, match="busy") as raised:
            waiting(source)
        assert "\n" not in str(raised.value)


class TestOnThePath:
    def test_a_prism_on_the_path_is_not_taken(self, tmp_path: Path) -> None:
        """The one that is published listens on all interfaces."""
        program(tmp_path / "bin" / "prism", f"# {MODULE}/go/cmd/prism")
        assert available() is not None
        with pytest.raises(RunnerUnavailable, match="needs Go"):
            located(None)


class TestBuilt:
    # What `go` is asked for: the module's folder, and then a binary. This one is the changed source.
    GO = (
        'echo "$1" >> "$LOG"; sleep 0.2\n'
        f'case "$1" in mod) cat "$MODULE" ;; build) cat {SERVER} > "$4" ;; esac'
    )

    @pytest.fixture(autouse=True)
    def module(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The module as Go keeps it: nothing in it can be written."""
        folder = tmp_path / "module"
        server = folder / SERVER
        server.parent.mkdir(parents=True)
        server.write_text(LISTENS)
        server.chmod(0o444)
        stage = folder / STAGE
        stage.parent.mkdir(parents=True, exist_ok=True)
        stage.write_text(WAITS)
        server.parent.chmod(0o555)
        for name in ("go.mod", "go.sum"):
            (folder / name).write_text("")
        (tmp_path / "said").write_text(json.dumps({"Path": MODULE, "Dir": str(folder)}))
        monkeypatch.setenv("MODULE", str(tmp_path / "said"))
        monkeypatch.setenv("LOG", str(tmp_path / "log"))
        return folder

    def test_go_builds_the_sdks_version_on_loopback_once_and_it_is_kept(
        self, tmp_path: Path, module: Path
    ) -> None:
        program(tmp_path / "bin" / "go", f'[ "$1" = build ] || echo "$@" >> "$LOG"\n{self.GO}')
        assert available() is None
        assert [located(None), located(None)] == [str(cached())] * 2
        assert cached().read_text() == LISTENS.replace('":%d"', '"127.0.0.1:%d"')
        assert (tmp_path / "log").read_text().splitlines() == [
            f"mod download -json {MODULE}@{VERSION}",
            *("mod", "build"),
        ]
        assert [path.name for path in cached().parent.iterdir() if path.is_dir()] == []
        assert (module / SERVER).read_text() == LISTENS, "Go's cache stays as it is"

    def test_what_was_built_before_it_listened_on_loopback_is_not_taken(
        self, tmp_path: Path
    ) -> None:
        old = tmp_path / "cache" / "sluice" / "prism" / VERSION / "prism"
        old.parent.mkdir(parents=True)
        program(old)
        program(tmp_path / "bin" / "go", self.GO)
        assert Path(located(None)).read_text() == LISTENS.replace('":%d"', '"127.0.0.1:%d"')

    def test_sources_that_are_not_as_expected_leave_nothing(
        self, tmp_path: Path, module: Path
    ) -> None:
        (module / SERVER).chmod(0o644)
        (module / SERVER).write_text(LISTENS * 2)
        program(tmp_path / "bin" / "go", self.GO)
        with pytest.raises(RunnerUnavailable, match="cannot be kept on loopback"):
            located(None)
        assert not cached().exists()

    @pytest.mark.slow
    def test_of_two_processes_one_builds_and_the_other_waits(self, tmp_path: Path) -> None:
        program(tmp_path / "bin" / "go", self.GO)
        code = "from runners.prism.binary import located; print(located(None))"
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
        assert (tmp_path / "log").read_text().splitlines() == ["mod", "build"]

    def test_a_build_that_fails_leaves_nothing_and_says_why(self, tmp_path: Path) -> None:
        fails = 'echo half > "$4"; echo no route >&2; exit 1'
        program(tmp_path / "bin" / "go", f'[ "$1" = mod ] || {{ {fails}; }}\n{self.GO}')
        with pytest.raises(RunnerUnavailable, match=r"^`go build .*` failed with 1: no route; "):
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
        program(tmp_path / "bin" / "go", self.GO)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
        with pytest.raises(RunnerUnavailable, match="Not a directory"):
            located(None)
