from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import apache_beam as beam
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Timestamp

from tests.fakes import apply, batch_of
from transforms.batch.record import Failure, Record, RecordBatch
from transforms.errors import Reject, RetryLater
from transforms.settle.split_failures import SplitFailures


def step(record: Record) -> Record | None:
    """Rejects `no`, postpones `later`, drops `drop`."""
    if record.raw == b"no":
        raise Reject("no")
    if record.raw == b"later":
        raise RetryLater("later")
    return None if record.raw == b"drop" else record


def mixed(times: list[float] | None = None) -> RecordBatch:
    batch = batch_of(b"ok", b"no", b"later", b"drop", b"fine")
    return apply(replace(batch, values=[None] * 5, times=times), step, "step")


def at(batch: RecordBatch, seconds: float) -> beam.PTransform:
    """``batch`` as an element that stands at ``seconds``."""
    return "At" >> beam.Create([batch]) | beam.Map(TimestampedValue, seconds).with_output_types(
        RecordBatch
    )


class _Stamped(beam.DoFn):
    def process(
        self, failure: Failure, timestamp: Any = beam.DoFn.TimestampParam
    ) -> Iterator[tuple[bytes, Timestamp]]:
        yield failure.raw, timestamp


def test_each_failure_leaves_on_the_output_that_fits_it() -> None:
    clean = replace(batch_of(b"x", start=9), values=[1])
    batch = mixed()
    dead, retry = batch.failures
    with TestPipeline(runner=FnApiRunner()) as pipeline:
        outputs = pipeline | beam.Create([batch, clean]) | SplitFailures()
        assert_that(
            outputs.batches, equal_to([replace(batch, failures=()), clean]), label="batches"
        )
        assert_that(outputs.dead, equal_to([dead]), label="dead")
        assert_that(outputs.retry, equal_to([retry]), label="retry")
        types = [each.element_type for each in (outputs.batches, outputs.dead, outputs.retry)]
        assert types == [RecordBatch, Failure, Failure]


def test_one_of_several_fails_by_itself() -> None:
    def several(record: Record) -> list[Record]:
        return [record.with_value(number) for number in range(3)]

    def second(record: Record) -> Record:
        if record.value == 1:
            raise Reject("no")
        return record

    batch = apply(apply(mixed(), several, "Items"), second, "Check")
    with TestPipeline(runner=FnApiRunner()) as pipeline:
        outputs = pipeline | beam.Create([batch]) | SplitFailures()
        places = outputs.dead | beam.Map(lambda failure: failure.origin.place)
        assert_that(places, equal_to(["0[1/3]", "4[1/3]", "1"]), label="dead")
        left = outputs.batches | beam.Map(lambda each: each.values)
        assert_that(left, equal_to([[0, 2, 0, 2]]), label="batches")


def test_a_failure_stands_at_its_event_time() -> None:
    batch = mixed([1.0, 2.0, 3.0, 4.0, 5.0])
    with TestPipeline(runner=FnApiRunner()) as pipeline:
        outputs = pipeline | at(batch, 1) | SplitFailures()
        dead = outputs.dead | "D" >> beam.ParDo(_Stamped())
        retry = outputs.retry | "R" >> beam.ParDo(_Stamped())
        assert_that(dead, equal_to([(b"no", Timestamp(2))]), label="dead")
        assert_that(retry, equal_to([(b"later", Timestamp(3))]), label="retry")


def test_without_event_time_a_failure_stands_at_the_batchs() -> None:
    with TestPipeline(runner=FnApiRunner()) as pipeline:
        outputs = pipeline | at(mixed(), 7) | SplitFailures()
        dead = outputs.dead | beam.ParDo(_Stamped())
        assert_that(dead, equal_to([(b"no", Timestamp(7))]))
