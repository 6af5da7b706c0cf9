"""What the retry of failed records asks of a database: the queue of due jobs."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits
from transforms.steps.pipeline_identity import PipelineIdentity


@dataclass(frozen=True, slots=True)
class Waiting:
    """Jobs that a program leaves alone, since they are not of its pipeline.

    Attributes:
        table: The table that their records were meant for.
        owner: The pipeline that they wait for; None is nobody.
        jobs: How many they are.
        program: The pipeline that leaves them; None has no name and takes no jobs at all.
    """

    table: str
    owner: PipelineIdentity | None
    jobs: int
    program: PipelineIdentity | None

    def __str__(self) -> str:
        jobs = "1 job" if self.jobs == 1 else f"{self.jobs:,} jobs"
        s = "s" if self.jobs == 1 else ""
        this = f"this program is {self.program}" if self.program else "this program has no name"
        if self.owner is None:
            return (
                f"{jobs} of table {self.table} belong{s} to no pipeline and wait{s} for "
                f"`dead_letters adopt`; {this}"
            )
        return f"{jobs} of table {self.table} wait{s} for pipeline {self.owner}; {this}"


class JobQueue(Hashable, Protocol):
    """Failed records of one target table and pipeline that are to be tried again.

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

    def left(self) -> Sequence[Waiting]:
        """The jobs of the table that wait for other pipelines, or for nobody; bounded."""
        ...
