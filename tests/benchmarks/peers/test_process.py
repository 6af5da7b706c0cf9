"""A measured process is reported whole, and its failure in words."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from benchmarks.peers.process import Failed, Usage, measured


def run(tmp_path: Path, text: str, patience: float = 60.0) -> Usage:
    return measured(
        [sys.executable, "-c", text],
        tmp_path / "log",
        folder=tmp_path,
        environment=dict(os.environ),
        patience=patience,
    )


def test_memory_is_that_of_the_process_and_not_of_the_one_that_measures(tmp_path: Path) -> None:
    padding = b"x" * (200 << 20)  # a child begins with the peak of its parent
    wait = "; import time; time.sleep(0.2)"
    assert run(tmp_path, wait.lstrip("; ")).peak_mib < 100
    assert run(tmp_path, f"data = b'x' * (150 << 20){wait}").peak_mib > 150
    del padding


def test_processor_time_is_counted(tmp_path: Path) -> None:
    assert run(tmp_path, "while __import__('time').process_time() < 0.3: pass").cpu >= 0.3


def test_a_failure_says_the_status_and_what_was_printed(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"ended with 3: no such table"):
        run(tmp_path, "import sys; print('no such table'); sys.exit(3)")


def test_a_process_that_does_not_end_is_killed(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="did not end within 0 s"):
        run(tmp_path, "import time; time.sleep(600)", patience=0.1)


def test_a_program_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"no-such-program: No such file"):
        measured(["no-such-program"], tmp_path / "log", folder=tmp_path, environment={}, patience=1)
