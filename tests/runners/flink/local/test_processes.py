"""Processes that another program stops: these, and no others."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from runners.flink.local.processes import Processes
from runners.runner import RunnerUnavailable

SLEEPER = [sys.executable, "-c", "import time; print('awake', flush=True); time.sleep(60)"]
WITH_A_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
print(child.pid, flush=True)
time.sleep(60)
"""
PARENT = [sys.executable, "-c", WITH_A_CHILD]


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    recorded = Processes(tmp_path)
    yield recorded
    for name in recorded.names():
        recorded.kill(name)


def await_line(processes: Processes, name: str) -> str:
    deadline = time.monotonic() + 30
    while processes.last_line(name) == "it wrote nothing":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return processes.last_line(name)


def pid_of(folder: Path, name: str) -> int:
    return int(json.loads((folder / "processes.json").read_text())[name][0])


def test_it_runs_until_another_program_stops_it(processes: Processes, tmp_path: Path) -> None:
    processes.start("sleeper", SLEEPER, {})
    assert await_line(processes, "sleeper") == "awake"
    pid = pid_of(tmp_path, "sleeper")
    other = Processes(tmp_path)
    assert other.running("sleeper")
    other.stop("sleeper")
    assert other.names() == []
    assert not processes.running("sleeper")
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie"


def test_its_children_go_with_it(processes: Processes) -> None:
    processes.start("parent", PARENT, {})
    child = psutil.Process(int(await_line(processes, "parent")))
    processes.kill("parent")
    child.wait(timeout=10)
    assert not child.is_running()


def test_children_of_a_dead_one_are_stopped_too(processes: Processes, tmp_path: Path) -> None:
    processes.start("parent", PARENT, {})
    child = psutil.Process(int(await_line(processes, "parent")))
    psutil.Process(pid_of(tmp_path, "parent")).kill()
    while processes.running("parent"):
        time.sleep(0.02)
    assert child.is_running()
    processes.stop("parent")
    child.wait(timeout=10)


def test_a_number_that_went_to_somebody_else_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEPER, stdout=subprocess.DEVNULL, start_new_session=True) as stranger:
        try:
            recorded = {"taskmanager-1": [stranger.pid, "another time"]}
            (tmp_path / "processes.json").write_text(json.dumps(recorded))
            processes = Processes(tmp_path)
            assert not processes.running("taskmanager-1")
            processes.stop("taskmanager-1")
            assert processes.names() == []
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_program_that_is_not_there_is_one_line(processes: Processes) -> None:
    with pytest.raises(RunnerUnavailable, match=r"^jobmanager cannot be started \(/no/java\): "):
        processes.start("jobmanager", ["/no/java"], {})
    assert processes.names() == []
