"""Look at the cluster from time to time, in the background, and notice when it is away."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

from transforms.background import in_background
from transforms.batch.backoff import Backoff, Outage
from transforms.errors import ConfigError, SinkUnavailable, SourceUnavailable

LookT = TypeVar("LookT")


class Discovery(Generic[LookT]):
    """Looks again every ``interval`` seconds; with backoff while there is no answer.

    Args:
        interval: Seconds between two successful looks.
        outage_budget: Seconds without any answer after which it gives up.
        backoff: Waits between attempts while there is no answer.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        interval: float,
        outage_budget: float,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval = interval
        self._outage_budget = outage_budget
        self._backoff = backoff or Backoff(base=0.5, cap=10.0)
        self._clock = clock
        self._under_way: Future[LookT] | None = None
        self._due = clock()
        self._outage: Outage | None = None
        self._launched_at = clock()

    @property
    def launched_at(self) -> float:
        """When the last look began, in monotonic seconds."""
        return self._launched_at

    def due(self) -> bool:
        """Whether a look should be launched now."""
        return self._under_way is None and self._clock() >= self._due

    def soon(self) -> None:
        """Look without waiting for the interval, unless an outage is being waited for."""
        if self._outage is None:
            self._due = self._clock()

    def launch(self, look: Callable[[], LookT]) -> None:
        """Begin a look on a thread of its own, which nobody waits for at the end."""
        self._launched_at = self._clock()
        self._under_way = in_background(look, "kafka-look")

    def take(self, timeout: float = 0.0) -> LookT | None:
        """The result of the look under way, or None if there is none within ``timeout`` seconds.

        Raises:
            SourceUnavailable: Refused, or no answer for longer than the budget.
            SinkUnavailable: The ledger did not answer for longer than the budget.
        """
        if self._under_way is None:
            return None
        wait([self._under_way], timeout)
        if not self._under_way.done():
            return None
        done, self._under_way = self._under_way, None
        try:
            look = done.result()
        except ConfigError as error:
            raise SourceUnavailable(str(error)) from error
        except (SourceUnavailable, SinkUnavailable) as error:
            self._wait_for_end_of(error)
            return None
        if self._outage is not None:
            self._outage.end()
        self._outage = None
        self._due = self._clock() + self._interval
        return look

    def _wait_for_end_of(self, error: SourceUnavailable | SinkUnavailable) -> None:
        if self._outage is None:
            self._outage = Outage(
                self._backoff,
                self._outage_budget,
                service="kafka" if isinstance(error, SourceUnavailable) else "database",
                sleep=self._postpone,
                clock=self._clock,
            )
        if not self._outage.wait(error):
            self._outage.say_waited(error)
            raise error

    def _postpone(self, seconds: float) -> None:
        """Wait without blocking: no look is due before then."""
        self._due = self._clock() + seconds
