"""Separate failures from good records when the pipeline does not end in SQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms.window import TimestampedValue

import transforms.batch.coders  # noqa: F401  registers the coders of Failure and RecordBatch
from transforms.batch.record import Failure, RecordBatch
from transforms.settle.write import DEAD, RETRY


class SplitFailures(beam.PTransform):
    """Emit the failures of every ``RecordBatch`` separately.

    Returns three outputs: ``batches`` (``RecordBatch`` without failures), ``dead`` and ``retry``
    (``Failure``; the transient ones are in ``retry``). A failure has its event time as timestamp
    if the source gives one.
    """

    def expand(self, batches: beam.PCollection) -> beam.pvalue.DoOutputsTuple:
        return batches | "Split" >> beam.ParDo(_SplitFailuresFn()).with_input_types(
            RecordBatch
        ).with_output_types(RecordBatch, **{DEAD: Failure, RETRY: Failure}).with_outputs(
            DEAD, RETRY, main="batches"
        )


class _SplitFailuresFn(beam.DoFn):
    def process(self, batch: RecordBatch) -> Iterator[Any]:
        for failure in batch.failures:
            tag = RETRY if failure.transient else DEAD
            if failure.event_time is None:
                yield TaggedOutput(tag, failure)
            else:
                yield TaggedOutput(tag, TimestampedValue(failure, failure.event_time))
        yield replace(batch, failures=()) if batch.failures else batch
