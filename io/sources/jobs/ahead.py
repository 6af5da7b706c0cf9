"""Claim the next due jobs while the ones before are parsed and written."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits
from transforms.errors import SluiceError
from transforms.read import quota
from transforms.read.job_queue import JobQueue
from transforms.steps import service

_log = logging.getLogger(__name__)


class ClaimsAhead:
    """Claims of one queue under one lease, each made before it is needed.

    Only a full claim is followed by one made ahead: where few jobs are due there is no hurry.
    """

    def __init__(self, queue: JobQueue, limits: BatchLimits) -> None:
        self._queue = queue
        self._limits = limits
        self._lease = queue.lease()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="claims")
        self._next: Future[Sequence[RecordBatch]] | None = None

    def take(self) -> Sequence[RecordBatch]:
        """The jobs of the next claim; raises what ``JobQueue.claim`` raises."""
        ahead, self._next = self._next, None
        batches = self._claim() if ahead is None else ahead.result()
        if self._is_full(batches):
            self._next = self._thread.submit(self._claim)
            return batches
        return _with_last(batches)

    def close(self) -> None:
        """Give back the jobs that were not taken. The lease stays: the others are settled under it."""
        ahead, self._next = self._next, None
        try:
            if ahead is not None and (batches := ahead.result()):
                self._queue.give_back(batches)
        except SluiceError as error:
            _log.debug(
                "jobs taken ahead are due again once their lease ends: %s",
                error,
                extra={"lease": self._lease},
            )
        self._thread.shutdown()

    def _claim(self) -> Sequence[RecordBatch]:
        return self._queue.claim(self._lease, self._fitting())

    def _fitting(self) -> BatchLimits:
        """The bounds of a claim that the steps and the limits can take soon: it is not divided."""
        limits = quota.claimable(self._limits)
        most = service.allowance()
        if most is None or most >= limits.records:
            return limits
        return replace(limits, records=most)

    def _is_full(self, batches: Sequence[RecordBatch]) -> bool:
        records = sum(len(batch.raws) for batch in batches)
        size = sum(batch.raw_bytes for batch in batches)
        return records >= self._limits.records or size >= self._limits.bytes


def _with_last(batches: Sequence[RecordBatch]) -> Sequence[RecordBatch]:
    """``batches``, whose last claim says that it is the last."""
    if not batches:
        return batches
    *others, last = batches
    if last.claim is not None:
        last = replace(last, claim=replace(last.claim, last=True))
    return [*others, last]
