"""Who runs when, and who takes too long to run at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

EMPTY = "empty"
"""The table has no row."""

KNOWN = "known"
"""The table has every key already, from the run before."""

MODES = (EMPTY, KNOWN)


def order(programs: Sequence[T], rounds: int) -> Iterator[tuple[int, T]]:
    """Every program once in each round; returns (number of the round, program).

    Every other round goes backwards. So neighbours stay neighbours, and a machine that becomes
    slower with time favours nobody.
    """
    for number in range(rounds):
        yield from ((number, each) for each in (programs if number % 2 == 0 else programs[::-1]))


def expected_seconds(records: int, few: tuple[int, float], more: tuple[int, float]) -> float:
    """How long ``records`` will take, if each takes as long as those of two trials.

    Args:
        records: How many are to be loaded.
        few: The records and the seconds of a trial that is hardly more than a start.
        more: Those of a larger one.
    """
    each = max(0.0, more[1] - few[1]) / (more[0] - few[0])
    return few[1] + each * max(0, records - few[0])
