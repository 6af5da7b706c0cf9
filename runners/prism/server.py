"""A Prism process that takes jobs on a free port of loopback and cannot outlive this process."""

from __future__ import annotations

import logging
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from runners.listeners import beyond_loopback
from runners.ports import free_ports
from runners.runner import RunnerUnavailable

_log = logging.getLogger(__name__)

START_SECONDS = 30.0
STOP_SECONDS = 5.0
_ATTEMPTS = 3
"""Somebody else may take a port after it was chosen and before it is used."""

# Its standard input is a pipe whose other end only this process holds: it closes when this
# process ends, however it ends, and Prism goes with it.
_WATCHDOG = 'cat >/dev/null; kill -9 "$1"'


@contextmanager
def serving(binary: str, log_level: str) -> Iterator[str]:
    """Start ``binary`` and yield its endpoint, ``localhost:port``; it ends with the context.

    What it logs goes to this module's logger.

    Raises:
        RunnerUnavailable: It ended, did not listen within ``START_SECONDS``, or listens where
            other machines can reach it. It does not go on running.
    """
    for attempt in range(_ATTEMPTS):
        process = _Process(binary, log_level)
        try:
            if not process.await_listening(last=attempt + 1 == _ATTEMPTS):
                continue
            process.refuse_others()
            yield process.endpoint
            return
        finally:
            process.stop()


class _Process:
    """A Prism, its log, and a watchdog that kills it when this process ends."""

    def __init__(self, binary: str, log_level: str) -> None:
        (self._port,) = free_ports(1)
        self._binary = binary
        self._last_lines: deque[str] = deque(maxlen=5)
        command = [binary, f"--job_port={self._port}", "--serve_http=false"]
        command += [f"--log_level={log_level}", "--log_kind=text"]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - no shell; the user's own binary
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,  # Ctrl-C is for this process; Prism has to see the job's end
            )
        except OSError as error:
            raise RunnerUnavailable(
                f"Prism cannot be started ({binary}): {error.strerror or error}"
            ) from error
        self._watchdog = subprocess.Popen(  # noqa: S603 - a constant, and a number
            ["/bin/sh", "-c", _WATCHDOG, "watchdog", str(self._process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        self._reader = threading.Thread(
            target=self._read, args=(self._process.stdout,), name="prism-log", daemon=True
        )
        self._reader.start()

    @property
    def endpoint(self) -> str:
        return f"localhost:{self._port}"

    def await_listening(self, *, last: bool) -> bool:
        """Wait until it accepts connections; False if it ended and another port may help."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            status = self._process.poll()
            if status is not None and not last:
                return False
            if status is not None or time.monotonic() > deadline:
                self._reader.join(1.0)
                how = (
                    f"did not listen within {START_SECONDS:.0f} s"
                    if status is None
                    else f"ended with {status}"
                )
                last_line = f": {self._last_lines[-1][:300]}" if self._last_lines else ""
                raise RunnerUnavailable(f"Prism ({self._binary}) {how}{last_line}")
            try:
                socket.create_connection(("localhost", self._port), timeout=1.0).close()
            except OSError:
                time.sleep(random.uniform(0.01, 0.05))  # noqa: S311 - jitter
            else:
                return True

    def refuse_others(self) -> None:
        """Refuse a Prism that other machines can reach: it runs anybody's program.

        Raises:
            RunnerUnavailable: They can.
        """
        reached = beyond_loopback(self._process.pid)
        if reached:
            raise RunnerUnavailable(
                f"Prism ({self._binary}) listens on {', '.join(reached)}, where others can make it "
                "run programs as you, so it was ended; leave out --prism_location to have one built "
                "that listens on loopback, or start it yourself and give --job_endpoint"
            )

    def stop(self) -> None:
        """End it by SIGTERM, or by SIGKILL if that is not enough."""
        # The watchdog first, while the process id that it knows is still Prism's.
        with suppress(ProcessLookupError):
            os.killpg(self._watchdog.pid, signal.SIGKILL)  # the shell and its cat
        self._watchdog.wait()
        if self._watchdog.stdin is not None:
            self._watchdog.stdin.close()
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(STOP_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _read(self, output: IO[str]) -> None:
        for line in output:
            self._last_lines.append(line.strip())
            _log.debug("%s", self._last_lines[-1])
