"""How long to wait before the next attempt. Pure arithmetic; clock and chance are injected."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from weakref import WeakSet

from transforms import instruments
from transforms.errors import ConfigError
from transforms.per_process import PerProcess

_log = logging.getLogger(__name__)

Sleep = Callable[[float], object]
Clock = Callable[[], float]

jitter = random.SystemRandom().uniform
"""A number between two others. It leaves the sequence of ``random`` to the user's steps."""


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

        Examples:
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
            uniform: Source of chance, ``jitter`` unless given.
        """
        ceiling = self.ceiling(attempt)
        return (uniform or jitter)(ceiling / 2, ceiling)


@dataclass(slots=True, eq=False, weakref_slot=True)
class Outage:
    """A stretch of time in which a service is away, bounded by a budget.

    It begins with the first try that fails and ends with the first that succeeds; one object
    serves one outage after another. A caller that blocks calls ``wait`` after each failed try.
    A caller that has other things to do meanwhile calls ``next_wait`` and comes back in time.

    Attributes:
        backoff: The waits.
        budget: Seconds after which waiting ends.
        service: What is away, for metrics: ``database``, ``kafka``, ``objects``, or ``source`` at the start.
        sleep: Waits for the seconds that it is called with.
        clock: Monotonic seconds.
        routine: Whether the waits are nothing to tell of.
    """

    backoff: Backoff
    budget: float
    service: str
    sleep: Sleep = time.sleep
    clock: Clock = time.monotonic
    routine: bool = False
    _since: float | None = field(default=None, init=False)
    _attempts: int = field(default=0, init=False)

    @property
    def under_way(self) -> bool:
        """Whether the last try failed."""
        return self._since is not None

    @property
    def seconds(self) -> float:
        """How long it has lasted so far; 0 while the service answers."""
        return 0.0 if self._since is None else self.clock() - self._since

    def begin(self) -> None:
        """Count from now, before the first try, which may take long itself."""
        self._since = self.clock()

    def next_wait(self, reason: object = "") -> float | None:
        """Count a failed try. Returns the seconds to wait before the next one, without waiting.

        They never reach beyond the budget; None when it is used up. The first line of an outage is
        logged here; several that wait for the same service share it.

        Args:
            reason: Why the try failed, in a few words without secrets or records.
        """
        if self._since is None:
            self._since = self.clock()
        left = self.budget - self.seconds
        if left <= 0:
            self.leave()
            return None
        if not (self.routine or self._shared()):
            _log.warning(
                "%s; waiting for it, for another %.0f s at most (--outage_budget)",
                reason or f"no answer ({self.service})",
                left,
                extra={"service": self.service},
            )
        _under_way.add(self)
        self._attempts += 1
        seconds = min(self.backoff.delay(self._attempts), left)
        instruments.add("outage_seconds", seconds, self.service)
        return seconds

    def wait(self, reason: object = "") -> bool:
        """Count a failed try, and wait before the next one; ``reason`` as in ``next_wait``.

        Returns False, without waiting, when the budget is used up.
        """
        seconds = self.next_wait(reason)
        if seconds is None:
            return False
        _log.debug("waiting %.1f s: %s", seconds, reason, extra={"service": self.service})
        self.sleep(seconds)
        return True

    def end(self) -> None:
        """The service has answered: the next failed try begins an outage of its own."""
        lasted = self.seconds
        self._since = None
        self._attempts = 0
        if self in _under_way:
            _under_way.discard(self)
            if not (self.routine or self._shared()):
                _log.warning(
                    "%s answers again after %.1f s",
                    *(self.service, lasted),
                    extra={"service": self.service, "seconds": lasted},
                )

    def say_waited(self, error: Exception) -> None:
        """Let the text of ``error``, which is to be raised, say how long was waited for the end."""
        error.args = (f"{error} (waited {self.seconds:.0f} s)", *error.args[1:])

    def leave(self) -> None:
        """Wait for its end no longer: what happens next is an error, not an answer."""
        _under_way.discard(self)

    def _shared(self) -> bool:
        """Whether anybody in this process waits for the service already."""
        return any(
            outage.service == self.service and not outage.routine for outage in list(_under_way)
        )


_under_way: WeakSet[Outage] = WeakSet()
"""Outages that have begun and not ended, while somebody waits for their end."""


_of_workers: PerProcess[None, dict[int, Mapping[str, float]]] = PerProcess(lambda _: {})
"""By the number of a worker process, the services that are away from it."""


def forget_outages() -> None:
    """Forget every outage: a new run starts, and nobody waits any more for those of the last one."""
    _under_way.clear()
    _of_workers.clear()


def adopt(worker: int, away: Mapping[str, float]) -> None:
    """Take over which services are away from the worker process of that number."""
    _of_workers.get(None)[worker] = away


def services_away() -> dict[str, float]:
    """The services that are away from this process or a worker, each with the seconds since when."""
    away: dict[str, float] = {}
    own = [(outage.service, outage.seconds) for outage in list(_under_way)]
    reported = list(_of_workers.get(None).values())
    for services in (own, *(of_worker.items() for of_worker in reported)):
        for service, seconds in services:
            away[service] = max(seconds, away.get(service, 0.0))
    return away
