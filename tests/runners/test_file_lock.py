"""One process at a time holds a lock, and a dead one holds none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from runners.file_lock import locked

ROOT = Path(__file__).resolve().parents[2]
HOLDS = (
    "import sys, pathlib\n"
    "from runners.file_lock import locked\n"
    "with locked(pathlib.Path(sys.argv[1])):\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.read()\n"
)
TRIES = (
    "import fcntl, sys\n"
    "with open(sys.argv[1], 'w') as file:\n"
    "    try:\n"
    "        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
    "        print('free')\n"
    "    except BlockingIOError:\n"
    "        print('held')\n"
)


def state(path: Path) -> str:
    command = [sys.executable, "-c", TRIES, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_lock_is_held_during_the_context_and_free_after_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path):
        assert state(path) == "held"
    assert state(path) == "free"


def test_a_process_that_is_killed_does_not_hold_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLDS, str(path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert state(path) == "held"
        holder.kill()
        holder.wait()
    assert state(path) == "free"
