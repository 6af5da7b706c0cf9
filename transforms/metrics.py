"""The names of all counters, and the one way to count.

Each counter is Beam's (namespace ``sluice``, so it reaches every runner's metrics) and,
beside it, a tally of this process: a runner that blocks in ``run()`` shows no metrics
while it runs, and the progress bar reads the tally.
"""

from __future__ import annotations

import threading
from collections import Counter as _Tally
from collections.abc import Iterable
from typing import Literal

from apache_beam.metrics import Metrics

NAMESPACE = "sluice"

MetricName = Literal[  # beside the names of ``transforms.batch.counts.COUNTS``
    "attempts",  # further attempts at records that had failed before
    "trimmed",  # records read again although the ledger had them (a replayed bundle)
    "batches",  # batches settled
    "commits",  # transactions
    "commit_ms",  # milliseconds spent in them, waits included
    "outage_ms",  # milliseconds spent waiting for the database
    "bytes_read",  # stored bytes whose records are settled or skipped
    "bytes_planned",  # stored bytes of all splits, for the progress bar
    "splits_planned",  # splits to read
    "splits_skipped",  # objects that the ledger has whole
    "bytes_skipped",  # their stored bytes
    "skipped_offsets",  # offsets of a topic that were deleted before they were read
]

GaugeName = Literal["lag",]  # offsets of a topic that are there and not read yet

_lock = threading.Lock()
_tally: _Tally[str] = _Tally()


def count(name: MetricName, n: int = 1) -> None:
    """Add ``n`` to a counter; call it on the thread that processes the bundle."""
    _add(name, n)


def count_all(counts: Iterable[tuple[str, int]]) -> None:
    """Add each number of ``transforms.batch.counts.Counts`` to the counter of its name."""
    for name, number in counts:
        _add(name, number)


def _add(name: str, n: int) -> None:
    if n:
        Metrics.counter(NAMESPACE, name).inc(n)
        with _lock:
            _tally[name] += n


def gauge(name: GaugeName, value: int) -> None:
    """Set a gauge to ``value``; call it on the thread that processes the bundle."""
    Metrics.gauge(NAMESPACE, name).set(value)


def tally() -> dict[str, int]:
    """What this process has counted so far."""
    with _lock:
        return dict(_tally)


def reset() -> None:
    """Start this process's tally at zero: a new pipeline starts."""
    with _lock:
        _tally.clear()
