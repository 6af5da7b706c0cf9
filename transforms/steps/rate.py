"""At most so many calls a second, evenly: a token bucket that holds a tenth of a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Rate:
    """Says how long to wait before the next call.

    Args:
        per_second: The most calls a second.
        clock: Monotonic seconds.
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1 / per_second
        self._burst = max(self._interval, 0.1)
        self._clock = clock
        self._lock = threading.Lock()
        self._next = clock()

    def wait(self) -> float:
        """Seconds until a call may begin; 0 grants one, which is then counted."""
        with self._lock:
            now = self._clock()
            # What was not used is lost, apart from the burst.
            due = max(self._next, now - self._burst + self._interval)
            if due > now:
                return due - now
            self._next = due + self._interval
            return 0.0
