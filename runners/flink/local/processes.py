"""Processes that outlive the program which started them, written down so that exactly they can
be stopped by another.

A process is known by its number and its start time: a number alone may have been given to
somebody else by now.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from runners.runner import RunnerUnavailable

STOP_SECONDS = 10.0

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Those that this process has started: it is theirs to learn that they ended."""


class Processes:
    """The processes of one folder: its ``processes.json`` and ``logs/``.

    Every process leads a group of its own, so that its children go with it.
    """

    def __init__(self, folder: Path) -> None:
        self._logs = folder / "logs"
        self._file = folder / "processes.json"

    def names(self) -> list[str]:
        """Those that were started and not stopped yet, dead ones too."""
        return list(self._read())

    def running(self, name: str) -> bool:
        """Whether the process that was started under ``name`` still runs."""
        return self.pid(name) is not None

    def log(self, name: str) -> Path:
        """Where it writes what it has to say."""
        return self._logs / f"{name}.log"

    def said(self, name: str) -> str:
        """The last line of its log."""
        try:
            lines = self.log(name).read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1][:300] if lines else "it said nothing"

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start ``command`` and write it down.

        Raises:
            RunnerUnavailable: The program cannot be started.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("ab") as output:
            try:
                child = subprocess.Popen(  # noqa: S603 - no shell; our own command
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **environment},
                    start_new_session=True,
                )
            except OSError as error:
                raise RunnerUnavailable(
                    f"{name} cannot be started ({command[0]}): {error.strerror or error}"
                ) from error
        _children[child.pid] = child
        recorded = self._read()
        recorded[name] = (child.pid, _started(child.pid) or "")
        self._write(recorded)

    def stop(self, name: str) -> None:
        """End it by SIGTERM, what is left of its group by SIGKILL, and forget it."""
        pid = self.pid(name)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + STOP_SECONDS
            while self.running(name) and time.monotonic() < deadline:
                time.sleep(random.uniform(0.05, 0.15))  # noqa: S311 - jitter
        self.kill(name)

    def kill(self, name: str) -> None:
        """End it and its children by SIGKILL, at once, and forget it."""
        recorded = self._read()
        number, started = recorded.pop(name, (0, ""))
        # A group keeps its number while one of it lives, so that the number of a leader that
        # is gone is either still its group's or somebody else's, who leads his own.
        if number and _started(number) in (started, None):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(number, signal.SIGKILL)
        child = _children.pop(number, None)
        if child is not None:
            child.wait()
        self._write(recorded)

    def pid(self, name: str) -> int | None:
        """The number of the process that runs under ``name``; None if none does."""
        number, started = self._read().get(name, (0, ""))
        child = _children.get(number)
        if child is not None and child.poll() is not None:  # reaped here
            return None
        return number if number and _started(number) == started else None

    def _read(self) -> dict[str, tuple[int, str]]:
        try:
            found = json.loads(self._file.read_text())
        except FileNotFoundError:
            return {}
        return {name: (int(pid), str(started)) for name, (pid, started) in found.items()}

    def _write(self, recorded: Mapping[str, tuple[int, str]]) -> None:
        if not recorded:
            self._file.unlink(missing_ok=True)
            return
        whole = self._file.with_suffix(".new")
        whole.write_text(json.dumps(recorded, indent=2) + "\n")
        whole.replace(self._file)


def _started(pid: int) -> str | None:
    """When ``pid`` began, in words of the system; None if it is gone or a zombie."""
    try:
        after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return None if Path("/proc/self/stat").exists() else _started_by_ps(pid)
    except ProcessLookupError:
        return None
    return None if after[0] == "Z" else after[19]  # state, starttime (proc_pid_stat(5))


def _started_by_ps(pid: int) -> str | None:
    command = ["ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)]
    printed = subprocess.run(  # noqa: S603 - a constant, and a number
        command, capture_output=True, text=True, timeout=10, check=False
    ).stdout.split(maxsplit=1)
    return None if len(printed) < 2 or printed[0].startswith("Z") else printed[1].strip()
