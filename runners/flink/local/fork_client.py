"""Ask the fork server for a worker, and stand for it: its output, its signals, its exit code.

    python -I -S fork_client.py FOLDER PYTHON -m apache_beam.runners.worker.sdk_worker_main …

Boot starts this program instead of a worker. Without a server, or where the server refuses, this process
becomes the worker itself. Only the standard library is imported.
"""

from __future__ import annotations

import array
import json
import os
import select
import signal
import socket
import sys
from typing import NoReturn

_SOCKET = "workers.sock"  # as in fork_server, whose import is slow
_BOOT = "SLUICE_BOOT"  # as in runners/flink/worker.py
_SECONDS = 1.0
_ANSWER_SECONDS = 30.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(folder: str, command: list[str]) -> NoReturn:
    """Be the worker, or stand for one that was forked.

    Args:
        folder: Where the server's socket is.
        command: The program and its arguments, which begin with ``-m`` and the module of the worker.
    """
    server = _forked(folder, command[3:])
    if server is None:
        os.execv(command[0], command)  # noqa: S606 - what boot would have started
    for number in _SIGNALS:
        signal.signal(number, lambda number, _: server.send(bytes([number])))
    parent = os.getppid()
    if int(os.environ.get(_BOOT, parent)) != parent:
        # Boot has ended already: the server hears that this process has, and ends the worker.
        os._exit(1)
    answer = b""
    while not answer.endswith(b"\n"):
        if os.getppid() != parent:
            os._exit(1)
        if select.select([server], [], [], _SECONDS)[0]:
            part = server.recv(64)
            if not part:  # the server was killed, and its workers with it
                os._exit(1)
            answer += part
    _end_as(int(answer.split()[1]))


def _forked(folder: str, arguments: list[str]) -> socket.socket | None:
    """A connection to the server that has forked a worker; None if it has not."""
    wanted = {"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}
    server = socket.socket(socket.AF_UNIX)
    server.settimeout(_ANSWER_SECONDS)
    try:
        place = os.open(folder, os.O_RDONLY)
        server.connect(f"/proc/self/fd/{place}/{_SOCKET}")  # its own path may be too long
        os.close(place)
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))
        line = json.dumps(wanted).encode() + b"\n"
        server.sendall(line[server.sendmsg([line], [rights]) :])
        if server.recv(7) == b"forked\n":
            server.settimeout(None)
            return server
    except OSError:
        pass
    server.close()
    return None


def _end_as(status: int) -> NoReturn:
    """End as the worker has: by the same signal, or with the same exit code."""
    if os.WIFSIGNALED(status):
        signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
