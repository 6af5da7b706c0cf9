"""A fork server without Beam, and clients of it, for tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runners.flink.local import fork_client, fork_server
from tests.waiting import wait_until

SERVER = """
import os, sys
from pathlib import Path
from runners.flink.local.fork_server import ForkServer
wanted = ForkServer(Path(sys.argv[1]), lambda environment: environment.get("REFUSED")).serve()
if wanted is None:
    sys.exit(7)
wanted.become()
exec(os.environ["STEP"])
"""
ITSELF = "print('itself')"
"""What a client runs that was refused."""


@contextmanager
def server(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server that listens in ``folder`` and forks processes which run the text in ``STEP``."""
    command = [sys.executable, "-c", SERVER, str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True) as process:
        try:
            wait_until((folder / fork_server.SOCKET).exists, "the socket")
            yield process
        finally:
            process.kill()


@contextmanager
def client(folder: Path, step: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A client that asks for a worker which runs ``step``; its output is a pipe."""
    command = [sys.executable, "-c", ITSELF, "first", "second"]
    with subprocess.Popen(
        [sys.executable, "-I", "-S", fork_client.__file__, str(folder), *command],
        env={**os.environ, "STEP": step, **environment},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd="/",
    ) as process:
        try:
            yield process
        finally:
            process.kill()
