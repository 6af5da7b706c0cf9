"""How many records a round has: as many as are emitted, and are settled, in a quarter of a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

ROUND_SECONDS = 0.25
"""How long a round should take. A record that arrives meanwhile waits for its end, for the round that the
writer has then, and for its own."""

FIRST = 100
"""Records of the first round, before anything is known of the steps and of the database."""

_FACTOR = 4
"""A measurement makes a round at most so many times larger or smaller."""

_MEASURED_SECONDS = ROUND_SECONDS / 2
"""How long is measured before it counts."""


@dataclass(slots=True)
class _Meter:
    """Counts records and the seconds that they take."""

    records: int = 0
    seconds: float = 0.0
    rate: float | None = None

    def add(self, records: int, seconds: float) -> None:
        self.records += records
        self.seconds += seconds
        if self.seconds >= _MEASURED_SECONDS:
            self.rate = self.records / self.seconds
            self.records, self.seconds = 0, 0.0


class Pace:
    """Measures how fast records are emitted, through the steps, and how fast they are settled.

    Args:
        most: The most records of a round.
        clock: Monotonic seconds.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._number = min(FIRST, most)
        self._emitted = _Meter()
        self._settled = _Meter()
        self._round = 0
        self._since: float | None = None

    @property
    def number(self) -> int:
        """How many records the next round may have."""
        return self._number

    def begin(self, records: int) -> None:
        """A round of so many records is about to be emitted."""
        self._round, self._since = records, self._clock()

    def end(self) -> None:
        """It is emitted."""
        if self._since is not None:
            self._emitted.add(self._round, self._clock() - self._since)
            self._since = None

    def settled(self, records: int, seconds: float) -> None:
        """So many were settled while commits were under way for so long."""
        self._settled.add(records, seconds)

    def forget(self) -> None:
        """The round under way says nothing: it was held."""
        self._since = None

    def adapt(self) -> None:
        """Let what was measured since the last time count."""
        rates = [meter.rate for meter in (self._emitted, self._settled) if meter.rate is not None]
        if not rates:
            return
        fitting = int(min(rates) * ROUND_SECONDS)
        least = max(1, self._number // _FACTOR)
        self._number = min(max(fitting, least), self._number * _FACTOR, self._most)
        self._emitted.rate = self._settled.rate = None
