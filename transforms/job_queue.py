"""What the retry of failed records asks of a database: the queue of due jobs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from transforms.record import RecordBatch
from transforms.splits import BatchLimits


class JobQueue(Protocol):
    """Failed records of one target table that are to be tried again.

    Picklable, without secrets; opens its connection where it is used. Every call may raise
    ``SinkUnavailable`` or ``Contention``; calling again is right in both cases.
    """

    @property
    def name(self) -> str:
        """Names the queue in splits: the target table."""
        ...

    def lease(self) -> str:
        """Begin to run jobs: a new lease, which this process keeps alive.

        It ends the one before: what is still executing under that one may be rescued at once.
        While it is held, jobs of processes that are gone are rescued, and those that have been
        kept long enough deleted.
        """
        ...

    def claim(self, lease: str, limits: BatchLimits) -> Sequence[RecordBatch]:
        """Take due jobs, the longest due first, as batches of one partition and format each.

        Jobs that another process is taking at the same time are left to it. Renews ``lease``.
        """
        ...

    def give_back(self, batches: Sequence[RecordBatch]) -> None:
        """Undo a claim of which nothing has been tried: it uses no attempt."""
        ...

    def due_in(self) -> float | None:
        """Seconds until a job that waits is due; None when none waits."""
        ...

    def lease_ends_in(self) -> float | None:
        """Seconds until a lease runs out under which jobs are executing; None when none is."""
        ...

    def waiting(self) -> tuple[int, datetime | None]:
        """How many jobs wait for an attempt or are at one, and when the first is due."""
        ...
