"""Why a job of Flink's failed: what its REST API shows of it, in one line that says what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runners.flink.rest import FlinkRest

LINE = 300
"""The longest line that is shown of a stack trace."""

NO_SLOTS = "NoResourceAvailableException"

_MEANINGS: Mapping[str, str] = {
    r"StatusRuntimeException: (CANCELLED|UNAVAILABLE)|SDK harness.*disconnect|Socket closed": (
        "a Python worker ended in the middle of its work: a step ended its process, it crashed, or the "
        "system killed it for its memory; the log of the TaskManager has its exit status"
    ),
    "Exceeded checkpoint tolerable failure threshold": (
        "a checkpoint did not end within --checkpoint_timeout_millis (10 minutes, if it is not set): a "
        "step hangs, or a bundle waits for something longer than that; give what a step calls a time-out "
        "of its own"
    ),
    NO_SLOTS: "the cluster has too few free slots for --parallelism",
    r"^ModuleNotFoundError: No module named": (
        "{line}; the workers must be able to import what the job uses: install it there, or send it "
        "with --extra_package or --setup_file"
    ),
    r"Process died with exit code|Received exit code \d+ for command": (
        "no Python worker could be started: {line}"
    ),
    r"TaskManager.*(no longer reachable|heartbeat)|Connection unexpectedly closed by remote task": (
        "a TaskManager was lost: {line}"
    ),
    "is not being executed at the moment": "not all of the job runs yet",
    "Checkpoint Coordinator is suspending": "the job was being stopped, or failed, at that moment",
}
"""What a line of Flink's or Beam's means, by a part of it. ``{line}`` stands for the line."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure of a job.

    Attributes:
        at: When, as Flink counts (milliseconds).
        stack: The stack trace, in which Java's surrounds that of Python.
        where: The TaskManager (host:port), or empty where the failure was not on one.
    """

    at: int
    stack: str
    where: str

    def __str__(self) -> str:
        """What happened and where, in one line."""
        return cause(self.stack) + (f" (on the worker at {self.where})" if self.where else "")


def last_failure(rest: FlinkRest, job: str) -> Failure | None:
    """The newest failure of a job, which it may have survived; None if there was none.

    The failure that used up its restarts is hidden in that of Flink's giving up.
    """
    entries = rest.get(f"/jobs/{job}/exceptions?maxExceptions=1")["exceptionHistory"]["entries"]
    if not entries:
        return None
    newest: dict[str, Any] = entries[0]
    concurrent = newest.get("concurrentExceptions") or [{}]
    where = newest.get("location") or concurrent[0].get("location") or ""
    if where == "(unassigned)":
        where = ""
    return Failure(int(newest["timestamp"]), str(newest["stacktrace"]), where)


def cause(stack: str) -> str:
    """The line of a stack trace that says what happened, or what it means; of 300 characters at most.

    >>> cause("java.lang.Exception: x\\n\\tat a.b\\nCaused by: b.Error: Traceback …\\n  in f\\nE: no")
    'E: no'
    """
    innermost = stack.rpartition("Caused by: ")[2]
    lines = [line for line in innermost.splitlines() if line and not line[0].isspace()]
    line = (lines or ["no cause given"])[-1]
    for part, meaning in _MEANINGS.items():
        if re.search(part, line):
            return meaning.format(line=line[:LINE])
    return line[:LINE]
