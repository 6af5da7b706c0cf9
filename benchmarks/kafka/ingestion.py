"""``pipelines.ingest --streaming`` as a process that can be killed, stopped and measured."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.services.process import ServiceProcess

STOP_SECONDS = 10.0
"""How long a streaming run may take to end after SIGTERM."""


class Ingestion:
    """One streaming ingestion, whose process may be started again and again.

    Args:
        folder: A new folder for its log.
        source: URI of the topic.
        dsn: The database.
        table: The table; None if further flags say where records go.
        more: Further flags.
        runner: The name of the runner.
    """

    def __init__(
        self,
        folder: Path,
        source: str,
        dsn: str,
        table: str | None,
        more: Sequence[str] = (),
        runner: str = "DirectRunner",
    ) -> None:
        folder.mkdir()
        self._folder = folder
        self._log = folder / "ingest.log"
        self._command = [
            *(sys.executable, "-m", "pipelines.ingest", "--runner", runner, "--streaming"),
            *("--source", source, "--sink", dsn, *(("--table", table) if table else ())),
            *("--no_progress", *more),
        ]
        self._process: ServiceProcess | None = None

    def start(self) -> None:
        """Start a process; the previous one must have ended."""
        assert self._process is None or self._process.exit_status is not None
        self._process = ServiceProcess(self._command, self._folder, self._log)

    @property
    def pid(self) -> int:
        """Id of the running process."""
        return self._running().pid

    @property
    def lines(self) -> int:
        """How many lines all processes have printed so far."""
        return self._log.read_bytes().count(b"\n")

    def check(self) -> None:
        """Fail unless the process runs."""
        status = self._running().exit_status
        assert status is None, f"the ingest ended with {status}:\n{self.tail()}"

    def kill(self) -> None:
        """Send SIGKILL; fails if the process has ended by itself."""
        self.check()
        self._running().kill()

    def stop(self) -> float:
        """Send SIGTERM; returns the seconds until it ended, and fails unless it ended with 0."""
        self.check()
        seconds, status = self.terminate(STOP_SECONDS)
        assert status == 0, f"ended with {status} after SIGTERM:\n{self.tail()}"
        return seconds

    def terminate(self, patience: float) -> tuple[float, int]:
        """Send SIGTERM; returns the seconds until it ended, and its exit status.

        Args:
            patience: Seconds within which it must have ended.
        """
        process = self._running()
        started = time.monotonic()
        os.kill(process.pid, signal.SIGTERM)
        while (status := process.exit_status) is None:
            seconds = time.monotonic() - started
            assert seconds < patience, f"still running {seconds:.0f} s after SIGTERM"
            time.sleep(0.02)
        seconds = time.monotonic() - started
        process.kill()
        return seconds, status

    @property
    def exit_status(self) -> int | None:
        """Exit status of the last process, negative for a signal; None while it runs."""
        return self._running().exit_status

    def close(self) -> None:
        """End the process, if it still runs."""
        if self._process is not None:
            self._process.kill()

    def cpu_seconds(self) -> float:
        """CPU time that the process and its children have used, user and system."""
        process = psutil.Process(self.pid)
        times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
        return sum(each.user + each.system for each in times)

    def resident_mib(self) -> float:
        """Resident memory of the process, in MiB."""
        return float(psutil.Process(self.pid).memory_info().rss) / (1 << 20)

    def tail(self) -> str:
        """The end of what it printed."""
        return self._log.read_text(errors="replace")[-4_000:]

    def _running(self) -> ServiceProcess:
        assert self._process is not None, "not started"
        return self._process
