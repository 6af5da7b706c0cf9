"""A Python worker of a Flink job that ends with the program that started it.

Beam's boot starts the worker and stops it again. When boot is killed, nobody stops the worker: it
hears of it only from the runner, and a step that hangs does not listen. Every job names this module
as a Beam plugin, so a worker that boot has started imports it. It then starts a watchdog, which is a
process of its own because a thread gets no turn while a step holds the interpreter. The same place sets the
worker up for its batches.

The watchdog runs this file as a script, so only the standard library is imported.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib import import_module

MODULE = "runners.flink.worker"
PROGRAMS = "SLUICE_PROGRAMS"
"""The folder whose modules a user's steps may import; it may have packages that are called as ours."""
PACKAGES = ("pipelines", "transforms", "runners", "clients", "sources", "sinks")

BOOT = "SLUICE_BOOT"
"""The id of the boot process, which may have ended before the worker asks for its parent."""

_SECONDS = 1.0
_WORKER_VARIABLE = "CONTROL_API_SERVICE_DESCRIPTOR"  # boot tells each worker where its runner is
_WATCHED = "SLUICE_WATCHED"  # what a worker starts inherits its environment but is not a worker

_watchdogs: list[subprocess.Popen[bytes]] = []


def begin() -> None:
    """Find the user's modules behind ours, be tuned, and end as soon as this process' parent has ended.

    The group of this process ends with it if it leads one.
    """
    _find_programs()
    _tune()
    os.environ[_WATCHED] = str(os.getpid())
    parent = os.getppid()
    if int(os.environ.get(BOOT, parent)) != parent:
        os._exit(1)  # boot has ended already
    command = [sys.executable, "-I", "-S", os.path.abspath(__file__), str(os.getpid()), str(parent)]
    _watchdogs.append(
        subprocess.Popen(  # noqa: S603 - no shell; this file, and two numbers
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # boot waits until nobody holds a worker's output open
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    )


def begin_forked() -> None:
    """The same in a process that was forked, which ends with the one that has forked it."""
    _find_programs()
    _tune()
    os.environ[_WATCHED] = str(os.getpid())


def _find_programs() -> None:
    folder = os.environ.get(PROGRAMS)
    if folder is None:
        return
    for name in PACKAGES:  # what is imported already cannot be hidden
        with suppress(ImportError):
            import_module(name)
    sys.path.append(folder)


def _tune() -> None:
    import_module("runners.tuning").tune_process()  # imported here, as this file is also a script


def watch(worker: int, parent: int) -> None:
    """Wait until ``worker``, which started this process, ends; kill it if ``parent`` ends before."""
    while os.getppid() == worker:
        if not _is_child(worker, parent):
            with suppress(ProcessLookupError):
                if os.getpgid(worker) == worker:
                    os.killpg(worker, signal.SIGKILL)
                os.kill(worker, signal.SIGKILL)
            return
        time.sleep(_SECONDS)


def _is_child(worker: int, parent: int) -> bool:
    """Whether ``parent`` is still the parent of ``worker``."""
    try:
        with open(f"/proc/{worker}/stat") as file:
            # state, ppid (proc_pid_stat(5)); a zombie is not a parent
            return int(file.read().rpartition(")")[2].split()[1]) == parent
    except OSError:  # not Linux, or the worker has just ended
        pass
    try:
        os.kill(parent, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # a process of somebody else has the id by now
        return False
    return True


if __name__ == "__main__":
    watch(int(sys.argv[1]), int(sys.argv[2]))
elif _WORKER_VARIABLE in os.environ and _WATCHED not in os.environ:
    begin()
