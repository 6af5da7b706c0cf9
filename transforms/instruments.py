"""What a process measures of itself, apart from Beam's counters: seconds, sizes, and what it holds.

Beam's counters (``transforms.metrics``) reach every runner, but hold whole numbers and start anew with
each run. What is measured here stays in the process, for its own metrics and its heartbeat. Nothing
here is called for each record.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from transforms.per_process import PerProcess

Stage = Literal["read", "parse", "map", "validate", "step", "route", "write", "wait"]
"""What the thread that carries the bundles does; ``write`` is to wait for the writer's commit, and
``wait`` to wait for something to read."""

Counter = Literal[
    "stage_seconds",  # by stage
    "writer_busy_seconds",
    "bytes_read",  # by source; of the records, as they are parsed
    "records_read",  # by source as it was given
    "stored_bytes_read",  # likewise; of objects, as they are stored
    "stored_bytes_planned",  # likewise
    "dead_letters",  # by source as origins have it
    "record_failures",  # by stage and category; at every attempt
    "table_records",  # by table and outcome
    "job_attempts",  # by result
    "outage_seconds",  # by service; spent waiting
    "rate_wait_seconds",  # by source as it was given; spent waiting under a limit
    "columns_changed",  # by table, and whether added or widened
    "deadlocks",  # in which a commit was rolled back
    "leases_lost",
    "step_busy_seconds",  # by step; of all its calls together
    "step_calls",  # by step and result
]

Gauge = Literal[
    "writer_queue_records",
    "writer_queue_capacity_records",
    "commits_in_flight",
    "source_lag_records",  # by source and split
    "leases",  # of worker processes
    "connections",  # of worker processes, by state
    "step_concurrency",  # by step
    "step_queue_records",  # by step
    "step_hung_calls",  # by step
]

Histogram = Literal[
    "commit_duration",  # seconds, by result
    "commit_records",
    "freshness",  # seconds, by source
    "job_wait",  # seconds; of the job that waits for the longest, at each claim
]

BOUNDS: Mapping[Histogram, Sequence[float]] = {
    "commit_duration": (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    "commit_records": (1, 10, 100, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000),
    "freshness": (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3_600, 21_600, 86_400),
    "job_wait": (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 21_600, 86_400),
}
"""The upper bounds of the buckets; the last bucket has none."""

MOST_SERIES = 100
"""How many combinations of labels each name may have; those beyond are counted together."""

MOST_SERIES_OF: Mapping[str, int] = {"table_records": 1_200}
"""The same for names that may have more: ``transforms.metrics`` bounds the tables."""

OTHER = "other"
"""Every label of the series that those beyond are counted in."""

Labels = tuple[str, ...]


@dataclass(slots=True)
class Buckets:
    """How many values there were up to each bound, and their sum.

    Attributes:
        counts: One for each bound, and one for what is beyond the last; not cumulative.
        sum: Of all values.
    """

    counts: list[int]
    sum: float = 0.0


@dataclass(slots=True)
class Measured:
    """What one process has measured.

    Attributes:
        started: When it began (monotonic).
        counters: Sums, by name and labels.
        gauges: What was last set, by name and labels.
        histograms: Buckets, by name and labels.
        committed: When it last committed (monotonic); its beginning until it has.
        at: The time of the copy (monotonic).
        unnamed: Seconds, until then, of stages that go on and have no name before they end.
    """

    started: float = field(default_factory=time.monotonic)
    counters: dict[Counter, dict[Labels, float]] = field(default_factory=dict)
    gauges: dict[Gauge, dict[Labels, float]] = field(default_factory=dict)
    histograms: dict[Histogram, dict[Labels, Buckets]] = field(default_factory=dict)
    committed: float = field(default_factory=time.monotonic)
    at: float = 0.0
    unnamed: float = 0.0


@dataclass(frozen=True, slots=True)
class _Process:
    lock: threading.Lock = field(default_factory=threading.Lock)
    measured: Measured = field(default_factory=Measured)
    running: dict[int, tuple[float, Stage | None]] = field(default_factory=dict)
    """By thread, since when it has been in a stage (monotonic), and in which."""
    workers: dict[int, Measured] = field(default_factory=dict)
    """What each worker process has measured, by its number."""


_process = PerProcess[None, _Process](lambda _: _Process())


def add(name: Counter, amount: float, *labels: str) -> None:
    """Add ``amount`` to a counter."""
    process = _process.get(None)
    with process.lock:
        series = process.measured.counters.setdefault(name, {})
        key = _bounded(series, labels, MOST_SERIES_OF.get(name, MOST_SERIES))
        series[key] = series.get(key, 0.0) + amount


def hold(name: Gauge, value: float, *labels: str) -> None:
    """Set a gauge to ``value``."""
    process = _process.get(None)
    with process.lock:
        series = process.measured.gauges.setdefault(name, {})
        series[_bounded(series, labels)] = value


def let_go(name: Gauge, *labels: str) -> None:
    """Forget a gauge: what it told of is gone."""
    process = _process.get(None)
    with process.lock:
        process.measured.gauges.get(name, {}).pop(labels, None)


def observe(name: Histogram, values: Sequence[float], *labels: str) -> None:
    """Count ``values`` in the buckets of a histogram.

    Values of one bucket, which most batches have, are not looked at one by one.
    """
    if not values:
        return
    bounds = BOUNDS[name]
    first, last = bisect_left(bounds, min(values)), bisect_left(bounds, max(values))
    process = _process.get(None)
    with process.lock:
        series = process.measured.histograms.setdefault(name, {})
        key = _bounded(series, labels)
        buckets = series.setdefault(key, Buckets([0] * (len(bounds) + 1)))
        buckets.sum += sum(values)
        if first == last:
            buckets.counts[first] += len(values)
        else:
            for value in values:
                buckets.counts[bisect_left(bounds, value)] += 1


def committed() -> None:
    """Say that a transaction was committed just now."""
    process = _process.get(None)
    with process.lock:
        process.measured.committed = time.monotonic()


def seconds_since_commit() -> float:
    """How long ago this process or a worker of it last committed, or began."""
    process = _process.get(None)
    with process.lock:
        committed = [worker.committed for worker in process.workers.values()]
        return time.monotonic() - max(committed, default=process.measured.committed)


@contextmanager
def stage(name: Stage) -> Iterator[None]:
    """Count the time of the block as seconds of a stage; blocks must not lie in each other."""
    begin_stage(name)
    try:
        yield
    finally:
        end_stage(name)


def begin_stage(name: Stage | None = None) -> None:
    """Let a stage of this thread begin; None if only its end tells which it was."""
    process = _process.get(None)
    with process.lock:
        process.running[threading.get_ident()] = time.monotonic(), name


def end_stage(name: Stage) -> None:
    """Let the stage of this thread end, and count its seconds; nothing happens if none began."""
    process = _process.get(None)
    with process.lock:
        began = process.running.pop(threading.get_ident(), None)
        if began is not None:
            _spend(process.measured.counters, name, time.monotonic() - began[0])


def _spend(counters: dict[Counter, dict[Labels, float]], name: Stage, seconds: float) -> None:
    series = counters.setdefault("stage_seconds", {})
    series[name,] = series.get((name,), 0.0) + seconds


def adopt(worker: int, measured: Measured) -> None:
    """Take over what the worker process of that number has measured so far."""
    process = _process.get(None)
    with process.lock:
        process.workers[worker] = measured


def measured() -> Measured:
    """A copy of what this process and its workers have measured.

    Stages that go on have the seconds until now, or until a worker has told of them.
    """
    own = own_measured()
    with _process.get(None).lock:
        workers = list(_process.get(None).workers.values())
    return _sum(own, workers) if workers else own


def _sum(own: Measured, workers: Sequence[Measured]) -> Measured:
    """What a process and its workers have measured together.

    Args:
        own: Of the process itself, which carries no bundles while it has workers.
        workers: Of each worker.
    """
    every = (own, *workers)
    total = Measured(
        started=own.at - sum(worker.at - worker.started for worker in workers),
        committed=max(worker.committed for worker in workers),
        at=own.at,
        unnamed=sum(worker.unnamed for worker in workers),
    )
    for measured_there in every:
        for name, values in measured_there.counters.items():
            _add_up(total.counters.setdefault(name, {}), values, MOST_SERIES_OF.get(name))
        for gauge, held in measured_there.gauges.items():
            _add_up(total.gauges.setdefault(gauge, {}), held)
        for histogram, series in measured_there.histograms.items():
            summed = total.histograms.setdefault(histogram, {})
            for labels, buckets in series.items():
                key = _bounded(summed, labels)
                of_key = summed.get(key, Buckets([0] * len(buckets.counts)))
                counts = [n + m for n, m in zip(of_key.counts, buckets.counts, strict=True)]
                summed[key] = Buckets(counts, of_key.sum + buckets.sum)
    return total


def _add_up(
    total: dict[Labels, float], series: Mapping[Labels, float], most: int | None = None
) -> None:
    for labels, value in series.items():
        key = _bounded(total, labels, most or MOST_SERIES)
        total[key] = total.get(key, 0.0) + value


def own_measured() -> Measured:
    """A copy of what this process itself has measured; stages that go on have the seconds until now."""
    process = _process.get(None)
    with process.lock:
        now = process.measured
        counters = {name: dict(series) for name, series in now.counters.items()}
        at, unnamed = time.monotonic(), 0.0
        for began, stage_name in process.running.values():
            if stage_name is None:
                unnamed += at - began
            else:
                _spend(counters, stage_name, at - began)
        return Measured(
            started=now.started,
            counters=counters,
            gauges={name: dict(series) for name, series in now.gauges.items()},
            histograms={
                name: {key: Buckets(list(b.counts), b.sum) for key, b in series.items()}
                for name, series in now.histograms.items()
            },
            committed=now.committed,
            at=at,
            unnamed=unnamed,
        )


def reset() -> None:
    """Forget everything: a new run starts."""
    _process.clear()


def _bounded(series: Mapping[Labels, object], labels: Labels, most: int = MOST_SERIES) -> Labels:
    if labels in series or len(series) < most:
        return labels
    return (OTHER,) * len(labels)
