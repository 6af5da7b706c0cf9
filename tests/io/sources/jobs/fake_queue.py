"""A queue of jobs in memory, and readers of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sources.jobs.source import JobsReader
from tests.fakes import batch_of
from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits, Polled
from transforms.errors import SinkUnavailable
from transforms.read.job_queue import Waiting


class FakeQueue:
    """A queue of jobs in memory: each call of ``claim`` returns or raises the next of its claims."""

    name = "events"

    def __init__(
        self,
        *claims: Sequence[RecordBatch] | Exception,
        due: Sequence[float | None] = (None,),
    ) -> None:
        self.claims = list(claims)
        self.due = list(due)
        self.leases = 0
        self.held: float | None = None
        self.given_back: list[RecordBatch] = []
        self.away = False
        self.looks = 0
        self.others: list[Waiting] = []
        self.limits: list[BatchLimits] = []

    def lease(self) -> str:
        self.leases += 1
        return f"lease-{self.leases}"

    def claim(self, lease: str, limits: BatchLimits) -> Sequence[RecordBatch]:
        self.limits.append(limits)
        claim = self.claims.pop(0) if self.claims else ()
        if isinstance(claim, Exception):
            raise claim
        return claim

    def give_back(self, batches: Sequence[RecordBatch]) -> None:
        if self.away:
            raise SinkUnavailable("away")
        self.given_back += batches

    def due_in(self) -> float | None:
        return self.due.pop(0) if len(self.due) > 1 else self.due[0]

    def lease_ends_in(self) -> float | None:
        return self.held

    def waiting(self) -> tuple[int, datetime | None]:
        return 0, None

    def left(self) -> Sequence[Waiting]:
        self.looks += 1
        return self.others


BATCH = batch_of(b"1")


def read(reader: JobsReader, polls: int) -> list[Polled]:
    return [reader.poll(0.001) for _ in range(polls)]
