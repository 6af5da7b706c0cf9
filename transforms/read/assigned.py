"""Read the splits that another process assigns to this one, one after another, as each is needed.

A run with several worker processes plans its splits once, where it was started. A worker of a run that ends
asks for a split whenever it has read one, so that a worker with small splits reads more of them. A worker
that reads forever asks for all of its splits at the start.

To the runner, all that is read until no split is left is one element. Its restriction says no more than
whether anything is left: what stands between two bundles is in this process, and the ledger knows the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from transforms.batch.splits import Split
from transforms.per_process import PerProcess
from transforms.read import drain
from transforms.read.restriction import Remaining

ASSIGNED = Split("", "assigned")
"""The element that stands for all splits that are assigned."""

Ask = Callable[[], Split | None]
"""The next split of this worker; None once there is none."""


class Read(Protocol):
    """Reads one split: the loop of ``transforms.read.reading``."""

    def __call__(self, split: Split, tracker: Any, watermark: Any, /) -> Iterator[Any]: ...


@dataclass(slots=True)
class _Assigned:
    """What this process was assigned.

    Attributes:
        ask: Asks for the next split; None where nobody assigns.
        lock: Held while it asks.
        split: What is being read; None between two splits.
        remaining: What is left of it.
    """

    ask: Ask | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    split: Split | None = None
    remaining: Remaining = Remaining()  # noqa: RUF009 - frozen


_assigned: PerProcess[None, _Assigned] = PerProcess(lambda _: _Assigned())


def ask_with(ask: Ask) -> None:
    """From now on, this process is a worker that reads what ``ask`` returns."""
    _assigned.get(None).ask = ask


def next_split() -> Split | None:
    """The next split of this worker; None once there is none, or if it is asked to stop."""
    assigned = _assigned.get(None)
    if assigned.ask is None or drain.requested():
        return None
    with assigned.lock:
        return assigned.ask()


def read(tracker: Any, watermark: Any, read_split: Read) -> Iterator[Any]:
    """Read splits until none is left, or until one of them is suspended; it then goes on with that one."""
    assigned = _assigned.get(None)
    while True:
        if assigned.split is None:
            assigned.split = next_split()
            if assigned.split is None:
                break
            assigned.remaining = Remaining(backlog=assigned.split.size)
        of_split = _Tracker(tracker, assigned)
        yield from read_split(assigned.split, of_split, watermark)
        if of_split.suspended or not assigned.remaining.done:
            return
        assigned.split = None
    tracker.try_claim(Remaining(done=True))


class _Tracker:
    """The tracker of one split, inside that of the element that stands for all."""

    def __init__(self, of_all: Any, assigned: _Assigned) -> None:
        self._of_all = of_all
        self._assigned = assigned
        self.suspended = False

    def current_restriction(self) -> Remaining:
        return self._assigned.remaining

    def try_claim(self, remaining: Remaining) -> bool:
        if self._assigned.remaining.done:
            return False
        if not self._of_all.try_claim(Remaining(backlog=remaining.backlog)):
            return False
        self._assigned.remaining = remaining
        return True

    def defer_remainder(self, delay: Any) -> None:
        self.suspended = True
        self._of_all.defer_remainder(delay)
