"""What the writer of a thread has been given and has not settled yet, for a reader that wants little of it.

A reader and the writer of its batches run on one thread, where they are fused. The commits run on others.
So a reader can let the commits under way end before it returns more. Where they are not fused, there is
nothing to wait for.
"""

from __future__ import annotations

import threading
import time


class Unsettled:
    """The records of one writer that wait for their commits, or are in one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._records = 0
        self._commits = 0
        self._settled = 0
        self._busy = 0.0
        self._since = 0.0

    @property
    def records(self) -> int:
        """How many there are."""
        return self._records

    def add(self, records: int) -> None:
        """So many arrive."""
        with self._changed:
            self._records += records

    def begin(self) -> None:
        """A commit begins."""
        with self._changed:
            if not self._commits:
                self._since = time.monotonic()
            self._commits += 1

    def end(self, records: int) -> None:
        """A commit of so many has ended; if it has failed, they come again."""
        with self._changed:
            self._records -= records
            self._settled += records
            self._commits -= 1
            if not self._commits:
                self._busy += time.monotonic() - self._since
            self._changed.notify_all()

    @property
    def stranded(self) -> bool:
        """Whether some wait while no commit is under way: they begin with the next batch, or the bundle's end."""
        with self._changed:
            return self._records > 0 and not self._commits

    def progress(self) -> tuple[int, float]:
        """Of all bundles: how many records were in commits that have ended, and for how many seconds any
        was under way."""
        with self._changed:
            under_way = time.monotonic() - self._since if self._commits else 0.0
            return self._settled, self._busy + under_way

    def clear(self) -> None:
        """None is there: a bundle begins."""
        with self._changed:
            self._records = self._commits = 0

    def wait(self, most: int, seconds: float) -> bool:
        """Wait until there are at most ``most``, or no commit is under way to wait for.

        Returns False if that takes longer than ``seconds``.
        """
        with self._changed:
            return self._changed.wait_for(
                lambda: self._records <= most or not self._commits, seconds
            )


_thread = threading.local()


def enter(unsettled: Unsettled | None) -> None:
    """Let the readers of this thread find what its writer has; None when the bundle has ended."""
    _thread.unsettled = unsettled


def of_thread() -> Unsettled | None:
    """What the writer of this thread has; None if no bundle with one is under way."""
    unsettled: Unsettled | None = getattr(_thread, "unsettled", None)
    return unsettled
