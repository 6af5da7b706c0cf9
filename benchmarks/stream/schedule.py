"""Which faults come, in which order, and for how long: random, but the same for a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

GAP_SECONDS = (3.0, 12.0)
"""Shortest and longest pause between two faults of a series."""

RUSHED = 0.25
"""Share of the faults that come before the run has recovered from the previous one."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A planned fault.

    Attributes:
        name: Name of the fault.
        rushed: Whether it comes even if nothing has been settled since the previous one.
        gap: Seconds to wait first.
        lasting: How long it lasts, in seconds.
    """

    name: str
    rushed: bool
    gap: float
    lasting: float


def schedule(rng: random.Random, lasting: Mapping[str, tuple[float, float]]) -> Iterator[Planned]:
    """Faults without end; in every round, each comes once.

    Args:
        rng: Source of random numbers.
        lasting: By the name of a fault, its shortest and longest duration in seconds.
    """
    while lasting:
        for name in rng.sample(list(lasting), len(lasting)):
            rushed = rng.random() < RUSHED
            yield Planned(
                name, rushed, gap=rng.uniform(*GAP_SECONDS), lasting=rng.uniform(*lasting[name])
            )
