"""The process of a Prism: it ends with what started it, and is refused where others reach it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from runners.prism.server import serving
from runners.runner import RunnerUnavailable

ROOT = Path(__file__).resolve().parents[3]
ATTEMPTS = 3


def children() -> list[str]:
    return [process.name() for process in psutil.Process().children()]


@pytest.mark.integration
def test_prism_does_not_outlive_a_process_that_is_killed(prism: str) -> None:
    code = (
        "import sys, time\n"
        "from runners.prism.server import serving\n"
        "with serving(sys.argv[1], 'error') as endpoint:\n"
        "    print('up', flush=True)\n"
        "    time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, prism], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        started = psutil.Process(process.pid).children()
    finally:
        process.kill()
        process.communicate()
    gone, alive = psutil.wait_procs(started, timeout=10)
    assert len(gone) == 2, "Prism and its watchdog"
    assert alive == []


def test_a_program_that_ends_is_one_line_with_what_it_said(tmp_path: Path) -> None:
    broken = tmp_path / "prism"
    starts = tmp_path / "starts"
    broken.write_text(f"#!/bin/sh\necho >> {starts}\necho cannot open anything\nexit 3\n")
    broken.chmod(0o755)
    before = children()
    with (
        pytest.raises(RunnerUnavailable, match=r"ended with 3: cannot open anything$"),
        serving(str(broken), "error"),
    ):
        pass
    assert starts.read_text().count("\n") == ATTEMPTS, "another port may have helped"
    assert children() == before


def test_a_prism_that_others_can_reach_is_ended_with_one_line(tmp_path: Path) -> None:
    """As the one that is published: it is somebody's own binary (``--prism_location``)."""
    published = tmp_path / "prism"
    published.write_text(
        f"#!{sys.executable}\n"
        "import socket, sys, time\n"
        "port = int(sys.argv[1].removeprefix('--job_port='))\n"
        "listening = socket.create_server(('0.0.0.0', port))\n"
        "time.sleep(60)\n"
    )
    published.chmod(0o755)
    before = children()
    with (
        pytest.raises(RunnerUnavailable, match=r"listens on 0\.0\.0\.0:\d+, ") as raised,
        serving(str(published), "error"),
    ):
        pass
    assert "--prism_location" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert children() == before


def test_what_is_no_program_is_one_line(tmp_path: Path) -> None:
    text = tmp_path / "prism"
    text.write_text("hello")
    text.chmod(0o755)
    with (
        pytest.raises(RunnerUnavailable, match="cannot be started"),
        serving(str(text), "error"),
    ):
        pass
