"""One value for each key in each process: clients, connections and state that must not be shared.

A DoFn may be set up again for every bundle, so what is expensive to make lives here. A process
that is forked starts with an empty cache: threads do not survive a fork, and a connection must
not be used, or closed, by two processes.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar
from weakref import WeakSet

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class PerProcess(Generic[K, V]):
    """A cache that makes the value of a key once in each process.

    Args:
        make: Makes the value of a key, while other threads that ask for a value wait. What it
            raises reaches the caller, and nothing is kept.
    """

    def __init__(self, make: Callable[[K], V]) -> None:
        self._make = make
        self._lock = threading.RLock()
        self._values: dict[K, V] = {}
        self._inherited: list[dict[K, V]] = []
        _CACHES.add(self)

    def get(self, key: K) -> V:
        """The value of ``key``, made now if this process has none."""
        with self._lock:
            if key not in self._values:
                self._values[key] = self._make(key)
            return self._values[key]

    def peek(self, key: K) -> V | None:
        """The value of ``key``, or None if this process has none."""
        with self._lock:
            return self._values.get(key)

    def pop(self, key: K) -> V | None:
        """Forget ``key``. Returns its value, for the caller to close, or None."""
        with self._lock:
            return self._values.pop(key, None)

    def forget(self, key: K, value: V) -> None:
        """Forget ``key`` if ``value`` is still its value: another thread may have renewed it."""
        with self._lock:
            if self._values.get(key) is value:
                del self._values[key]

    def values(self) -> list[V]:
        """All values of this process."""
        with self._lock:
            return list(self._values.values())

    def clear(self) -> list[V]:
        """Forget every key. Returns the values, for the caller to close."""
        with self._lock:
            values = list(self._values.values())
            self._values.clear()
            return values

    def _forget_after_fork(self) -> None:
        # Another thread of the parent may have held the lock. The parent's values are kept
        # alive: their finalizers would speak on connections that belong to the parent.
        self._lock = threading.RLock()
        self._inherited.append(self._values)
        self._values = {}


_CACHES: WeakSet[PerProcess[Any, Any]] = WeakSet()


def _forget_after_fork() -> None:
    for cache in list(_CACHES):
        cache._forget_after_fork()


os.register_at_fork(after_in_child=_forget_after_fork)
