"""What the runs of a program say, taken together: least, median and most, and ratios round by round."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """One process from its start to its end.

    Attributes:
        seconds: How long it took.
        cpu: CPU seconds of the process, and of what it started.
        server_cpu: CPU seconds of the server's backends meanwhile.
        peak_mib: The most memory that it had at once, in MiB.
    """

    seconds: float
    cpu: float
    server_cpu: float
    peak_mib: float


@dataclass(frozen=True, slots=True)
class Spread:
    """The least, the median and the most of some figures."""

    least: float
    median: float
    most: float


def spread(values: Iterable[float]) -> Spread:
    """Those of ``values``.

    Raises:
        ValueError: There are none.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no figures")
    return Spread(ordered[0], statistics.median(ordered), ordered[-1])


def rates(records: int, runs: Iterable[Run]) -> Spread:
    """Records a second."""
    return spread(records / run.seconds for run in runs)


def ratios(yardstick: Mapping[int, Run], runs: Mapping[int, Run]) -> Spread:
    """How many times the yardstick's rate; each run is compared with that of its own round.

    Args:
        yardstick: Its runs, by round.
        runs: Those of another program.

    Raises:
        ValueError: They have no round in common.
    """
    both = sorted(yardstick.keys() & runs.keys())
    return spread(yardstick[number].seconds / runs[number].seconds for number in both)
