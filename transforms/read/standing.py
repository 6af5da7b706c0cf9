"""How the partitions stand that this process reads: what is in them, and what cannot be read yet.

The values are from memory: the summary reads them at the end, and a metric may at any time. They
stay in the process that reads the partitions, unless it is a worker of this one.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from transforms.per_process import PerProcess


@dataclass(frozen=True, slots=True)
class Standing:
    """How one partition stands.

    Attributes:
        source: As in ``Origin``.
        partition: As in ``Origin``.
        empty: Whether there is no message in it.
        held: How many of its offsets cannot be read yet, because a transaction is open.
        held_from: The first of them; without any, where it ends.
    """

    source: str
    partition: str
    empty: bool = False
    held: int = 0
    held_from: int = 0


@dataclass(frozen=True, slots=True)
class _Standings:
    lock: threading.Lock = field(default_factory=threading.Lock)
    by_partition: dict[tuple[str, str], Standing] = field(default_factory=dict)


_standings = PerProcess[None, _Standings](lambda _: _Standings())


def note(standing: Standing) -> None:
    """Note how a partition stands now."""
    standings = _standings.get(None)
    with standings.lock:
        standings.by_partition[standing.source, standing.partition] = standing


def forget(source: str, partition: str) -> None:
    """The partition does not exist any more."""
    standings = _standings.get(None)
    with standings.lock:
        standings.by_partition.pop((source, partition), None)


def noted() -> Sequence[Standing]:
    """How each partition stands that this process reads, or has read to its end."""
    standings = _standings.get(None)
    with standings.lock:
        return list(standings.by_partition.values())


def adopt(standings: Sequence[Standing]) -> None:
    """Take over how the partitions stand that a worker process reads."""
    for standing in standings:
        note(standing)


def held_back() -> int:
    """How many offsets cannot be read yet, over all partitions that this process reads."""
    return sum(standing.held for standing in noted())


def reset() -> None:
    """Forget the partitions: a new run starts."""
    _standings.clear()
