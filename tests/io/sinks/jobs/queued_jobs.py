"""A table with failed records, its queue, and what becomes of the jobs that are taken from it."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from sinks.database import leases
from sinks.database.engine import transaction
from sinks.jobs.queue import SqlJobQueue
from sinks.jobs.store import list_jobs
from sinks.ledger import ledger
from sinks.table.config import SqlConfig
from tests.io.sinks.tested_database import Database, make_batch
from transforms.batch.backoff import Backoff
from transforms.batch.record import JSON, Failure, Origin, RecordBatch
from transforms.batch.retry_policy import RetryPolicy
from transforms.batch.splits import BatchLimits
from transforms.errors import RetryLater
from transforms.steps.pipeline_identity import PipelineIdentity

TABLE = "CREATE TABLE events (id integer PRIMARY KEY, name text)"
LIMITS = BatchLimits()
PIPELINE = PipelineIdentity("people", ("Hide",))
SOON = RetryPolicy(Backoff(0.001, 0.001), max_attempts=3)


def retryable(offset: int, partition: str = "p", **changes: Any) -> Failure:
    error = RetryLater("the service is away")
    one = Failure(
        origin=Origin("file:///a", partition, offset),
        raw=b'{"id":%d}' % offset,
        format=JSON,
        stage="enrich",
        category="retry_later",
        exception=type(error).__name__,
        message=str(error),
        stack="",
        transient=True,
    )
    return replace(one, **changes)


class Queue:
    """A table with failed records, its queue, and how to settle what is taken from it."""

    def __init__(self, database: Database, *failures: Failure, retry: RetryPolicy = SOON) -> None:
        database.run(TABLE)
        self.database = database
        self.sink = replace(database.sink(key=["id"]), retry=retry, run="run-1", pipeline=PIPELINE)
        self.queue = SqlJobQueue(self.config, lease_seconds=30, pipeline=PIPELINE)
        if failures:
            size = max(each.origin.offset for each in failures) + 1
            for partition in sorted({each.origin.partition for each in failures}):
                of_partition = [each for each in failures if each.origin.partition == partition]
                batch = make_batch([], partition=partition, failures=of_partition, end=size)
                self.sink.commit([batch])
        self.lease = self.queue.lease()

    @property
    def config(self) -> SqlConfig:
        return self.sink.config

    def claim(self, limits: BatchLimits = LIMITS) -> list[RecordBatch]:
        deadline = threading.Event()
        for _ in range(200):
            batches = list(self.queue.claim(self.lease, limits))
            if batches:
                return batches
            deadline.wait(0.01)
        raise AssertionError("nothing became due")

    def states(self) -> dict[int, str]:
        return {
            job.failure.origin.offset: job.state
            for job in list_jobs(self.config.database, limit=1000)
        }

    def ledger(self) -> dict[str, int]:
        totals: dict[str, int] = {}
        for progress in ledger.audit(self.config.database):
            assert progress.counts.conserved
            for name, number in progress.counts:
                totals[name] = totals.get(name, 0) + number
        return {name: count for name, count in totals.items() if count}


def parsed(batch: RecordBatch) -> RecordBatch:
    return replace(batch, values=[{"id": offset} for offset in batch.offsets])


def failed(batch: RecordBatch, **changes: Any) -> RecordBatch:
    """The batch with every record failed again."""
    failures = [retryable(offset, batch.span.partition, **changes) for offset in batch.offsets]
    return batch.keep([], [], failures)


def expire(queue: Queue) -> None:
    """As if the process had died: its lease is not renewed and has run out."""
    leases.held_leases.clear()
    with transaction(queue.config.database, "test") as connection:
        connection.exec_driver_sql("UPDATE ingest_leases SET expires_at = '2001-01-01 00:00:00'")
