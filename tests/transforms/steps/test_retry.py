from __future__ import annotations

from dataclasses import replace

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from tests.fakes import batch_of
from transforms.batch.backoff import Backoff
from transforms.batch.record import Failure, Record, RecordBatch
from transforms.batch.retry_policy import FOREIGN_KEY, RetryPolicy
from transforms.errors import Reject, RetryLater, Snooze
from transforms.steps.each_record import EachRecord
from transforms.steps.retry import Retry, may_heal

SHORT = RetryPolicy(Backoff(1, 2), max_attempts=2)
LONG = RetryPolicy(Backoff(60, 3600), max_attempts=50)


def parsed(*values: str) -> RecordBatch:
    return replace(batch_of(*(value.encode() for value in values)), values=list(values))


def first(record: Record) -> Record:
    if record.value == "a":
        raise RetryLater("later")
    return record


def second(record: Record) -> Record:
    if record.value == "b":
        raise Snooze("not yet", 60)
    if record.value == "c":
        raise Reject("never")
    return record


def policies(batch: RecordBatch) -> dict[str, int | None]:
    return {
        failure.raw.decode(): None if failure.retry is None else failure.retry.max_attempts
        for failure in batch.failures
    }


class TestRetry:
    def test_failures_get_the_policy_of_the_first_retry_behind_them(self) -> None:
        with TestPipeline(runner=FnApiRunner()) as pipeline:
            batches = (
                pipeline
                | beam.Create([parsed("a", "b", "c", "d")])
                | EachRecord(first, "first")
                | "Short" >> Retry(SHORT)
                | EachRecord(second, "second")
                | "Long" >> Retry(LONG)
            )
            assert_that(
                batches | "P" >> beam.Map(policies),
                equal_to([{"a": 2, "b": 50, "c": 50}]),
                "policies",
            )
            assert_that(batches | "V" >> beam.Map(lambda b: b.values), equal_to([["d"]]), "values")

    def test_without_it_the_writer_decides(self) -> None:
        with TestPipeline(runner=FnApiRunner()) as pipeline:
            batches = pipeline | beam.Create([parsed("a")]) | EachRecord(first, "first")
            assert_that(batches | beam.Map(policies), equal_to([{"a": None}]))

    def test_what_stands_behind_it_is_not_its_affair(self) -> None:
        with TestPipeline(runner=FnApiRunner()) as pipeline:
            batches = (
                pipeline | beam.Create([parsed("a")]) | Retry(SHORT) | EachRecord(first, "first")
            )
            assert_that(batches | beam.Map(policies), equal_to([{"a": None}]))

    def test_it_loses_nothing_of_the_failure_on_the_way(self) -> None:
        with TestPipeline(runner=FnApiRunner()) as pipeline:
            batches = (
                pipeline
                | beam.Create([parsed("b", "d")])
                | EachRecord(second, "second")
                | Retry(SHORT)
            )
            retries = batches | beam.Map(
                lambda batch: [
                    (f.stage, f.category, f.snooze, f.transient, f.raw, f.retry, batch.read)
                    for f in batch.failures
                ]
            )
            assert_that(retries, equal_to([[("second", "snoozed", 60, True, b"b", SHORT, 2)]]))

    def test_its_output_has_the_batch_coder_and_its_label(self) -> None:
        with TestPipeline(runner=FnApiRunner()) as pipeline:
            batches = pipeline | beam.Create([parsed("d")]) | Retry(SHORT, "RetryLookup")
            assert batches.element_type is RecordBatch
            assert batches.producer is not None
            assert batches.producer.full_label.startswith("RetryLookup/")


class TestMayHeal:
    @pytest.mark.parametrize(
        ("own", "default", "expected"),
        [
            (None, RetryPolicy(), True),
            (None, RetryPolicy(heals=()), False),
            (RetryPolicy(heals=()), RetryPolicy(), False),
            (RetryPolicy(), RetryPolicy(heals=()), True),
        ],
    )
    def test_its_own_policy_goes_before_the_writers(
        self, own: RetryPolicy | None, default: RetryPolicy, expected: bool
    ) -> None:
        failure = replace(
            Failure.of(parsed("a").record(0), "write", FOREIGN_KEY, Reject("no"), sqlstate="23503"),
            retry=own,
        )
        assert may_heal(failure, default) is expected

    def test_a_transient_failure_may_always_heal(self) -> None:
        failure = Failure.of(
            parsed("a").record(0), "first", "retry_later", RetryLater("x"), transient=True
        )
        assert may_heal(failure, RetryPolicy(heals=()))
