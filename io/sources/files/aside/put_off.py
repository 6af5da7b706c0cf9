"""Objects that could not be read while watching, and when each of them is tried again."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from transforms.batch.backoff import Backoff, Clock


class PutOff:
    """Remembers objects by a hash, as long as they are listed.

    Args:
        backoff: Waits between two tries.
        clock: Monotonic seconds.
    """

    def __init__(self, backoff: Backoff, clock: Clock) -> None:
        self._backoff = backoff
        self._clock = clock
        self._tries: dict[int, tuple[int, float]] = {}

    def __contains__(self, hashed: int) -> bool:
        """Whether it is too early to try the object again."""
        tried = self._tries.get(hashed)
        return tried is not None and self._clock() < tried[1]

    def add(self, hashed: int) -> bool:
        """Put an object off that could not be read; returns whether this is the first time."""
        tries = self._tries.get(hashed, (0, 0.0))[0] + 1
        self._tries[hashed] = tries, self._clock() + self._backoff.delay(tries)
        return tries == 1

    def keep(self, listed: AbstractSet[int]) -> None:
        """Forget the objects that are not listed any more."""
        for gone in self._tries.keys() - listed:
            del self._tries[gone]
