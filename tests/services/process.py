"""A service in a process of its own that cannot outlive the process which started it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

# Its standard input is a pipe whose other end only the starting process holds: it closes when
# that process ends, however it ends, and then the service's process group and folder go.
WATCHDOG = 'cat >/dev/null; kill -9 "-$1"; rm -rf -- "$2"'


class ServiceProcess:
    """A running command, its output appended to a log file.

    Args:
        command: Program and arguments.
        folder: Its own temporary folder, deleted if this process ends without ``stop``.
        log: File that standard output and standard error are appended to.
        environment: Variables to add to this process's own.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,  # a group of its own; Ctrl-C is not for it
            )
        self._watchdog = subprocess.Popen(
            ["sh", "-c", WATCHDOG, "watchdog", str(self._process.pid), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Its process id, which is its process group's too."""
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    def stop(self, seconds: float) -> None:
        """End it by SIGTERM; by SIGKILL if it still runs after ``seconds``."""
        self._release_watchdog()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End it and its children by SIGKILL, at once."""
        self._release_watchdog()
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _release_watchdog(self) -> None:
        # First of all, while the group's number is still ours: it may be given away again.
        if self._watchdog.poll() is None:
            os.killpg(self._watchdog.pid, signal.SIGKILL)  # the shell and its cat
        self._watchdog.wait()
        if self._watchdog.stdin is not None:
            self._watchdog.stdin.close()
