"""Let processes be killed in a commit: the side of the checks."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any

from pipelines.conformance.check import Failed
from pipelines.conformance.checks.interruptions import killed
from pipelines.conformance.ground import Ground
from sinks.database import leases
from sinks.database.engine import dispose_engine
from transforms.secret_urls import resolve_url

_SECONDS = 55.0
"""How long a process may take, the first with the import of the program."""


@dataclass(frozen=True, slots=True)
class End:
    """How a process has ended.

    Attributes:
        status: As ``subprocess`` has it: the signal is negative.
        at: The point that it had reached: ``statement N``, ``killed.COMMIT`` or ``killed.AFTER``.
    """

    status: int
    at: str


class Killing:
    """An interpreter that forks the processes that are killed.

    Args:
        orders: Its standard input.
        answers: Its standard output.
        errors: A file with what it wrote to its standard error.
    """

    def __init__(self, orders: IO[str], answers: IO[str], errors: IO[str]) -> None:
        self._orders = orders
        self._answers = answers
        self._errors = errors

    def end_of(self, ground: Ground, table: str, process: int, point: int | str) -> End:
        """Let a process commit its records into ``table``, and be killed at ``point``.

        Raises:
            Failed: It ended by itself, or not at all.
        """
        leases.release_all()
        dispose_engine(ground.database)  # where one process at a time has the database
        order = {
            "url": resolve_url(ground.database.url),
            "table": table,
            "process": process,
            "point": point,
        }
        answer = self._answer_to(order)
        if answer["error"]:
            raise Failed(f"a process ended by itself: {answer['error']}")
        return End(answer["status"], answer["at"])

    def _answer_to(self, order: dict[str, Any]) -> dict[str, Any]:
        with suppress(BrokenPipeError):  # then there is no answer
            self._orders.write(json.dumps(order) + "\n")
            self._orders.flush()
        if not select.select([self._answers], [], [], _SECONDS)[0]:
            raise Failed(f"a process did not end within {_SECONDS:g} s")
        line = self._answers.readline()
        if not line:
            self._errors.seek(0)
            last = (self._errors.read().strip().splitlines() or ["no message"])[-1]
            raise Failed(f"the interpreter of the processes ended by itself: {last}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def killing() -> Iterator[Killing]:
    """The interpreter, ended with the block, and with it a process that hangs."""
    with (
        tempfile.TemporaryFile("w+", errors="replace") as errors,
        subprocess.Popen(  # noqa: S603 - this program itself
            [sys.executable, "-m", killed.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        ) as interpreter,
    ):
        orders, answers = interpreter.stdin, interpreter.stdout
        assert orders is not None  # noqa: S101 - it is a pipe
        assert answers is not None  # noqa: S101 - it is a pipe
        try:
            yield Killing(orders, answers, errors)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(interpreter.pid, signal.SIGKILL)
            with suppress(BrokenPipeError):
                orders.close()
