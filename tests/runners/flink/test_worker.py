"""A worker ends with the program that started it, whatever it is doing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from runners.flink import worker as worker_module
from runners.flink.worker import BOOT, PROGRAMS

WORKER = {**os.environ, "CONTROL_API_SERVICE_DESCRIPTOR": 'url: "localhost:1"'}
STARTS_A_WORKER = """
import os, subprocess, sys, time
os.environ[sys.argv[1]] = str(os.getpid())
worker = subprocess.Popen([sys.executable, "-c", sys.argv[2]], process_group=0)
time.sleep(600)
"""
# As a plugin is imported, but without its package, which imports all of Beam.
BEGINS = f"import os, runpy, time; runpy.run_path({worker_module.__file__!r}); "
BEGINS += "print(os.getpid(), flush=True); "
SECONDS = 60.0


@contextmanager
def started(step: str) -> Iterator[tuple[psutil.Process, psutil.Process]]:
    """A stand-in for boot, and the worker that it has started; both end with the context."""
    command = [sys.executable, "-c", STARTS_A_WORKER, BOOT, BEGINS + step]
    with subprocess.Popen(command, env=WORKER, stdout=subprocess.PIPE, text=True) as child:
        boot = psutil.Process(child.pid)
        assert child.stdout is not None
        worker = psutil.Process(int(child.stdout.readline()))
        try:
            yield boot, worker
        finally:
            if worker.is_running():
                for process in (*worker.children(recursive=True), worker):
                    process.kill()
            child.kill()


@pytest.mark.parametrize(
    "step",
    [
        pytest.param("time.sleep(600)", id="waits"),
        pytest.param("\nwhile True: pass", id="loops"),
        pytest.param("import re; re.match('(a+)+$', 'a' * 60 + 'b')", id="holds the interpreter"),
        pytest.param(
            "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)",
            id="ignores to be stopped",
        ),
    ],
)
def test_a_worker_ends_with_the_boot_that_is_killed(step: str) -> None:
    with started(step) as (boot, worker):
        (watchdog,) = worker.children()
        boot.kill()
        worker.wait(SECONDS)
        watchdog.wait(SECONDS)


def test_what_a_step_has_started_ends_with_its_worker() -> None:
    sleeper = "import subprocess, sys; "
    sleeper += "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
    with started(sleeper + "print('begun', flush=True); time.sleep(600)") as (boot, worker):
        while len(worker.children()) < 2:
            assert worker.is_running()
        children = worker.children()
        boot.kill()
        for process in (worker, *children):
            process.wait(SECONDS)


def test_a_program_that_a_step_starts_is_no_worker() -> None:
    """It inherits the environment, whose boot is not its parent."""
    program = f"import runpy; runpy.run_path({worker_module.__file__!r}); print('went on')"
    step = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {program!r}])"
    ended = subprocess.run(
        [sys.executable, "-c", BEGINS + step],
        env={**WORKER, BOOT: str(os.getpid())},
        stdout=subprocess.PIPE,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert ended.stdout.splitlines()[1:] == ["went on"]


def test_the_watchdog_ends_with_a_worker_that_ends_by_itself() -> None:
    with started("time.sleep(600)") as (boot, worker):
        (watchdog,) = worker.children()
        worker.terminate()
        watchdog.wait(SECONDS)
        assert boot.is_running()


def test_a_worker_whose_boot_had_ended_before_it_asked_ends_at_once() -> None:
    environment = {**WORKER, BOOT: str(os.getppid())}  # not the parent of what is started here
    ended = subprocess.run(
        [sys.executable, "-c", BEGINS],
        env=environment,
        stdout=subprocess.PIPE,
        timeout=SECONDS,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, b"")


def test_a_process_that_is_no_worker_has_no_watchdog() -> None:
    code = f"import runpy; runpy.run_path({worker_module.__file__!r}); "
    code += "import psutil; print(len(psutil.Process().children()))"
    ended = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, timeout=SECONDS, check=True
    )
    assert ended.stdout.split() == [b"0"]


def test_a_users_module_is_imported_and_none_of_ours_is_hidden_by_it(tmp_path: Path) -> None:
    (tmp_path / "transforms").mkdir()
    (tmp_path / "transforms" / "__init__.py").write_text("raise SystemExit('the user's')")
    (tmp_path / "steps.py").write_text("LABEL = 'Hide'")
    ended = subprocess.run(
        [sys.executable, "-c", BEGINS + "import transforms.errors, steps; print(steps.LABEL)"],
        env={**WORKER, BOOT: str(os.getpid()), PROGRAMS: str(tmp_path)},
        cwd="/",
        stdout=subprocess.PIPE,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert ended.stdout.splitlines()[1:] == ["Hide"]
