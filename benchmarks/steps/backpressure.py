"""Let a service become slower and faster again, and draw how a run follows it (``make backpressure-steps``).

python -m benchmarks.steps.backpressure docs/steps.svg
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil

from benchmarks.kafka.chart import Chart, svg
from benchmarks.steps.calls import trial

PHASES = ((0.005, "5 ms"), (0.02, "20 ms"), (0.1, "100 ms"), (0.02, "20 ms"), (0.005, "5 ms"))
"""How long each answer takes, one after another."""

SECONDS = 14.0
"""How long each of them lasts."""

RECORDS = 100_000
AT_ONCE = 8


def main(picture: Path) -> None:
    """Run the phases, and write the picture; print the rate of each."""
    rows: list[tuple[float, float]] = []
    memory: list[tuple[float, float]] = []
    with trial(PHASES[0][0], RECORDS) as run:
        process = run.start(f"call?concurrency={AT_ONCE}&timeout=10")
        run.wait_for_rows(1, process)
        began = time.monotonic()
        for seconds, _ in PHASES:
            run.service.tell(f"seconds {seconds}")
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                at = time.monotonic() - began
                rows.append((at, float(run.count())))
                memory.append((at, psutil.Process(process.pid).memory_info().rss / 1e6))
                time.sleep(0.25)
        calls = [at - began for at in run.service.calls()]
        process.kill()
        process.wait()
    rates = [
        (float(second), _within(calls, second, second + 1.0)) for second in range(int(rows[-1][0]))
    ]
    spans = [(n * SECONDS, (n + 1) * SECONDS, name) for n, (_, name) in enumerate(PHASES)]
    charts = (
        Chart("records/s that the step takes from the source", [("calls", rates)]),
        Chart("records in the table", [("rows", rows)]),
        Chart("memory of the process, MB", [("RSS", memory)]),
    )
    title = f"A service that becomes slower, called {AT_ONCE} at a time"
    picture.write_text(svg(title, charts, spans), encoding="utf-8")
    for begin, end, name in spans:
        print(f"{name}: {_within(calls, begin + 3, end) / (end - begin - 3):.0f} records/s")


def _within(times: list[float], begin: float, end: float) -> float:
    return float(sum(begin <= at < end for at in times))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
