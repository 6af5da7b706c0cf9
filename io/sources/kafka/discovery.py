"""Look at the cluster now and then, in the background, and notice when it is away."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, wait

from sources.kafka.starts import Look
from transforms.background import in_background
from transforms.batch.backoff import Backoff
from transforms.errors import ConfigError, SinkUnavailable, SourceUnavailable

_log = logging.getLogger(__name__)


class Discovery:
    """Looks again every ``interval`` seconds; while nobody answers, by a backoff.

    Args:
        interval: Seconds between two looks that succeed.
        outage_budget: Seconds without any answer after which it gives up.
        backoff: Waits between tries while there is no answer.
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
        self._under_way: Future[Look] | None = None
        self._due = clock()
        self._away_since: float | None = None
        self._failures = 0
        self._launched_at = clock()

    @property
    def launched_at(self) -> float:
        """When the last look began, in monotonic seconds."""
        return self._launched_at

    def due(self) -> bool:
        """Whether a look should be launched."""
        return self._under_way is None and self._clock() >= self._due

    def soon(self) -> None:
        """Look without waiting for the interval: something has happened."""
        if not self._failures:
            self._due = self._clock()

    def launch(self, look: Callable[[], Look]) -> None:
        """Begin a look on a thread of its own, which is left to end by itself."""
        self._launched_at = self._clock()
        self._under_way = in_background(look, "kafka-look")

    def take(self, timeout: float = 0.0) -> Look | None:
        """What the look under way has found, waiting at most ``timeout`` seconds for it.

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
            self._failed(error)
            return None
        if self._away_since is not None:
            _log.warning("back after %.0f s", self._clock() - self._away_since)
        self._away_since = None
        self._failures = 0
        self._due = self._clock() + self._interval
        return look

    def _failed(self, error: SourceUnavailable | SinkUnavailable) -> None:
        now = self._clock()
        if self._away_since is None:
            self._away_since = now
        away = now - self._away_since
        if away >= self._outage_budget:
            raise error
        self._failures += 1
        pause = self._backoff.delay(self._failures)
        _log.warning("no answer for %.0f s, waiting %.1f s: %s", away, pause, error)
        self._due = now + pause
