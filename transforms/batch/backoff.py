"""How long to wait before the next attempt: pure arithmetic, clock and chance injected."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from transforms.errors import ConfigError

Sleep = Callable[[float], object]
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff that stays jittered at its cap.

    The wait before attempt ``n + 1`` is drawn from ``[d/2, d]`` with
    ``d = min(cap, base * 2 ** (n - 1))``: never above the cap, never near zero,
    and spread also once capped, so that writers do not come back in step.

    Attributes:
        base: Seconds; the longest wait after the first attempt.
        cap: Seconds; no wait is longer.
    """

    base: float = 1.0
    cap: float = 300.0

    def __post_init__(self) -> None:
        if not self.base > 0:
            raise ConfigError(f"backoff base must be greater than 0 seconds, got {self.base:g}")
        if not self.cap >= self.base:
            raise ConfigError(
                f"backoff cap must be at least the base ({self.base:g} s), got {self.cap:g}"
            )

    def ceiling(self, attempt: int) -> float:
        """The longest wait in seconds after ``attempt`` (1-based) has failed.

        >>> [Backoff(base=1, cap=10).ceiling(n) for n in (1, 2, 3, 4, 5, 5000)]
        [1, 2, 4, 8, 10, 10]
        """
        # The exponent is bounded before it is raised: 2.0 ** 5000 overflows.
        exponent = min(attempt - 1, 64)
        return min(self.cap, self.base * 2.0**exponent)

    def delay(self, attempt: int, uniform: Callable[[float, float], float] | None = None) -> float:
        """The wait in seconds after ``attempt`` (1-based) has failed.

        Args:
            attempt: How many attempts have failed.
            uniform: Source of chance, ``random.uniform`` unless given.
        """
        ceiling = self.ceiling(attempt)
        return (uniform or random.uniform)(ceiling / 2, ceiling)


@dataclass(slots=True)
class Outage:
    """One stretch of waiting for a service that is away, bounded by a budget.

    Attributes:
        backoff: The waits.
        budget: Seconds after which waiting ends.
        sleep: Waits so many seconds.
        clock: Monotonic seconds.
    """

    backoff: Backoff
    budget: float
    sleep: Sleep = time.sleep
    clock: Clock = time.monotonic
    _since: float | None = None
    _attempt: int = 0

    @property
    def lasted(self) -> float:
        """Seconds since the first wait; 0 before it."""
        return 0.0 if self._since is None else self.clock() - self._since

    def wait(self) -> bool:
        """Wait before the next try; False, without waiting, when the budget is used up."""
        pause = self.pause()
        if pause is None:
            return False
        self.sleep(pause)
        return True

    def pause(self) -> float | None:
        """Seconds to wait before the next try, for a caller that has other work meanwhile.

        None when the budget is used up.
        """
        now = self.clock()
        if self._since is None:
            self._since = now
        left = self.budget - (now - self._since)
        if left <= 0:
            return None
        self._attempt += 1
        return min(self.backoff.delay(self._attempt), left)
