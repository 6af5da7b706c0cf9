"""What whole processes took, round by round, and what that says of a format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.peers.figures import spread


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took.

    Attributes:
        seconds: From its start to its end.
        cpu: The CPU seconds of itself, without those of the server.
    """

    seconds: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.seconds:6.2f} s {self.cpu:6.2f} CPU s"


def summary(costs: Sequence[Cost], first: Sequence[Cost], records: int) -> str:
    """One line on the rounds of one format.

    Args:
        costs: What each of its rounds took.
        first: What the same rounds of the first format took.
        records: How many each round loaded.
    """
    rate = spread(records / cost.seconds for cost in costs)
    ratio = spread(other.seconds / cost.seconds for cost, other in zip(costs, first, strict=True))
    cpu = spread(cost.cpu for cost in costs)
    compared = f"{ratio.median:.2f} ({ratio.least:.2f}-{ratio.most:.2f}) of the first format"
    return f"{rate.median:9,.0f} records/s, {compared}, {cpu.median:6.2f} CPU s (least {cpu.least:.2f})"
