"""A token bucket: how much of a rate may be used now, shared by several takers in turn."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Hashable

SHARE_SECONDS = 0.25
"""How many seconds' worth of the rate one taker gets at once: less would make batches small for nothing."""

BURST_SECONDS = 0.5
"""How many seconds' worth of the rate are kept for later, at most."""

STALL_SECONDS = 2.0
"""The same while more is asked for than there is: what a commit or a checkpoint holds up is made up for."""

_DRY_SECONDS = 4.0
"""How long after somebody had to wait that is so: the stall, and the time to make up for it."""

GONE_SECONDS = 3.0
"""A taker that has not asked for this long has left the line."""


class Bucket:
    """Fills at a rate, and is emptied by takers that wait in a line. Used by all threads of a process.

    It begins empty. What cannot be divided may be taken although there is less: the bucket then has a
    debt, and nobody is given anything before it is paid.

    Args:
        rate: Tokens per second, above 0.
        clock: Monotonic seconds.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rate = rate
        self._level = 0.0
        self._filled_at = clock()
        self._dry_at = -math.inf
        self._line: dict[Hashable, float] = {}
        """By taker, the first one first, when it last asked."""

    @property
    def rate(self) -> float:
        """Tokens per second."""
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        if rate == self._rate:
            return
        with self._lock:
            now = self._fill()
            self._rate = rate
            self._level = min(self._level, self._capacity(now))

    @property
    def share(self) -> float:
        """How much a taker gets at once: at least 1."""
        return max(1.0, self._rate * SHARE_SECONDS)

    def debt(self) -> float:
        """Seconds until what was taken too much is paid; 0 if nothing was."""
        with self._lock:
            self._fill()
            return max(0.0, -self._level / self._rate)

    def wait(self, taker: Hashable) -> float:
        """Seconds until ``taker`` may have its share, which is 0 if it may now.

        It keeps its place in the line as long as it goes on asking.
        """
        with self._lock:
            now = self._fill()
            for other in [each for each, asked in self._line.items() if now - asked > GONE_SECONDS]:
                del self._line[other]
            self._line[taker] = now
            ahead = list(self._line).index(taker)
            seconds = max(0.0, ((ahead + 1) * self.share - self._level) / self._rate)
            if seconds:
                self._dry_at = now
            return seconds

    def take(self, taker: Hashable, amount: float) -> None:
        """``taker`` has taken ``amount``, and goes to the end of the line if it asks again."""
        with self._lock:
            self._fill()
            self._level -= amount
            self._line.pop(taker, None)

    def leave(self, taker: Hashable) -> None:
        """``taker`` asks for nothing more."""
        with self._lock:
            self._line.pop(taker, None)

    def _capacity(self, now: float) -> float:
        dry = now - self._dry_at < _DRY_SECONDS
        return max(2.0, self._rate * (STALL_SECONDS if dry else BURST_SECONDS))

    def _fill(self) -> float:
        now = self._clock()
        filled = self._level + (now - self._filled_at) * self._rate
        self._level = min(filled, self._capacity(now))
        self._filled_at = now
        return now
