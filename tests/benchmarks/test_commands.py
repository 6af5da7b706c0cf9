"""The commands that benchmarks run are the project's own, and fail loudly."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.commands import audit, dead_letters, ingest, killed_once, killed_within


@pytest.mark.slow
def test_a_run_is_summed_up_and_audited(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1}\n{"id": 2}\nbroken\n')
    sink = f"sqlite:///{tmp_path}/a.db"
    flags = ["--source", str(tmp_path / "*.jsonl"), "--sink", sink, "--table", "t", "--key", "id"]
    summary = ingest(flags, tmp_path / "summary.json")
    assert (summary["inserted"], summary["dead"]) == (2, 1)
    (partition,) = audit(sink)
    assert (partition["read"], partition["gaps"]) == (3, [])
    (action,) = dead_letters("replay", "--sink", sink, "--reason", "a test", "--by", "nobody")
    assert action["count"] == 1


@pytest.mark.slow
def test_a_command_that_fails_is_an_error() -> None:
    with pytest.raises(AssertionError, match=r"pipelines\.audit ended with 2"):
        audit("no such scheme://")


def test_a_command_is_killed_only_if_it_has_not_ended() -> None:
    assert killed_within([sys.executable, "-c", "input()"], 0.0)
    assert not killed_within([sys.executable, "-c", ""], 60.0)


def test_a_process_is_killed_once_something_is_reached_unless_it_has_ended() -> None:
    answers = iter([False, True])
    forever = [sys.executable, "-c", "input()"]
    with subprocess.Popen(forever, stdin=subprocess.PIPE) as waiting:
        assert killed_once(waiting, lambda: next(answers))
    assert waiting.returncode == -signal.SIGKILL
    over = subprocess.Popen([sys.executable, "-c", ""])
    assert not killed_once(over, lambda: False)
    assert over.returncode == 0
