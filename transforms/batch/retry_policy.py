"""Whether and when a failed record is tried again. Pure arithmetic; chance is injected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from transforms.batch.backoff import Backoff
from transforms.errors import ConfigError

FOREIGN_KEY = "foreign_key"
"""Category of a row that refers to a row which does not exist yet."""


@dataclass(frozen=True, slots=True)
class Next:
    """What happens to a record after a failed attempt.

    Attributes:
        state: Oban's: ``retryable`` waits for its next attempt, ``scheduled`` was snoozed,
            ``discarded`` is a dead letter.
        attempt: How many attempts are used up now.
        delay: Seconds until the next attempt is due.
    """

    state: Literal["retryable", "scheduled", "discarded"]
    attempt: int
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, and after which waits, to try a record that may succeed later.

    Attributes:
        backoff: The waits between attempts.
        max_attempts: How many attempts may fail, including the first, before the record is
            ``discarded``.
        heals: Categories, SQLSTATEs and prefixes of SQLSTATEs of failures that are not marked as
            transient but may heal.

    Raises:
        ConfigError: ``max_attempts`` is less than 1.
    """

    backoff: Backoff = Backoff()  # noqa: RUF009 - frozen
    max_attempts: int = 10
    heals: tuple[str, ...] = (FOREIGN_KEY,)

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise ConfigError(f"max_attempts must be 1 or more, got {self.max_attempts}")

    def may_heal(self, *, transient: bool, category: str, sqlstate: str | None) -> bool:
        """Whether a failure of this kind is worth another attempt."""
        return (
            transient
            or category in self.heals
            or (sqlstate is not None and sqlstate.startswith(tuple(filter(None, self.heals))))
        )

    def next(
        self,
        attempt: int,
        *,
        may_heal: bool,
        snooze: float | None = None,
        max_attempts: int | None = None,
        uniform: Callable[[float, float], float] | None = None,
    ) -> Next:
        """What happens after ``attempt`` (1-based) has failed.

        Args:
            attempt: Which attempt has failed.
            may_heal: Whether another attempt may succeed.
            snooze: Seconds that the step asked to wait, without using the attempt.
            max_attempts: The bound that was stored with the record; None for that of this policy.
            uniform: Source of chance, ``backoff.jitter`` unless given.

        Examples:
            >>> RetryPolicy(max_attempts=3).next(3, may_heal=True)
            Next(state='discarded', attempt=3, delay=0.0)
            >>> RetryPolicy().next(2, may_heal=True, snooze=60.0)
            Next(state='scheduled', attempt=1, delay=60.0)
        """
        if snooze is not None:
            return Next("scheduled", attempt - 1, snooze)
        limit = self.max_attempts if max_attempts is None else max_attempts
        if may_heal and attempt < limit:
            return Next("retryable", attempt, self.backoff.delay(attempt, uniform))
        return _discarded(attempt)


@lru_cache(maxsize=64)
def _discarded(attempt: int) -> Next:
    """One for all records that end alike: whoever stores them by the thousand need not compare them."""
    return Next("discarded", attempt)
