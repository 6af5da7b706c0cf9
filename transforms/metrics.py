"""The names of all counters, and the one way to count.

Each counter is kept twice. Beam's own, in the namespace ``sluice``, reaches the metrics of every
runner. The tally of this process serves the progress bar, because a runner that blocks in
``run()`` shows no metrics while it runs.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from apache_beam.metrics import Metrics

from transforms.per_process import PerProcess

NAMESPACE = "sluice"

MetricName = Literal[  # beside the names of ``transforms.batch.counts.COUNTS``
    "attempts",  # further attempts at records that had failed before
    "trimmed",  # records read again although the ledger had them (a replayed bundle)
    "batches",  # batches settled
    "commits",  # transactions
    "commit_ms",  # milliseconds spent in them, waits included
    "outage_ms",  # milliseconds spent waiting for the database
    "columns_added",  # to tables that change with their records
    "columns_widened",  # whose type takes more now
    "bytes_read",  # stored bytes whose records are settled or skipped
    "bytes_planned",  # stored bytes of all splits, for the progress bar
    "splits_planned",  # splits to read
    "splits_skipped",  # objects that the ledger has whole
    "splits_held",  # splits that were left unread because an operator has paused them
    "bytes_skipped",  # their stored bytes
    "objects_passed_over",  # objects that a glob matches and that are not read
    "objects_unavailable",  # objects that could not be read and are left for a later run
    "skipped_offsets",  # offsets of a topic that were deleted before they were read
]

MOST_TARGETS = 200
"""How many tables each process counts by name; those beyond are counted together."""

OTHER_TARGETS = "(other)"
"""The name under which those beyond are counted; no table has it."""

OF_TARGET = "@"
"""Stands between the name of a count and the table that it is of: ``inserted@app.orders``."""

GaugeName = Literal["lag",]  # offsets of a topic that can be read and have not been


@dataclass(frozen=True, slots=True)
class _Tally:
    """What one process has counted."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    counts: Counter[str] = field(default_factory=Counter)
    targets: set[str] = field(default_factory=set)
    """The tables that are counted by name."""
    workers: dict[int, Mapping[str, int]] = field(default_factory=dict)
    """What each worker process has counted, by its number."""


_tallies = PerProcess[None, _Tally](lambda _: _Tally())


def count(name: MetricName, n: int = 1) -> None:
    """Add ``n`` to a counter; call it on the thread that processes the bundle."""
    if n:
        _add(name, n)


def count_all(counts: Iterable[tuple[str, int]]) -> None:
    """Add each number of ``transforms.batch.counts.Counts`` to the counter of its name."""
    for name, number in counts:
        if number:
            _add(name, number)


def count_target(target: str, counts: Iterable[tuple[str, int]]) -> str:
    """Add each of ``counts`` to the counter of its name and of the table ``target``.

    Returns:
        What the table is counted as: its label, or ``OTHER_TARGETS``.
    """
    tally = _tallies.get(None)
    with tally.lock:
        if target not in tally.targets and len(tally.targets) < MOST_TARGETS:
            tally.targets.add(target)
        label = target if target in tally.targets else OTHER_TARGETS
    count_all((f"{name}{OF_TARGET}{label}", number) for name, number in counts)
    return label


def _add(name: str, n: int) -> None:
    _counter(name).inc(n)
    tally = _tallies.get(None)
    with tally.lock:
        tally.counts[name] += n


@cache
def _counter(name: str) -> Metrics.DelegatingCounter:
    """Beam's counter; it finds the bundle of the thread that counts."""
    return Metrics.counter(NAMESPACE, name)


def gauge(name: GaugeName, value: int) -> None:
    """Set a gauge to ``value``; call it on the thread that processes the bundle."""
    Metrics.gauge(NAMESPACE, name).set(value)


def tally() -> dict[str, int]:
    """What this process has counted so far, and its workers as far as they have told."""
    tally = _tallies.get(None)
    with tally.lock:
        counts = Counter(tally.counts)
        for of_worker in tally.workers.values():
            counts.update(of_worker)  # += would drop counts that are not positive
    return dict(counts)


def adopt(worker: int, counts: Mapping[str, int]) -> None:
    """Take over what the worker process of that number has counted so far."""
    tally = _tallies.get(None)
    with tally.lock:
        tally.workers[worker] = counts


def reset() -> None:
    """Start this process's tally at zero: a new pipeline starts."""
    _tallies.clear()
