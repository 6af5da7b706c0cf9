"""Processes that are forked from this one, and the lines on which both sides talk.

They are forked before this process has threads or connections, so that a worker inherits what is imported
and nothing that two processes must not share. A worker waits on its line until it is told what to do. It ends
when its line is cut: no worker goes on without the process that started it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from runners.runner import RunnerUnavailable

_LEAVE_SECONDS = 10.0
"""How long a worker whose line is cut may take to end before it is killed."""

_LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Line:
    """The two ways on which a process and a worker talk; each has one end of both.

    Attributes:
        orders: What the worker is told, and what it reports.
        requests: What the worker asks for, and the answers.
    """

    orders: Connection
    requests: Connection

    @classmethod
    def pair(cls) -> tuple[Line, Line]:
        """A line's two ends."""
        (one, other), (first, second) = Pipe(), Pipe()
        return cls(one, first), cls(other, second)

    def close(self) -> None:
        """Cut the line at this end."""
        self.orders.close()
        self.requests.close()


@dataclass(slots=True)
class Worker:
    """A worker process, as the process that started it sees it.

    Attributes:
        index: Its number, from 0.
        pid: Its process.
        line: This process's end of its line.
        status: How it ended, as ``os.waitpid`` says; None while it runs.
    """

    index: int
    pid: int
    line: Line
    status: int | None = field(default=None)

    def ended(self, seconds: float = 0.0) -> bool:
        """Whether it has ended; waits ``seconds`` for that at most."""
        deadline = time.monotonic() + seconds
        while self.status is None:
            with suppress(ChildProcessError):
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                self.status = status if pid else None
            if self.status is None:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(_LOOK_SECONDS)
        return True

    @property
    def end_in_words(self) -> str:
        """How it ended, for messages: ``was killed by SIGKILL`` or ``ended with exit code 1``."""
        if self.status is None:
            return "does not answer"
        code = os.waitstatus_to_exitcode(self.status)
        if code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"


@contextmanager
def forked(number: int, work: Callable[[Line], None]) -> Iterator[Sequence[Worker]]:
    """``number`` worker processes while the block runs, if it is more than 1. At its end their lines are cut.

    Signals that ask to stop do not concern a worker before ``work`` says so: the process that started it
    passes them on.

    Args:
        number: How many.
        work: Called in each worker with its end of the line. The worker ends when it returns.

    Raises:
        RunnerUnavailable: The system lets no more processes or open files be.
    """
    workers: list[Worker] = []
    try:
        for index in range(number if number > 1 else 0):
            for stream in (sys.stdout, sys.stderr):  # otherwise both would write what is buffered
                stream.flush()
            try:
                ours, theirs = Line.pair()
                pid = os.fork()
            except OSError as error:
                raise RunnerUnavailable(
                    f"--workers {number}: this machine starts only {index} of them "
                    f"({error.strerror}); give fewer, or raise the limit (ulimit)"
                ) from error
            if not pid:
                for other in (*(worker.line for worker in workers), ours):
                    other.close()  # or this worker would keep them open for others
                _work(theirs, work)
            theirs.close()
            workers.append(Worker(index, pid, ours))
        yield workers
    finally:
        for worker in workers:
            worker.line.close()
        for worker in workers:
            if not worker.ended(_LEAVE_SECONDS):
                with suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGKILL)
                worker.ended(_LEAVE_SECONDS)


def _work(line: Line, work: Callable[[Line], None]) -> NoReturn:
    code = 1
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        work(line)
        code = 0
    except (EOFError, OSError):  # the line is cut
        pass
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def received(connection: Connection) -> Any:
    """The next message, or None once the other side has cut the line."""
    try:
        return connection.recv()
    except (EOFError, OSError):
        return None
