"""Workers that are forked: what they get, and that none outlives its client or the server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from runners.flink.local.fork_server import AVAILABLE, ENVIRONMENT, SOCKET, Imported
from tests.runners.flink.local.forking import client, server

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="workers are forked on Linux only")

SECONDS = 60.0
SLEEPS = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
WITH_A_CHILD = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
"""


def process(asked: subprocess.Popen[str]) -> psutil.Process:
    """The process whose id a worker has printed."""
    assert asked.stdout is not None
    return psutil.Process(int(asked.stdout.readline()))


def test_a_worker_has_the_arguments_the_folder_and_the_environment_of_its_client(
    tmp_path: Path,
) -> None:
    step = (
        "import sys; print(sys.argv[1:], os.getcwd(), os.environ['OF'], os.getpid(), os.getpgrp())"
    )
    with server(tmp_path) as parent, client(tmp_path, step, OF="the client") as asked:
        out, _ = asked.communicate(timeout=SECONDS)
    *first, pid, group = out.split()
    assert " ".join(first) == "['first', 'second'] / the client"
    assert pid == group
    assert int(pid) not in (parent.pid, asked.pid)
    assert asked.returncode == 0


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ("raise SystemExit(3)", 3),
        ("raise KeyError('x')", 1),
        ("import signal; os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV),
    ],
)
def test_a_client_ends_as_its_worker_has(tmp_path: Path, step: str, code: int) -> None:
    with server(tmp_path), client(tmp_path, step) as asked:
        assert asked.wait(SECONDS) == code


def test_a_signal_to_the_client_is_one_to_the_worker(tmp_path: Path) -> None:
    step = f"import signal; signal.signal(signal.SIGTERM, lambda *_: sys.exit(5)); {SLEEPS}"
    with server(tmp_path), client(tmp_path, step) as asked:
        process(asked)
        asked.terminate()
        assert asked.wait(SECONDS) == 5


@pytest.mark.parametrize("step", [SLEEPS, WITH_A_CHILD + "time.sleep(600)"])
def test_a_worker_and_what_it_has_started_end_with_the_client(tmp_path: Path, step: str) -> None:
    with server(tmp_path) as parent, client(tmp_path, step) as asked:
        (worker,) = (process(asked), *psutil.Process(parent.pid).children())[-1:]
        family = [worker, *worker.children()]
        asked.kill()
        assert psutil.wait_procs(family, SECONDS)[1] == []
        assert parent.poll() is None


def test_what_a_worker_has_started_ends_with_it(tmp_path: Path) -> None:
    with server(tmp_path), client(tmp_path, WITH_A_CHILD) as asked:
        process(asked).wait(SECONDS)
        assert asked.wait(SECONDS) == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_ends_with_the_server(tmp_path: Path, number: signal.Signals) -> None:
    with server(tmp_path) as parent, client(tmp_path, SLEEPS) as asked:
        worker = process(asked)
        parent.send_signal(number)
        worker.wait(SECONDS)
        assert asked.wait(SECONDS) != 0


def test_a_client_that_is_refused_becomes_what_it_asked_for(tmp_path: Path) -> None:
    """And the server ends when its last worker has."""
    with server(tmp_path) as parent, client(tmp_path, SLEEPS) as other:
        worker = process(other)
        with client(tmp_path, "print('forked')", REFUSED="other files") as asked:
            assert asked.communicate(timeout=SECONDS)[0] == "itself\n"
        with client(tmp_path, "print('forked')") as later:
            assert later.communicate(timeout=SECONDS)[0] == "forked\n"
        assert parent.poll() is None
        worker.kill()
        assert parent.wait(SECONDS) == 7
        assert parent.stderr is not None
        assert parent.stderr.read() == b"no more workers are forked: other files\n"
        assert not (tmp_path / SOCKET).exists()


@pytest.mark.parametrize(
    "line", [b"", b"\n", b"[]\n", b'{"arguments": []}\n', b"\xff" * 70_000 + b"\n"]
)
def test_a_client_that_asks_for_nothing_does_not_end_the_server(
    tmp_path: Path, line: bytes
) -> None:
    with server(tmp_path):
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(str(tmp_path / SOCKET))
            stranger.sendall(line)
            stranger.shutdown(socket.SHUT_WR)
            assert stranger.recv(64) == b""
        with client(tmp_path, "print('forked')") as asked:
            assert asked.communicate(timeout=SECONDS)[0] == "forked\n"


def test_nobody_else_can_ask(tmp_path: Path) -> None:
    with server(tmp_path):
        assert (tmp_path / SOCKET).stat().st_mode & 0o077 == 0


def test_a_changed_file_and_another_setting_of_python_are_noticed(tmp_path: Path) -> None:
    file = tmp_path / "steps.py"
    file.write_text("A = 1\n")
    module = ModuleType("steps")
    module.__file__ = str(file)
    imported = Imported({"steps": module, "sys": sys})
    environment = {**os.environ, **ENVIRONMENT, "CONTROL_API_SERVICE_DESCRIPTOR": "url"}
    assert imported.refused(environment) is None
    assert imported.refused({**environment, "PYTHONHASHSEED": "1"}) is not None
    file.write_text("A = 22\n")
    assert imported.refused(environment) == f"{file} has changed"
    file.unlink()
    assert imported.refused(environment) == f"{file} has changed"
