"""Work that is worth doing now and then, such as deleting old rows, but not at every call."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from transforms.per_process import PerProcess

K = TypeVar("K", bound=Hashable)


@dataclass(slots=True)
class _Turn:
    """When the last turn of a key was, and the lock held while it is read and changed."""

    last: float = -math.inf
    lock: threading.Lock = field(default_factory=threading.Lock)


class Throttle(Generic[K]):
    """Grants each key one turn per interval in each process; the first is granted at once.

    Args:
        seconds: The interval between two turns of a key.
        clock: Monotonic seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._turns: PerProcess[K, _Turn] = PerProcess(lambda _: _Turn())

    def take_turn(self, key: K) -> bool:
        """Whether it is the turn of ``key``; of several threads that ask at once, one gets it."""
        now, turn = self._clock(), self._turns.get(key)
        with turn.lock:
            if now < turn.last + self._seconds:
                return False
            turn.last = now
            return True

    def clear(self) -> None:
        """Forget every key, so that each has its turn at once."""
        self._turns.clear()
