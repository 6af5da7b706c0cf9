"""Which faults come, in which order, and how long they last: chance alone, the same for a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

GAP_SECONDS = (3.0, 12.0)
"""Between two faults of a series."""

RUSHED = 0.25
"""Share of the faults that do not wait until the last one is got over."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault that is to come.

    Attributes:
        name: Which one.
        rushed: Whether it comes even if nothing is settled since the one before.
        gap: Seconds to wait first.
        lasting: How long it lasts.
    """

    name: str
    rushed: bool
    gap: float
    lasting: float


def schedule(rng: random.Random, lasting: Mapping[str, tuple[float, float]]) -> Iterator[Planned]:
    """Faults without end; each comes once in a round.

    Args:
        rng: Chooses.
        lasting: By the name of a fault, how many seconds it lasts, at least and at most.
    """
    while lasting:
        for name in rng.sample(list(lasting), len(lasting)):
            rushed = rng.random() < RUSHED
            yield Planned(
                name, rushed, gap=rng.uniform(*GAP_SECONDS), lasting=rng.uniform(*lasting[name])
            )
