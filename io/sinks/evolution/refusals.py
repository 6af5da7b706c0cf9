"""What a table could not be changed to, remembered by this process so that it is not asked at once again.

To ask for a change makes everybody wait who comes after it, so it is asked for seldom.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from transforms.batch.backoff import Backoff
from transforms.per_process import PerProcess

MOST = 1_000
"""How many are remembered of each table; fields may have any name."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    reason: str
    until: float
    times: int


@dataclass(slots=True)
class Refusals:
    """The refusals of one table.

    Attributes:
        backoff: How long each stands.
        clock: Monotonic seconds.
    """

    backoff: Backoff = field(default_factory=lambda: Backoff(base=2.0, cap=60.0))
    clock: Callable[[], float] = time.monotonic
    _by_name: dict[str, _Refusal] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reason(self, name: str, at: float) -> str:
        """Why ``name`` was refused, if that still stood at ``at``; otherwise empty."""
        with self._lock:
            refusal = self._by_name.get(name)
        return refusal.reason if refusal is not None and at < refusal.until else ""

    def refuse(self, name: str, reason: str) -> bool:
        """Remember that ``name`` is refused; returns whether that is news."""
        with self._lock:
            before = self._by_name.pop(name, None)
            times = 1 if before is None else before.times + 1
            until = self.clock() + self.backoff.delay(times)
            while len(self._by_name) >= MOST:
                del self._by_name[next(iter(self._by_name))]
            self._by_name[name] = _Refusal(reason, until, times)
        return before is None or before.reason != reason

    def forget(self, name: str) -> None:
        """``name`` is not refused any more."""
        with self._lock:
            self._by_name.pop(name, None)


_refusals: PerProcess[Hashable, Refusals] = PerProcess(lambda _: Refusals())


def refusals_of(table: Hashable) -> Refusals:
    """Those of this process for ``table``."""
    return _refusals.get(table)
