"""A service in a process of its own, which obeys lines on its standard input.

    python -m benchmarks.steps.service SECONDS

It prints its port. ``stop`` and ``start`` close and open it, ``status N`` sets what it answers (0: it
never does), ``failing N`` lets N of 100 calls fail (500), ``seconds N`` says how long an answer takes, ``calls``
prints when each call came (monotonic seconds).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.services.http_service import http_service


def main(seconds: float) -> None:
    """Serve until standard input ends."""
    with http_service(seconds) as service:
        print(service.port, flush=True)
        for line in sys.stdin:
            match line.split():
                case ["stop"]:
                    service.stop()
                case ["start"]:
                    service.start()
                case ["status", number]:
                    service.status = int(number)
                case ["failing", percent]:
                    service.status = _failing(int(percent))
                case ["seconds", number]:
                    service.seconds = float(number)
                case ["calls"]:
                    print(json.dumps([at for at, _ in service.calls]), flush=True)


def _failing(percent: int) -> Callable[[int], int]:
    """What answers ``percent`` of 100 calls with 500, evenly."""

    def status(number: int) -> int:
        return 500 if number * percent // 100 > (number - 1) * percent // 100 else 200

    return status


@dataclass(frozen=True, slots=True)
class Service:
    """The process, as a benchmark controls it."""

    process: subprocess.Popen[str]
    port: int

    def tell(self, line: str) -> None:
        """Have it do something."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def calls(self) -> list[float]:
        """When each call came."""
        self.tell("calls")
        assert self.process.stdout is not None
        times: list[float] = json.loads(self.process.stdout.readline())
        return times


@contextmanager
def serving(seconds: float) -> Iterator[Service]:
    """A service that takes ``seconds`` for each answer."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.steps.service", str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield Service(process, int(process.stdout.readline()))
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    main(float(sys.argv[1]))
