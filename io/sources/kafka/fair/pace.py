"""How many records a round has: as many as can be settled in half a second."""

from __future__ import annotations

import time
from collections.abc import Callable

ROUND_SECONDS = 0.5
"""How long a round should take: a record that arrives meanwhile waits for its end, and then for its own."""

FIRST = 100
"""Records of the first round, before anything is known of the steps and of the database."""

_FACTOR = 4
"""A round has at most so many times, and at least this part of, what the one before could have."""


class Pace:
    """Measures rounds.

    The writer takes more than it has settled. So the time of a round says how fast records are settled
    only if it ends with that: a round is settled before the next one as soon as more was returned than can
    have been settled meanwhile.

    Args:
        most: The most records of a round.
        clock: Monotonic seconds.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._number = min(FIRST, most)
        self._round = 0
        self._since: float | None = None
        self._settles = False
        self._unsettled = 0.0
        self._at = clock()

    @property
    def number(self) -> int:
        """How many records the next round may have."""
        return self._number

    def begin(self, records: int) -> bool:
        """A round of so many records begins; whether it is to be settled before the next one."""
        now = self._clock()
        settled = (now - self._at) * self._number / ROUND_SECONDS
        self._unsettled = max(0.0, self._unsettled - settled) + records
        self._round, self._since, self._at = records, now, now
        self._settles = self._unsettled >= self._number
        if self._settles:
            self._unsettled = 0.0
        return self._settles

    def end(self) -> None:
        """It is emitted, and settled if it had to be: the next one is asked for."""
        if self._since is None:
            return
        seconds = max(self._clock() - self._since, 1e-6)
        self._since = None
        fitting = int(self._round * ROUND_SECONDS / seconds)
        if seconds > ROUND_SECONDS:
            self._number = max(1, self._number // _FACTOR, min(fitting, self._number))
        elif self._settles and self._round >= self._number:  # a smaller one says little
            self._number = min(max(fitting, self._number), self._number * _FACTOR, self._most)

    def forget(self) -> None:
        """The round under way says nothing: it was held."""
        self._since = None
