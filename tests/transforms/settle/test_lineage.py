"""A read asks one ledger, so it has one write."""

from __future__ import annotations

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from tests.fakes import ListSink, ListSource, NoLedger
from transforms.batch.record import Record
from transforms.errors import ConfigError
from transforms.parse.parse import Parse
from transforms.read.read import ReadSplits
from transforms.settle.write import Write
from transforms.steps.each_record import EachRecord


def keep(record: Record) -> Record:
    return record


def read(name: str) -> ReadSplits:
    return ReadSplits([ListSource(name)], NoLedger())


class Whole(beam.PTransform):
    """A step made of several."""

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        return batches | EachRecord(keep, "Inner") | "Again" >> EachRecord(keep, "Again")


def test_two_writes_behind_one_read_are_refused_when_the_pipeline_is_built() -> None:
    pipeline = beam.Pipeline(runner=FnApiRunner())
    parsed = pipeline | read("fork") | Parse()
    _ = parsed | "A" >> EachRecord(keep, "A") | "WriteA" >> Write(ListSink.fresh("a"))
    other = parsed | "B" >> Whole()
    with pytest.raises(ConfigError, match=r"two writes.*take routes and one write"):
        _ = other | "WriteB" >> Write(ListSink.fresh("b"))


def test_a_read_that_reaches_a_second_write_by_a_flatten_is_refused() -> None:
    pipeline = beam.Pipeline(runner=FnApiRunner())
    one, two = pipeline | "One" >> read("one"), pipeline | "Two" >> read("two")
    _ = one | "WriteOne" >> Write(ListSink.fresh("one"))
    both = (one, two) | beam.Flatten()
    with pytest.raises(ConfigError, match="two writes"):
        _ = both | "WriteBoth" >> Write(ListSink.fresh("both"))


def test_each_read_may_have_a_write_of_its_own() -> None:
    sinks = [ListSink.fresh(name) for name in ("left", "right")]
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        for sink in sinks:
            _ = (
                pipeline
                | f"Read {sink.name}" >> read(sink.name)
                | f"Parse {sink.name}" >> Parse()
                | f"Write {sink.name}" >> Write(sink)
            )
    for sink in sinks:
        assert sorted(sink.stored.offsets()) == list(range(10))
