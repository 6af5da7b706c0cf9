from __future__ import annotations

import re

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from tests.transforms.steps.test_apply import numbered, odd
from transforms.batch.record import Record, RecordBatch
from transforms.errors import StepEnded
from transforms.steps.each_record import EachRecord


class TestEachRecord:
    def test_one_bad_record_does_not_take_the_batch_down(self) -> None:
        with TestPipeline(runner=FnApiRunner()) as pipeline:
            applied = pipeline | beam.Create([numbered(9)]) | EachRecord(odd, "double")
            values = applied | "V" >> beam.FlatMap(lambda batch: batch.values)
            failures = applied | "F" >> beam.FlatMap(
                lambda batch: [(f.stage, f.category, f.origin.offset) for f in batch.failures]
            )
            assert_that(values, equal_to([0, 4, 8, 12, 16]), label="values")
            assert_that(
                failures,
                equal_to(
                    [
                        ("double", "oddity", 101),
                        ("double", "retry_later", 103),
                        ("double", "exception", 107),
                    ]
                ),
                label="failures",
            )

    @pytest.mark.parametrize(
        ("error", "what"),
        [
            (SystemExit(3), "called sys.exit(3)"),
            (SystemExit(), "called sys.exit()"),
            (MemoryError(), "ran out of memory"),
        ],
    )
    def test_a_step_that_ends_the_program_is_named_with_its_record(
        self, error: BaseException, what: str
    ) -> None:
        def end(record: Record) -> Record:
            if record.value == 5:
                raise error
            return record

        line = f"step 'Mask' {what} at offset 105 of memory://test (partition 0); nothing of "
        with (
            pytest.raises(StepEnded, match=f"^{re.escape(line)}"),
            TestPipeline(runner=FnApiRunner()) as pipeline,
        ):
            _ = pipeline | beam.Create([numbered(9)]) | EachRecord(end, "Mask")

    def test_several_of_one_cross_a_shuffle_with_all_that_a_replay_needs(self) -> None:
        def letters(record: Record) -> list[Record]:
            return [record.with_value(5 * index) for index in range(record.value)]

        with TestPipeline(runner=FnApiRunner()) as pipeline:
            several = pipeline | beam.Create([numbered(4)]) | EachRecord(letters, "letters")
            doubled = several | beam.Reshuffle() | EachRecord(odd, "double")
            sums = doubled | beam.Map(lambda batch: (batch.read, batch.expanded, batch.raw_bytes))
            # Three records of one byte have become 0; 0, 5; and 0, 5, 10. One has become none.
            assert_that(sums, equal_to([(7, 3, 3)]), label="sums")
            values = doubled | "V" >> beam.FlatMap(lambda batch: batch.values)
            assert_that(values, equal_to([0, 0, 0, 20]), label="values")

    def test_its_output_has_the_batch_coder(self) -> None:
        with TestPipeline(runner=FnApiRunner()) as pipeline:
            applied = pipeline | beam.Create([numbered(1)]) | EachRecord(odd, "double")
            assert applied.element_type is RecordBatch
