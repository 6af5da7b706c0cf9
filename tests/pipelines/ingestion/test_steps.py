"""A program's own steps: their labels, the pipeline that they make, and options beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to

from pipelines import command
from pipelines.ingest import ingest
from pipelines.ingestion.options import with_defaults
from pipelines.ingestion.steps import applied, identity_of
from tests.fakes import batch_of
from transforms.batch.backoff import Backoff
from transforms.batch.record import Record
from transforms.batch.retry_policy import RetryPolicy
from transforms.errors import ConfigError
from transforms.parse.parse import Parse
from transforms.steps.each_record import EachRecord
from transforms.steps.pipeline_identity import PipelineIdentity
from transforms.steps.retry import Retry


def keep(record: Record) -> Record:
    return record


def hide(record: Record) -> Record:
    return record.with_value({**record.value, "email": "hidden"})


HIDE = EachRecord(hide, "Hide")


class TestIdentity:
    def test_it_is_the_labels_in_order(self) -> None:
        steps = (EachRecord(keep, "One"), "Two" >> EachRecord(keep, "Other"))
        assert identity_of("mine", steps) == PipelineIdentity("mine", ("One", "Two"))

    def test_a_step_that_only_schedules_is_none_of_the_labels(self) -> None:
        policy = Retry(RetryPolicy(Backoff(1, 2)))
        assert identity_of("", (HIDE, policy)) == identity_of("", (HIDE,))

    @pytest.mark.parametrize("label", ["Route", "route", "Route/orders", "ROUTE/x"])
    def test_the_names_of_routes_are_refused(self, label: str) -> None:
        with pytest.raises(ConfigError, match="rename it"):
            identity_of("mine", (EachRecord(keep, label),))
        assert identity_of("mine", (EachRecord(keep, "Routes"),)).steps == ("Routes",)

    def test_a_mapping_is_part_of_the_version_and_no_label(self) -> None:
        plain = identity_of("mine", (HIDE,))
        one, other = (identity_of("mine", (HIDE,), mapping=text) for text in ("one", "other"))
        assert (plain.mapped, one.mapped) == (False, True)
        assert one == other != plain
        assert one.steps == plain.steps
        assert len({plain.version, one.version, other.version}) == 3

    def test_the_version_changes_with_functions_and_options_only(self) -> None:
        one = identity_of("", (HIDE,), "options").version
        assert identity_of("", (EachRecord(hide, "Hide"),), "options").version == one
        assert identity_of("", (EachRecord(keep, "Hide"),), "options").version != one
        assert identity_of("", (HIDE,), "others").version != one

    @pytest.mark.parametrize(
        ("steps", "message"),
        [
            ([keep], "EachRecord"),
            ([beam.Map(lambda batch: batch)], "give it a label"),
            ([EachRecord(keep, "Write")], "'Write'"),
            ([EachRecord(keep, "parse")], "'parse'"),
            ([EachRecord(keep, "A"), EachRecord(hide, "A")], "'A'"),
            ([EachRecord(keep, "A,B")], "comma"),
        ],
    )
    def test_a_step_that_cannot_be_told_is_a_wrong_use(
        self, steps: list[Any], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        sink = f"sqlite:///{tmp_path}/a.db"
        assert ingest(steps=steps, argv=[], source="x", sink=sink, table="t") == command.USAGE
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line


class TestApplied:
    def test_the_same_steps_serve_pipeline_after_pipeline(self) -> None:
        chain = "Chain" >> (EachRecord(keep, "One") | EachRecord(keep, "Two"))
        for _ in range(2):
            with beam.Pipeline(runner=FnApiRunner()) as pipeline:
                parsed = pipeline | beam.Create([batch_of(b'{"a":1}')]) | Parse()
                values = applied(parsed, (chain, EachRecord(keep, "Three"))) | beam.FlatMap(
                    lambda batch: batch.values
                )
                assert_that(values, equal_to([{"a": 1}]))

    def test_a_step_with_other_outputs_is_refused(self) -> None:
        pipeline = beam.Pipeline(runner=FnApiRunner())
        batches = pipeline | beam.Create([batch_of(b"1")])
        two = "Two" >> beam.Partition(lambda batch, _: 0, 2)
        with pytest.raises(ConfigError, match="'Two' returns"):
            applied(batches, (two,))


class TestOptions:
    def test_the_command_line_comes_before_what_the_program_says(self) -> None:
        flags = with_defaults(
            ["--source", "b", "--no_progress"], {"source": ["a", "c"], "no_progress": True}
        )
        assert flags == ["--source", "b", "--no_progress"]

    def test_lists_are_repeated_or_joined_as_the_flag_has_it(self) -> None:
        flags = with_defaults(
            [], {"source": ["a", "b"], "key": ["x", "y"], "max_attempts": 3, "outbox": False}
        )
        assert flags == ["--source=a", "--source=b", "--key=x,y", "--max_attempts=3"]

    def test_an_unknown_one_is_named(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert ingest(argv=[], sorce="a", sink="sqlite://", table="t") == command.USAGE
        assert "unknown option --sorce; did you mean --source?" in capsys.readouterr().err
