"""One process, measured from its start to its end."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TAIL = 2_000
"""Characters of its output that tell why a process failed."""

LOOK_SECONDS = 0.02


class Failed(Exception):
    """A process did not do its work; the message says why, in one line or a few."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds, CPU seconds (with those of its own processes) and the most MiB that it had at once."""

    seconds: float
    cpu: float
    peak_mib: float


class Memory(threading.Thread):
    """Watches the memory of a process.

    What wait4 says of it would do, were it not that a process begins with the peak of the one that
    started it: this one's.

    Args:
        pid: Of the process.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak_mib = 0.0
        self._pid = pid
        self._ended = threading.Event()

    def run(self) -> None:
        """Look until told to stop; the kernel keeps the peak, so only the last look may miss some."""
        while not self._ended.wait(LOOK_SECONDS):
            self.peak_mib = max(self.peak_mib, peak_mib(self._pid))

    def stop(self) -> None:
        """Let it end."""
        self._ended.set()
        self.join()


def measured(
    command: Sequence[str],
    log: Path,
    *,
    folder: Path,
    environment: Mapping[str, str],
    patience: float,
) -> Usage:
    """Run ``command`` to its end.

    Args:
        command: Program and arguments.
        log: Where its output goes.
        folder: Its working directory.
        environment: Its variables, all of them.
        patience: Seconds after which it is killed, with all that it started.

    Raises:
        Failed: It could not be started, ended with another status than 0, or took too long.
    """
    late = threading.Event()
    with log.open("wb") as output:
        started = time.perf_counter()
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment,
                start_new_session=True,  # a group of its own, to be killed as a whole
            )
        except OSError as error:
            raise Failed(f"{command[0]}: {error.strerror}") from error

        def kill() -> None:
            late.set()
            with suppress(ProcessLookupError):  # it ends at this very moment
                os.killpg(process.pid, signal.SIGKILL)

        timer, memory = threading.Timer(patience, kill), Memory(process.pid)
        timer.start()
        memory.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            seconds = time.perf_counter() - started
            timer.cancel()
            memory.stop()
    process.returncode = os.waitstatus_to_exitcode(status)
    if late.is_set():
        raise Failed(f"it did not end within {patience:,.0f} s")
    if process.returncode:
        raise Failed(f"it ended with {process.returncode}: {tail(log)}")
    return Usage(seconds, usage.ru_utime + usage.ru_stime, memory.peak_mib)


def peak_mib(pid: int) -> float:
    """The most memory that a process had so far, in MiB; 0 if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(sizes[0]) / 1024 if sizes else 0.0


def tail(log: Path) -> str:
    """The end of what a process printed."""
    return log.read_text(errors="replace")[-TAIL:].strip() or "it printed nothing"
