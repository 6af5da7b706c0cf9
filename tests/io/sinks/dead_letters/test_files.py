from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
import textwrap
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sinks.dead_letters import files as dead_letter_files
from sinks.dead_letters.files import DeadLetterFiles
from tests.io.sinks.dead_letters.dead_letter import failure
from transforms.errors import ConfigError, SinkFailed

ROOT = Path(__file__).resolve().parents[4]


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def letters(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for each in files(folder) for line in each.read_bytes().splitlines()]


def offsets(folder: Path) -> list[int]:
    return sorted(each["offset"] for each in letters(folder))


def run(script: str, *arguments: str) -> str:
    """The output of another Python process that runs ``script``."""
    head = "from sinks.dead_letters.files import DeadLetterFiles\n"
    head += "from tests.io.sinks.dead_letters.dead_letter import failure\nimport os, sys\n"
    done = subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(script), *arguments],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'io'}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class TestDelivery:
    def test_deliveries_of_a_process_are_lines_of_one_file(self, tmp_path: Path) -> None:
        sink = DeadLetterFiles(str(tmp_path / "dead"))
        sink.deliver("orders", [failure(offset=1), failure(offset=2, raw=b"\xff\n")])
        sink.deliver("lines", [failure(offset=3)])
        (file,) = files(tmp_path / "dead")
        today = re.escape(datetime.now(UTC).date().isoformat())
        assert re.fullmatch(
            rf"dead-letters-{today}-[A-Za-z0-9.-]+-{os.getpid()}-[0-9a-f]{{8}}\.jsonl", file.name
        )
        delivered = letters(tmp_path / "dead")
        assert [(each["target"], each["offset"]) for each in delivered] == [
            ("orders", 1),
            ("orders", 2),
            ("lines", 3),
        ]
        assert delivered[1]["raw"] == {"base64": "/wo="}

    def test_only_owner_and_group_may_read_it(self, tmp_path: Path) -> None:
        DeadLetterFiles(str(tmp_path)).deliver("t", [failure()])
        (file,) = files(tmp_path)
        assert file.stat().st_mode & 0o007 == 0

    def test_nothing_to_deliver_makes_no_file(self, tmp_path: Path) -> None:
        DeadLetterFiles(str(tmp_path)).deliver("t", [])
        assert files(tmp_path) == []

    def test_file_and_folders_are_synced_before_it_returns(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        synced: list[tuple[str, int]] = []
        really = os.fsync

        def fsync(descriptor: int) -> None:
            path = os.readlink(f"/proc/self/fd/{descriptor}")
            size = 0 if os.path.isdir(path) else os.fstat(descriptor).st_size
            synced.append((path, size))
            really(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)
        folder = tmp_path / "a" / "b"
        sink = DeadLetterFiles(str(folder))
        sink.deliver("t", [failure()])
        (file,) = files(folder)
        size = file.stat().st_size
        parents = [(str(tmp_path), 0), (str(tmp_path / "a"), 0)]
        assert synced == [*parents, (str(folder), 0), (str(file), size)]
        synced.clear()
        sink.deliver("t", [failure()])
        assert synced == [(str(file), 2 * size)]

    def test_threads_do_not_mix_their_lines(self, tmp_path: Path) -> None:
        sink = DeadLetterFiles(str(tmp_path))

        def deliver(start: int) -> None:
            for at in range(start, start + 20):
                sink.deliver("t", [failure(offset=at, raw=b"x" * 10_000)])

        threads = [threading.Thread(target=deliver, args=(n * 20,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(files(tmp_path)) == 1
        assert offsets(tmp_path) == list(range(80))

    def test_it_travels_by_pickle(self, tmp_path: Path) -> None:
        sink = DeadLetterFiles(str(tmp_path))
        sink.deliver("t", [failure()])
        pickle.loads(pickle.dumps(sink)).deliver("t", [failure()])
        assert len(files(tmp_path)) == 1


class TestRotation:
    def test_a_file_that_would_get_too_large_is_left(self, tmp_path: Path) -> None:
        sink = DeadLetterFiles(str(tmp_path), rotate_bytes=2_000)
        for at in range(9):
            sink.deliver("t", [failure(offset=at, stack="x" * 500)])
        sizes = [each.stat().st_size for each in files(tmp_path)]
        assert len(sizes) > 2
        assert max(sizes) <= 2_000
        assert offsets(tmp_path) == list(range(9))

    def test_lines_that_fit_no_file_have_one_of_their_own(self, tmp_path: Path) -> None:
        sink = DeadLetterFiles(str(tmp_path), rotate_bytes=10)
        sink.deliver("t", [failure(offset=1), failure(offset=2)])
        sink.deliver("t", [failure(offset=3)])
        assert len(files(tmp_path)) == 2
        assert offsets(tmp_path) == [1, 2, 3]

    def test_a_new_day_begins_a_new_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = [datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)]
        monkeypatch.setattr(dead_letter_files, "utc_now", lambda: now[0])
        sink = DeadLetterFiles(str(tmp_path))
        sink.deliver("t", [failure(offset=1)])
        now[0] = datetime(2026, 2, 1, 0, 0, 0, tzinfo=UTC)
        sink.deliver("t", [failure(offset=2)])
        old, new = files(tmp_path)
        assert "2026-01-31" in old.name
        assert "2026-02-01" in new.name

    @pytest.mark.parametrize("fate", ["deleted", "renamed"])
    def test_a_file_without_its_name_is_left(self, tmp_path: Path, fate: str) -> None:
        sink = DeadLetterFiles(str(tmp_path))
        sink.deliver("t", [failure(offset=1)])
        (file,) = files(tmp_path)
        if fate == "deleted":
            file.unlink()
        else:
            file.rename(tmp_path / "old.jsonl")
        sink.deliver("t", [failure(offset=2)])
        assert offsets(tmp_path) == ([1, 2] if fate == "renamed" else [2])


class TestProcesses:
    def test_each_has_a_file_of_its_own_even_after_a_fork(self, tmp_path: Path) -> None:
        run(
            """
            sink = DeadLetterFiles(sys.argv[1])
            sink.deliver("t", [failure(offset=1)])
            child = os.fork()
            sink.deliver("t", [failure(offset=2 if child else 3)])
            if child == 0:
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            sink.deliver("t", [failure(offset=4)])
            """,
            str(tmp_path),
        )
        by_file = [
            [json.loads(line)["offset"] for line in each.read_bytes().splitlines()]
            for each in files(tmp_path)
        ]
        assert sorted(by_file) == [[1, 2, 4], [3]]

    def test_a_write_that_breaks_off_leaves_whole_lines(self, tmp_path: Path) -> None:
        # A limit of the size of files stands for a disk that gets full within a write.
        output = run(
            """
            import resource
            from transforms.errors import SinkUnavailable
            sink = DeadLetterFiles(sys.argv[1])
            sink.deliver("t", [failure(offset=1)])
            resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, resource.RLIM_INFINITY))
            try:
                sink.deliver("t", [failure(offset=2), failure(offset=3, stack="x" * 5_000)])
            except SinkUnavailable as error:
                print(error)
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            sink.deliver("t", [failure(offset=4)])
            """,
            str(tmp_path),
        )
        assert output == f"cannot write dead letters to {tmp_path}: File too large\n"
        assert len(files(tmp_path)) == 2
        assert offsets(tmp_path) == [1, 4]


class TestFolder:
    def test_the_check_makes_it_and_leaves_nothing_in_it(self, tmp_path: Path) -> None:
        folder = tmp_path / "a" / "b"
        DeadLetterFiles(str(folder)).check()
        assert files(folder) == []

    def test_one_that_cannot_be_written_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        for sink in (
            DeadLetterFiles(str(tmp_path / "file")),
            DeadLetterFiles(str(tmp_path / "file" / "in")),
        ):
            with pytest.raises(ConfigError, match=re.escape(sink.folder)):
                sink.check()
            with pytest.raises(SinkFailed, match=re.escape(sink.folder)):
                sink.deliver("t", [failure()])

    def test_one_that_vanished_is_created_again(self, tmp_path: Path) -> None:
        sink = DeadLetterFiles(str(tmp_path / "dead"))
        sink.deliver("t", [failure(offset=1)])
        for file in files(tmp_path / "dead"):
            file.unlink()
        (tmp_path / "dead").rmdir()
        sink.deliver("t", [failure(offset=2)])
        assert offsets(tmp_path / "dead") == [2]
