"""A process that leaves at once loses neither output nor work, and keeps its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import atexit, sys, threading
from runners.leaving import leave

class Cleared:
    def __del__(self):
        sys.__stderr__.write("cleared ")

kept = Cleared()
atexit.register(lambda: print("registered"))
print("printed")
release = threading.Event()
def work():
    release.wait()
    print("worked")
if "thread" in sys.argv:
    atexit.register(lambda: None)
    threading.Thread(target=work).start()
    threading.Timer(0.01, release.set).start()
leave(7)
"""


def left(*arguments: str) -> tuple[int, list[str], str]:
    """Exit code, lines and errors of a program that leaves."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.split(), done.stderr


@pytest.mark.slow
def test_what_was_printed_and_registered_is_done_and_nothing_is_taken_apart() -> None:
    assert left() == (7, ["printed", "registered"], "")


@pytest.mark.slow
def test_a_thread_that_the_process_has_to_wait_for_ends_its_work() -> None:
    assert left("thread") == (7, ["printed", "worked", "registered"], "cleared ")


@pytest.mark.slow
def test_output_that_cannot_be_written_is_reported_as_ever() -> None:
    shell = '"$0" -c "$1" >/dev/full'
    done = subprocess.run(
        ["sh", "-c", shell, sys.executable, PROGRAM],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 120  # Python's own
