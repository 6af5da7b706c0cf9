"""A client without a server, and one whose boot ends; the rest is in test_fork_server.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from runners.flink.local import fork_client, fork_server
from runners.flink.worker import BOOT
from tests.runners.flink.local.forking import client, server

SECONDS = 60.0
SLEEPS = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
needs_a_server = pytest.mark.skipif(not fork_server.AVAILABLE, reason="forks on Linux only")


def test_without_a_server_the_client_becomes_what_it_asked_for(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with client(folder, "print('forked')") as asked:
            assert asked.communicate(timeout=SECONDS)[0] == "itself\n"
        assert asked.returncode == 0


@needs_a_server
def test_a_socket_of_a_server_that_was_killed_is_no_server(tmp_path: Path) -> None:
    with server(tmp_path) as killed:
        killed.kill()
        killed.wait()
    with client(tmp_path, "print('forked')") as asked:
        assert asked.communicate(timeout=SECONDS)[0] == "itself\n"


@needs_a_server
def test_a_path_that_is_longer_than_those_of_sockets(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    with server(folder), client(folder, "print('forked')") as asked:
        assert asked.communicate(timeout=SECONDS)[0] == "forked\n"


@needs_a_server
def test_a_worker_ends_with_the_boot_of_its_client(tmp_path: Path) -> None:
    boot = """
import os, subprocess, sys, time
os.environ[sys.argv[1]] = str(os.getpid())
subprocess.Popen(sys.argv[2:], process_group=0)
time.sleep(600)
"""
    asks = [sys.executable, "-I", "-S", fork_client.__file__, str(tmp_path), sys.executable]
    command = [sys.executable, "-c", boot, BOOT, *asks, "-m", "worker"]
    environment = {**os.environ, "STEP": SLEEPS}
    with (
        server(tmp_path),
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as started,
    ):
        assert started.stdout is not None
        worker = psutil.Process(int(started.stdout.readline()))
        started.kill()
        worker.wait(SECONDS)


def test_it_and_the_server_agree_on_names() -> None:
    """It imports nothing of ours, because it is started once for each worker."""
    assert fork_client._SOCKET == fork_server.SOCKET
    assert fork_client._BOOT == BOOT
