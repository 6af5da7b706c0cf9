from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import apache_beam as beam
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms.window import FixedWindows, TimestampedValue
from apache_beam.utils.timestamp import Timestamp

from tests.fakes import batch_of
from transforms.batch.record import Record, RecordBatch
from transforms.parse.parse import Parse
from transforms.steps.each_record import EachRecord
from transforms.steps.explode import Explode


def at(batch: RecordBatch, seconds: float) -> beam.PTransform:
    """``batch`` as an element that stands at ``seconds``."""
    return "At" >> beam.Create([batch]) | beam.Map(TimestampedValue, seconds).with_output_types(
        RecordBatch
    )


def unnested(record: Record) -> list[Record]:
    return [record.with_value(item) for item in record.value["items"]]


class _Stamped(beam.DoFn):
    def process(
        self, record: Record, timestamp: Any = beam.DoFn.TimestampParam
    ) -> Iterator[tuple[int, Timestamp]]:
        yield record.origin.offset, timestamp


def test_each_record_stands_at_its_event_time() -> None:
    batch = replace(batch_of(b"1", b"2"), times=[100.5, 200.25])
    with TestPipeline(runner=FnApiRunner()) as pipeline:
        records = pipeline | at(batch, 100.5) | Explode()
        stamped = records | beam.ParDo(_Stamped())
        assert_that(stamped, equal_to([(0, Timestamp(100.5)), (1, Timestamp(200.25))]))
        assert records.element_type is Record


def test_without_event_times_it_stands_at_the_batchs() -> None:
    with TestPipeline(runner=FnApiRunner()) as pipeline:
        stamped = pipeline | at(batch_of(b"1", b"2"), 42) | Explode() | beam.ParDo(_Stamped())
        assert_that(stamped, equal_to([(0, Timestamp(42)), (1, Timestamp(42))]))


def test_records_are_whole_and_failures_stay_behind() -> None:
    batch = batch_of(b'{"n":1}', b"no", b'{"n":3}', start=10)
    with TestPipeline(runner=FnApiRunner()) as pipeline:
        records = pipeline | beam.Create([batch]) | Parse() | Explode()
        expected = [batch.record(i).with_value({"n": i + 1}) for i in (0, 2)]
        assert_that(records, equal_to(expected))


def test_each_of_several_records_is_an_element_with_the_time_of_the_whole() -> None:
    batch = replace(batch_of(b'{"items":[1,2]}', b'{"items":[]}', start=10), times=[100.5, 101.0])
    with TestPipeline(runner=FnApiRunner()) as pipeline:
        records = pipeline | at(batch, 100.5) | Parse() | EachRecord(unnested, "Items") | Explode()
        places = records | beam.Map(lambda record: (record.origin.place, record.value))
        assert_that(places, equal_to([("10[0/2]", 1), ("10[1/2]", 2)]))
        stamped = records | beam.ParDo(_Stamped())
        assert_that(stamped, equal_to([(10, Timestamp(100.5))] * 2), label="times")


def test_records_can_be_windowed_by_event_time() -> None:
    batch = replace(batch_of(b"1", b"2", b"3"), times=[10.0, 59.9, 60.0])
    with TestPipeline(runner=FnApiRunner()) as pipeline:
        counts = (
            pipeline
            | at(batch, 10)
            | Explode()
            | beam.WindowInto(FixedWindows(60))
            | beam.combiners.Count.Globally().without_defaults()
        )
        assert_that(counts, equal_to([2, 1]))
