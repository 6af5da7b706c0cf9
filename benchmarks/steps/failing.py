"""Let a service fail half, a fifth and none of its calls, and draw what becomes of the retries.

python -m benchmarks.steps.failing docs/retries.svg
"""

from __future__ import annotations

import sqlite3
import sys
import time
from pathlib import Path

from benchmarks.kafka.chart import Chart, svg
from benchmarks.steps.calls import Trial, trial

PHASES = ((50, "50 % fail"), (20, "20 % fail"), (0, "none fails"))
"""How many of 100 calls fail, one after another."""

SECONDS = 30.0
"""How long each of them lasts."""

RATE = 100
RECORDS = 5_000
POLICY = ("--backoff_base", "1", "--backoff_cap", "8", "--max_attempts", "50", "--retry_wait", "60")


def main(picture: Path) -> None:
    """Run the phases, and write the picture; print the failures a minute of each."""
    samples: list[tuple[float, int, int, int]] = []
    with trial(0.005, RECORDS) as run:
        run.service.tell(f"failing {PHASES[0][0]}")
        process = run.start(f"call?concurrency=8&rate={RATE}", *POLICY)
        run.wait_for_rows(1, process)
        began = time.monotonic()
        for percent, _ in PHASES:
            run.service.tell(f"failing {percent}")
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                samples.append((time.monotonic() - began, *_state(run)))
                time.sleep(0.5)
        assert process.wait() == 0
        samples.append((time.monotonic() - began, *_state(run)))
        assert samples[-1][1:3] == (RECORDS, 0), samples[-1]
    failures = [(at, failed * 1.0) for at, _, _, failed in samples]
    spans = [(n * SECONDS, (n + 1) * SECONDS, name) for n, (_, name) in enumerate(PHASES)]
    charts = (
        Chart("failed attempts a minute", [("failures", _a_minute(failures))]),
        Chart("jobs that wait for another attempt", [("jobs", [(s[0], s[2]) for s in samples])]),
        Chart("records in the table", [("rows", [(s[0], s[1]) for s in samples])]),
    )
    title = f"A service that fails, {RATE} calls a second, retries among them"
    picture.write_text(svg(title, charts, spans), encoding="utf-8")
    for begin, end, name in spans:
        print(f"{name}: {_between(failures, begin, end) * 60 / SECONDS:,.0f} failures a minute")
    print(f"all {RECORDS:,} records are in the table after {samples[-1][0]:.0f} s, no job is left")


def _state(run: Trial) -> tuple[int, int, int]:
    """Rows of the table, jobs that wait, and failed attempts so far."""
    query = (
        "SELECT (SELECT count(*) FROM events), count(*) FILTER (WHERE state <> 'completed'), "
        "coalesce(sum(json_array_length(errors)), 0) FROM ingest_jobs"
    )
    with sqlite3.connect(run.folder / "out.db", timeout=30) as database:
        rows, jobs, failures = database.execute(query).fetchone()
    return int(rows), int(jobs), int(failures)


def _between(failures: list[tuple[float, float]], begin: float, end: float) -> float:
    counts = [count for at, count in failures if begin <= at <= end]
    return counts[-1] - counts[0]


def _a_minute(
    failures: list[tuple[float, float]], window: float = 5.0
) -> list[tuple[float, float]]:
    return [
        (at, _between(failures, at - window, at) * 60 / window)
        for at, _ in failures
        if at >= window
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
