"""The contract between retries and a database: the queue of due jobs."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits
from transforms.steps.pipeline_identity import PipelineIdentity


@dataclass(frozen=True, slots=True)
class Waiting:
    """Jobs that a program leaves alone because they belong to another pipeline, or to none.

    Attributes:
        table: The target table of their records.
        owner: The pipeline that they wait for, or None.
        jobs: How many there are.
        program: The pipeline of this program; None if it has no name, and so takes no jobs.
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
                f"`sluice dead-letters adopt`; {this}"
            )
        line = f"{jobs} of table {self.table} wait{s} for pipeline {self.owner}; {this}"
        if self.program is None or self.program != replace(self.owner, mapped=False):
            return line
        steps = f"--steps {','.join(self.owner.steps)}" if self.owner.steps else "--no_steps"
        name = self.owner.name
        return (
            f"{line}, has no mapping, and would write what that one hides: give it the mapping, or "
            f"hand them over: `dead_letters adopt --from_pipeline {name} --pipeline {name} {steps} "
            "--no_map`"
        )


class JobQueue(Hashable, Protocol):
    """Failed records of one target table and pipeline that wait for another attempt.

    Picklable, without secrets; it opens its connection where it is used. Every call may raise
    ``SinkUnavailable`` or ``Contention``; calling again is right in both cases.
    """

    @property
    def name(self) -> str:
        """The name of the queue in splits: the target table."""
        ...

    def lease(self) -> str:
        """Begin to run jobs. Returns a new lease, which this process keeps alive.

        It ends the previous lease: jobs still executing under that one may be rescued at once.
        While the lease is held, jobs of dead processes are rescued, and jobs that have been kept
        long enough are deleted.
        """
        ...

    def claim(self, lease: str, limits: BatchLimits) -> Sequence[RecordBatch]:
        """Take due jobs, the longest due first, as batches of one partition and format each.

        It leaves jobs that another process is taking at the same time, and renews ``lease``.
        """
        ...

    def give_back(self, batches: Sequence[RecordBatch]) -> None:
        """Undo a claim whose jobs have not been tried, without using an attempt."""
        ...

    def due_in(self) -> float | None:
        """Seconds until the next waiting job is due; None if no job waits."""
        ...

    def lease_ends_in(self) -> float | None:
        """Seconds until a lease with executing jobs expires; None if no job is executing."""
        ...

    def waiting(self) -> tuple[int, datetime | None]:
        """How many jobs are waiting or executing, and when the first is due."""
        ...

    def left(self) -> Sequence[Waiting]:
        """The jobs of the table that wait for other pipelines or belong to none; a bounded list."""
        ...
