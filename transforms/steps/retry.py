"""Give the failures of a step a retry policy of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import apache_beam as beam

import transforms.batch.coders  # noqa: F401  registers the coder of RecordBatch
from transforms.batch.record import Failure, RecordBatch
from transforms.batch.retry_policy import RetryPolicy


class Retry(beam.PTransform):
    """Give ``policy`` to the failures that have no policy yet.

    Put it directly behind the step that it is for. Failures that pass no ``Retry``, and those of
    the writer itself, follow the policy of the writer. The writer stores what is scheduled, in
    the transaction that settles the batch.

    Takes and returns ``RecordBatch`` elements.
    """

    def __init__(self, policy: RetryPolicy, label: str | None = None) -> None:
        super().__init__(label)
        self._policy = policy

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        return batches | "Schedule" >> beam.ParDo(_RetryFn(self._policy)).with_input_types(
            RecordBatch
        ).with_output_types(RecordBatch)


def may_heal(failure: Failure, policy: RetryPolicy) -> bool:
    """Whether another attempt at ``failure`` may succeed, by its own policy or by ``policy``."""
    return (failure.retry or policy).may_heal(
        transient=failure.transient, category=failure.category, sqlstate=failure.sqlstate
    )


class _RetryFn(beam.DoFn):
    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy

    def process(self, batch: RecordBatch) -> Sequence[RecordBatch]:
        if all(failure.retry for failure in batch.failures):
            return (batch,)
        failures = tuple(
            failure if failure.retry else replace(failure, retry=self._policy)
            for failure in batch.failures
        )
        return (replace(batch, failures=failures),)
