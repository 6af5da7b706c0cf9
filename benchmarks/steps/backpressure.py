"""Let a service become slower and faster again, and draw how a run follows it (``make backpressure-steps``).

python -m benchmarks.steps.backpressure docs/steps.svg
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.kafka.chart import Chart, svg
from benchmarks.steps.calls import trial
from benchmarks.steps.service import Service

PHASES = ((0.005, "5 ms"), (0.02, "20 ms"), (0.1, "100 ms"), (0.02, "20 ms"), (0.005, "5 ms"))
"""How long each answer takes, one after another."""

SECONDS = 14.0
"""How long each of them lasts."""

RECORDS = 100_000
AT_ONCE = 8


@dataclass(slots=True)
class Course:
    """How a run followed the phases; times are seconds since they began.

    Attributes:
        rows: Rows of the table.
        memory: MB.
        calls: When each call came.
    """

    rows: list[tuple[float, float]] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)

    def rates(self) -> list[float]:
        """Calls a second of each phase; its first three seconds are left out."""
        begins = [n * SECONDS + 3 for n in range(len(PHASES))]
        return [self._within(at, at + SECONDS - 3) / (SECONDS - 3) for at in begins]

    def draw(self, picture: Path, title: str) -> None:
        """Write the picture."""
        seconds = range(int(self.rows[-1][0]))
        rates = [(float(at), self._within(at, at + 1.0)) for at in seconds]
        spans = [(n * SECONDS, (n + 1) * SECONDS, name) for n, (_, name) in enumerate(PHASES)]
        charts = (
            Chart("records/s that the step takes from the source", [("calls", rates)]),
            Chart("records in the table", [("rows", self.rows)]),
            Chart("memory of the process, MB", [("RSS", self.memory)]),
        )
        picture.write_text(svg(title, charts, spans), encoding="utf-8")

    def _within(self, begin: float, end: float) -> float:
        return float(sum(begin <= at < end for at in self.calls))


def follow(service: Service, rows: Callable[[], int], memory: Callable[[], float]) -> Course:
    """Take the service through its phases, and look at the run meanwhile."""
    course = Course()
    began = time.monotonic()
    for seconds, _ in PHASES:
        service.tell(f"seconds {seconds}")
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            at = time.monotonic() - began
            course.rows.append((at, float(rows())))
            course.memory.append((at, memory()))
            time.sleep(0.25)
    course.calls = [at - began for at in service.calls()]
    return course


def main(picture: Path) -> None:
    """Run the phases, and write the picture; print the rate of each."""
    with trial(PHASES[0][0], RECORDS) as run:
        process = run.start(f"call?concurrency={AT_ONCE}&timeout=10")
        run.wait_for_rows(1, process)
        rss = psutil.Process(process.pid)
        course = follow(run.service, run.count, lambda: rss.memory_info().rss / 1e6)
        process.kill()
        process.wait()
    course.draw(picture, f"A service that becomes slower, called {AT_ONCE} at a time")
    for (_, name), rate in zip(PHASES, course.rates(), strict=True):
        print(f"{name}: {rate:.0f} records/s")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
