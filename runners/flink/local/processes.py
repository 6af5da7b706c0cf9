"""Processes that outlive the program that started them, recorded so that another can stop them.

A process is identified by its id and its start time, because the id alone may belong to another
process by now.
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
"""Those that this process has started, which must wait for them when they end."""


class Processes:
    """The processes of one folder: its ``processes.json`` and ``logs/``.

    Every process leads a group of its own, so that its children go with it.
    """

    def __init__(self, folder: Path) -> None:
        self._logs = folder / "logs"
        self._file = folder / "processes.json"

    def names(self) -> list[str]:
        """The names of those that were started and not stopped, including dead ones."""
        return list(self._read())

    def running(self, name: str) -> bool:
        """Whether the process that was started as ``name`` still runs."""
        return self.pid(name) is not None

    def log(self, name: str) -> Path:
        """The file of its standard output and standard error."""
        return self._logs / f"{name}.log"

    def last_line(self, name: str) -> str:
        """The last line of its log, at most 300 characters of it."""
        try:
            lines = self.log(name).read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1][:300] if lines else "it wrote nothing"

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start ``command`` and record it as ``name``.

        Raises:
            RunnerUnavailable: The program cannot be started.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("ab") as output:
            try:
                child = subprocess.Popen(  # noqa: S603 - no shell; a command of this package
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

    def stop(self, name: str, seconds: float = STOP_SECONDS) -> None:
        """End it by SIGTERM, the rest of its group by SIGKILL, and forget it.

        Args:
            name: Which one.
            seconds: After these, it is ended by SIGKILL too.
        """
        pid = self.pid(name)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + seconds
            while self.running(name) and time.monotonic() < deadline:
                time.sleep(random.uniform(0.05, 0.15))  # noqa: S311 - jitter
        self.kill(name)

    def kill(self, name: str) -> None:
        """End it and its children by SIGKILL, at once, and forget it."""
        recorded = self._read()
        pid, started = recorded.pop(name, (0, ""))
        # A group keeps its id while one of its processes lives. So the id of a leader that has
        # ended is either still that of its group, or of a stranger's, which a live leader has.
        if pid and _started(pid) in (started, None):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        child = _children.pop(pid, None)
        if child is not None:
            child.wait()
        self._write(recorded)

    def pid(self, name: str) -> int | None:
        """The id of the process that runs as ``name``; None if none does."""
        pid, started = self._read().get(name, (0, ""))
        child = _children.get(pid)
        if child is not None and child.poll() is not None:  # this reaps it
            return None
        return pid if pid and _started(pid) == started else None

    def _read(self) -> dict[str, tuple[int, str]]:
        try:
            recorded = json.loads(self._file.read_text())
        except FileNotFoundError:
            return {}
        return {name: (int(pid), str(started)) for name, (pid, started) in recorded.items()}

    def _write(self, recorded: Mapping[str, tuple[int, str]]) -> None:
        if not recorded:
            self._file.unlink(missing_ok=True)
            return
        replacement = self._file.with_suffix(".new")
        replacement.write_text(json.dumps(recorded, indent=2) + "\n")
        replacement.replace(self._file)


def _started(pid: int) -> str | None:
    """When ``pid`` began, as the system writes it; None if it has ended or is a zombie."""
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
