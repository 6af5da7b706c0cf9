"""A process that has imported all that a worker needs, and forks a worker whenever one is asked for.

To import Beam and this program takes a worker two or three seconds of CPU, and it is the same for each of
them. Here it is done once, while the cluster starts. ``fork_client`` asks for a worker, at a socket in the
cluster's folder, with the environment and the output that the worker shall have.

No worker is forked, and the client becomes the worker itself, if

* the file of a module has changed since it was imported (once no worker is left, the server begins anew),
* or the environment has other settings of Python than this process.

A worker ends with its client, and with this process. It leads a group of its own.
"""

from __future__ import annotations

import array
import ctypes
import gc
import json
import os
import selectors
import signal
import socket
import sys
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

AVAILABLE = sys.platform == "linux"
"""Elsewhere, libraries do not survive that their process is forked."""

SOCKET = "workers.sock"
WORKER = "apache_beam.runners.worker.sdk_worker_main"
"""The module that boot starts; its ``main`` is the worker."""

MODULES = (
    WORKER,
    "pipelines.ingestion.run",
    "sources.kafka.source",
    "sinks.sql",
)
"""What is imported: the worker of Beam, and what the steps of a pipeline import."""

ENVIRONMENT = {"PYTHONSAFEPATH": "1"}
"""Set for this process: it does not look for modules where the cluster was started."""

_SETTINGS = ("PYTHON", "LD_", "LC_", "LANG", "TZ")
"""What Python and the loader of libraries read when a process begins."""

_SECONDS = 5.0
"""The longest wait for a client to say what it wants."""
_MOST_BYTES = 4 << 20
_DESCRIPTORS = 3
_DIES_WITH_PARENT = 1  # PR_SET_PDEATHSIG (prctl(2))

Refused = Callable[[Mapping[str, str]], str | None]
"""Why no worker is forked for an environment, in a few words; None if one is."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client asks for.

    Attributes:
        arguments: Of the worker.
        folder: Where it works.
        environment: All of it.
        descriptors: Its input, its output and its errors.
    """

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    descriptors: list[int]

    def become(self) -> None:
        """Give this process all of it."""
        for place, descriptor in enumerate(self.descriptors):
            os.dup2(descriptor, place)
            os.close(descriptor)
        os.environ.clear()
        os.environ.update(self.environment)
        os.chdir(self.folder)
        sys.argv = [WORKER, *self.arguments]


class ForkServer:
    """Forks workers for those who ask at a socket.

    Args:
        folder: Where the socket is.
        refused: Asked before each worker.
    """

    def __init__(self, folder: Path, refused: Refused) -> None:
        self._refused = refused
        self._clients: dict[int, socket.socket] = {}
        self._old = False
        os.chdir(folder)  # the path of a socket is short
        self._listener = socket.socket(socket.AF_UNIX)
        with suppress(FileNotFoundError):
            os.unlink(f"{SOCKET}.new")
        before = os.umask(0o077)  # who may write to it gets a process of this user
        try:
            self._listener.bind(f"{SOCKET}.new")
        finally:
            os.umask(before)
        self._listener.listen(64)
        os.rename(f"{SOCKET}.new", SOCKET)
        self._wakes, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._selector.register(self._wakes, selectors.EVENT_READ, None)

    def serve(self) -> Wanted | None:
        """Fork workers.

        Returns:
            In a worker, what it shall be. In this process None, once a worker was refused and no other
            is left.
        """
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        signal.set_wakeup_fd(self._woken.fileno(), warn_on_full_buffer=False)
        while not self._old or self._clients:
            for key, _ in self._selector.select():
                if key.fileobj is self._wakes:
                    self._wakes.recv(4096)
                    self._reap()
                elif key.fileobj is self._listener:
                    client, _ = self._listener.accept()
                    wanted = self._answer(client)
                    if wanted is not None:
                        return wanted
                elif key.data in self._clients:
                    self._hear(key.data)
        os.unlink(SOCKET)
        return None

    def _answer(self, client: socket.socket) -> Wanted | None:
        """Fork a worker for a client, or refuse it; returns, in the worker alone, what it shall be."""
        client.settimeout(_SECONDS)
        descriptors: list[int] = []
        try:
            wanted = _received(client, descriptors)
            reason = self._refused(wanted.environment)
            if reason is None:
                pid = _fork()
                if pid == 0:
                    self._leave(client)
                    return wanted
                self._clients[pid] = client
                self._selector.register(client, selectors.EVENT_READ, pid)
                with suppress(OSError):  # it has gone: _hear is next
                    client.sendall(b"forked\n")
            else:
                self._old = True
                sys.stderr.write(f"no more workers are forked: {reason}\n")
                sys.stderr.flush()
                client.close()
        except (OSError, ValueError, LookupError, TypeError):  # it asks for nothing, or has gone
            client.close()
        for descriptor in descriptors:
            os.close(descriptor)
        return None

    def _leave(self, client: socket.socket) -> None:
        """Let go, in a worker, of what is the server's."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        self._selector.close()
        for end in (client, self._listener, self._wakes, self._woken, *self._clients.values()):
            end.close()

    def _hear(self, pid: int) -> None:
        """Pass on the signals that a client was sent; end its worker if the client has ended."""
        try:
            signals = self._clients[pid].recv(64)
        except OSError:
            signals = b""
        for number in signals or (signal.SIGKILL,):
            _signal_all(pid, number)
        if not signals:
            self._selector.unregister(self._clients[pid])  # its end stays readable

    def _reap(self) -> None:
        """Tell the clients of workers that have ended how they have."""
        while self._clients:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            client = self._clients.pop(pid)
            with suppress(KeyError, ValueError):
                self._selector.unregister(client)
            with suppress(OSError):
                client.sendall(f"ended {status}\n".encode())
            client.close()
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)  # what it has started

    def _stop(self, *_: object) -> None:
        for pid in self._clients:
            _signal_all(pid, signal.SIGKILL)
        os._exit(0)


def _received(client: socket.socket, descriptors: list[int]) -> Wanted:
    """What a client asks for; its descriptors are added to ``descriptors``, whatever follows.

    Raises:
        ValueError: It is something else.
    """
    rights = array.array("i")
    space = socket.CMSG_SPACE(rights.itemsize * _DESCRIPTORS)
    data, ancillary, _, _ = client.recvmsg(1 << 16, space)
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            rights.frombytes(content[: len(content) // rights.itemsize * rights.itemsize])
    descriptors.extend(rights)
    while not data.endswith(b"\n"):
        more = client.recv(1 << 16)
        if not more or len(data) > _MOST_BYTES:
            raise ValueError("no whole line")
        data += more
    fields = json.loads(data)
    if len(descriptors) != _DESCRIPTORS:
        raise ValueError("no input and output")
    return Wanted(fields["arguments"], fields["folder"], fields["environment"], descriptors)


def _fork() -> int:
    """Fork a process that ends with this one; 0 in the new one."""
    server = os.getpid()
    with warnings.catch_warnings():
        # Python warns of threads: libraries for linear algebra and memory have some, and stop them.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != server:
            os._exit(1)
    return pid


def _signal_all(pid: int, number: int) -> None:
    """Signal the group of a worker; until it leads one, it is alone."""
    for send in (os.killpg, os.kill):
        with suppress(ProcessLookupError):
            send(pid, number)
            return


class Imported:
    """What this process has imported, and with which settings."""

    def __init__(self, modules: Mapping[str, ModuleType]) -> None:
        paths = [getattr(module, "__file__", None) for module in modules.values()]
        self._files = {path: _version(path) for path in paths if isinstance(path, str)}
        self._settings = _settings(os.environ)

    def refused(self, environment: Mapping[str, str]) -> str | None:
        """Why no worker is forked for this environment, in a few words; None if one is."""
        if _settings(environment) != self._settings:
            return "a worker has other settings of Python"
        changed = (path for path, version in self._files.items() if _version(path) != version)
        path = next(changed, None)
        return None if path is None else f"{path} has changed"


def _version(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _settings(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(_SETTINGS) and name not in ENVIRONMENT
    }


def main(folder: str) -> None:
    """Import, and fork workers; be a worker, in each of them.

    Args:
        folder: Where the socket is.
    """
    gc.disable()
    for name in MODULES:
        with suppress(ImportError):  # a worker says what it lacks
            import_module(name)
    worker: Any = import_module(WORKER)
    plugin: Any = import_module("runners.flink.worker")
    imported = Imported(dict(sys.modules))
    gc.collect()
    gc.freeze()  # a collection would write to, and so copy, the memory that the workers share
    wanted = ForkServer(Path(folder), imported.refused).serve()
    if wanted is None:
        os.execv(sys.executable, command(Path(folder)))  # noqa: S606 - this program, once more
    gc.enable()
    wanted.become()
    plugin.begin_forked()
    worker.main(sys.argv)


def command(folder: Path) -> list[str]:
    """The command line of the server, whose socket is in ``folder``."""
    code = f"import sys; from {__name__} import main; main(sys.argv[1])"
    return [sys.executable, "-c", code, str(folder)]
