from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from runners.listeners import beyond_loopback

CODE = (
    "import socket, sys\n"
    "at = socket.socket(int(sys.argv[2]))\n"
    "at.bind((sys.argv[1], 0))\n"
    "at.listen()\n"
    "print(at.getsockname()[1], flush=True)\n"
    "sys.stdin.read()\n"
)


@contextmanager
def child(host: str, family: socket.AddressFamily) -> Iterator[int]:
    """A child of this process that listens there; yields its port."""
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, host, str(family.value)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.communicate()


@pytest.mark.parametrize(
    ("host", "family", "shown"),
    [("0.0.0.0", socket.AF_INET, "0.0.0.0:{}"), ("::", socket.AF_INET6, "[::]:{}")],
)
def test_a_child_on_all_interfaces_is_found(
    host: str, family: socket.AddressFamily, shown: str
) -> None:
    with child(host, family) as port:
        assert beyond_loopback(os.getpid()) == [shown.format(port)]
    assert beyond_loopback(os.getpid()) == []


@pytest.mark.parametrize(
    ("host", "family"),
    [
        ("127.0.0.1", socket.AF_INET),
        ("127.1.2.3", socket.AF_INET),
        ("::1", socket.AF_INET6),
        ("::ffff:127.0.0.1", socket.AF_INET6),  # as Java has it
    ],
)
def test_loopback_is_not(host: str, family: socket.AddressFamily) -> None:
    with child(host, family):
        assert beyond_loopback(os.getpid()) == []


def test_a_process_that_has_ended_listens_nowhere() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert beyond_loopback(process.pid) == []
