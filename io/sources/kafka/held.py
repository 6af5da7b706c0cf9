"""Say which partitions are held back by an open transaction: once, and then now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any

from sources.kafka.cluster import Place
from sources.kafka.partition import Partition

AFTER_SECONDS = 10.0
"""A transaction that is open for less is nothing to speak of while a topic is streamed."""

AGAIN_SECONDS = 600.0

_MOST_LINES = 8


class HeldBack:
    """Decides what to say of partitions that cannot be read on.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[Place, tuple[int, float]] = {}
        self._say_at: dict[Place, float] = {}

    def lines(
        self, partitions: Collection[Partition], *, bounded: bool
    ) -> dict[str, dict[str, Any]]:
        """A line for each of ``partitions`` that is due; beyond eight, one for the others.

        Each comes with what it knows, for the log.

        Args:
            partitions: Those that are held back now.
            bounded: Whether they are read up to where they are held back only; then a line is
                due at once.
        """
        now = self._clock()
        before, self._since = self._since, {}
        due: list[Partition] = []
        for partition in partitions:
            place, offset = partition.place, partition.held_from
            at, since = before.get(place, (offset, now))
            self._since[place] = (offset, since if at == offset else now)
            waited = now - self._since[place][1]
            if (bounded or waited >= AFTER_SECONDS) and now >= self._say_at.get(place, now):
                self._say_at[place] = now + AGAIN_SECONDS
                due.append(partition)
        after = "a later run reads them" if bounded else "they are read"
        lines: dict[str, dict[str, Any]] = {
            f"{_line(partition)}; {after} once it has ended": _fields(partition)
            for partition in due[:_MOST_LINES]
        }
        more = len(due) - len(lines)
        return lines | {f"and {more} more partitions are held back": {}} if more else lines


def _fields(partition: Partition) -> dict[str, Any]:
    place = {"source": partition.source, "partition": partition.label}
    first, last = partition.held_from, partition.held_from + partition.held - 1
    return {**place, "first_offset": first, "last_offset": last}


def _line(partition: Partition) -> str:
    offsets = "offset" if partition.held == 1 else "offsets"
    return (
        f"topic {partition.topic} partition {partition.number}: {partition.held} {offsets} behind "
        f"an open transaction from offset {partition.held_from}"
    )
