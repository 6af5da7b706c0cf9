from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.utils.timestamp import Timestamp

from tests import fakes
from tests.fakes import ListSource, NoLedger
from transforms.batch.coverage import Ledger
from transforms.batch.record import RecordBatch
from transforms.batch.splits import Split
from transforms.errors import ConfigError
from transforms.read import drain
from transforms.read.read import ReadSplits
from transforms.read.readers import READERS
from transforms.read.reading import Pacing


@pytest.fixture(autouse=True)
def fresh_process() -> Iterator[None]:
    fakes.OPENED.clear()
    fakes.CLOSED.clear()
    drain.reset()
    yield
    READERS.close()
    drain.reset()


def numbers(batch: RecordBatch) -> list[tuple[str, int]]:
    return [(batch.span.source, n) for n in batch.offsets]


def expected(name: str, partitions: int, records: int) -> list[tuple[str, int]]:
    return [(f"memory://{name}/{p}", n) for p in range(partitions) for n in range(records)]


_noted: list[tuple[str, int]] = []


def note(batch: RecordBatch) -> None:
    _noted.extend(numbers(batch))


class TestBounded:
    def test_every_record_of_every_split_is_read_once(self) -> None:
        source = ListSource("a", partitions=3, records=10, batch=4)
        with TestPipeline(runner=FnApiRunner()) as pipeline:
            read = pipeline | ReadSplits([source], NoLedger()) | beam.FlatMap(numbers)
            assert_that(read, equal_to(expected("a", 3, 10)), label="read")
        assert sorted(fakes.CLOSED) == sorted({name for name, _ in fakes.OPENED})

    def test_several_sources_are_read_by_one_root(self) -> None:
        sources = [ListSource("a", records=5), ListSource("b", records=7)]
        with TestPipeline(runner=FnApiRunner()) as pipeline:
            read = pipeline | ReadSplits(sources, NoLedger()) | beam.FlatMap(numbers)
            assert_that(read, equal_to(expected("a", 1, 5) + expected("b", 1, 7)), label="read")

    def test_every_bundle_reads_the_sources_in_their_order(self) -> None:
        sources = [ListSource("b", records=2, batch=1), ListSource("a", records=2, batch=1)]
        pacing = Pacing(bundle_seconds=0.0)  # a bundle for every poll
        _noted.clear()
        with TestPipeline(runner=FnApiRunner()) as pipeline:
            pipeline | ReadSplits(sources, NoLedger(), pacing) | beam.Map(note)
        assert _noted == [(f"memory://{name}/0", n) for n in (0, 1) for name in "ba"]

    def test_a_split_that_checkpoints_itself_goes_on_with_the_same_reader(self) -> None:
        source = ListSource("a", records=10, batch=2)
        pacing = Pacing(bundle_seconds=0.0)  # a bundle for every poll
        with TestPipeline(runner=FnApiRunner()) as pipeline:
            read = pipeline | ReadSplits([source], NoLedger(), pacing) | beam.FlatMap(numbers)
            assert_that(read, equal_to(expected("a", 1, 10)), label="read")
        assert len(fakes.OPENED) == 1, "the reader is kept between bundles"
        assert fakes.CLOSED == ["memory://a/0"]

    def test_every_bundle_replayed_gives_the_same_records_again(self) -> None:
        source = ListSource("a", records=6, batch=2)
        with TestPipeline(runner=FnApiRunner(bundle_repeat=1)) as pipeline:
            read = pipeline | ReadSplits([source], NoLedger()) | beam.FlatMap(numbers)
            assert_that(read, equal_to(expected("a", 1, 6)), label="read")


def halves(batch: RecordBatch) -> Iterator[RecordBatch]:
    """Two records of each one, in a batch of their own."""
    for index, offset in enumerate(batch.offsets):
        span = replace(batch.span, start=offset, end=offset + 1)
        raws = [batch.raws[index]] * 2
        yield RecordBatch(span, batch.format, [offset] * 2, raws, elements=[0, 1])


def test_a_batch_is_cut_before_it_is_emitted() -> None:
    source = ListSource("a", records=5, batch=2, cut=halves)
    with TestPipeline(runner=FnApiRunner()) as pipeline:
        places = (
            pipeline
            | ReadSplits([source], NoLedger())
            | beam.Map(lambda batch: [(r.origin.offset, r.origin.element) for r in batch.records()])
        )
        assert_that(places, equal_to([[(n, 0), (n, 1)] for n in range(5)]))


class Restored(ListSource):
    """Has, as a job that goes on from another's state, a split of a source that is not read."""

    def splits(self, ledger: Ledger) -> Iterator[Split]:
        yield Split("memory://gone", "memory://gone/0")


@pytest.mark.parametrize("streaming", [False, True])
def test_a_split_of_a_source_that_is_not_read_is_refused_in_words(streaming: bool) -> None:
    pipeline = beam.Pipeline(runner=FnApiRunner())
    _ = pipeline | ReadSplits([Restored("a", endless=streaming)], NoLedger())
    with pytest.raises(ConfigError, match=r"memory://gone.* the ledger knows where each source"):
        pipeline.run()
    assert not fakes.OPENED


def steps(*, streaming: bool, spread: bool) -> list[str]:
    pipeline = beam.Pipeline(runner=FnApiRunner())
    source = ListSource("a", records=1, endless=streaming)
    pipeline | "Read" >> ReadSplits([source], NoLedger(), streaming=streaming, spread=spread)
    transforms = pipeline.to_runner_api().components.transforms.values()
    return [each.unique_name for each in transforms]


class TestStreaming:
    def test_a_stream_is_what_its_sources_were_made_for(self) -> None:
        def bounded(endless: bool) -> bool:
            pipeline = beam.Pipeline(runner=FnApiRunner())
            read = pipeline | ReadSplits([ListSource("a", endless=endless)], NoLedger())
            return bool(read.is_bounded)

        assert bounded(endless=False)
        assert not bounded(endless=True)

    @pytest.mark.parametrize("endless", [False, True])
    def test_what_ends_is_not_taken_for_a_stream_nor_a_stream_for_what_ends(
        self, endless: bool
    ) -> None:
        source = ListSource("a", endless=endless)
        with pytest.raises(ConfigError, match=rf"memory://a .*streaming={not endless}"):
            ReadSplits([source], NoLedger(), streaming=not endless)

    def test_sources_that_disagree_are_named(self) -> None:
        sources = [ListSource("a", endless=True), ListSource("b")]
        with pytest.raises(ConfigError, match="memory://b ends"):
            ReadSplits(sources, NoLedger())


class TestSpread:
    def test_splits_of_a_bounded_read_are_handed_out(self) -> None:
        assert "Read/Spread" in steps(streaming=False, spread=True)
        assert "Read/Spread" not in steps(streaming=False, spread=False)

    def test_nothing_stands_between_a_stream_and_its_plan(self) -> None:
        assert "Read/Spread" not in steps(streaming=True, spread=True)


class TestEventTime:
    def test_a_batch_is_emitted_at_its_earliest_event_time(self) -> None:
        source = ListSource("a", records=4, batch=2, event_times=True)

        def stamped(
            batch: RecordBatch,
            timestamp: Timestamp = beam.DoFn.TimestampParam,
        ) -> tuple[int, int]:
            return batch.offsets[0], timestamp.micros // 1_000_000

        with TestPipeline(runner=FnApiRunner()) as pipeline:
            read = pipeline | ReadSplits([source], NoLedger()) | beam.Map(stamped)
            assert_that(read, equal_to([(0, 1000), (2, 1002)]), label="stamps")


class TestDrain:
    def test_a_drain_ends_an_endless_pipeline_and_keeps_what_was_claimed(self) -> None:
        source = ListSource("endless", records=10, batch=5, endless=True)
        sink = fakes.ListSink.fresh("drained")
        pacing = Pacing(bundle_seconds=0.05)

        def stop_when_read() -> None:
            while len(sink.stored.offsets()) < 10:
                if finished.wait(0.01):
                    return
            drain.request()

        from transforms.settle.write import Write

        finished = threading.Event()
        watcher = threading.Thread(target=stop_when_read)
        watcher.start()
        try:
            with TestPipeline(runner=FnApiRunner()) as pipeline:
                source_batches = pipeline | ReadSplits([source], NoLedger(), pacing, streaming=True)
                source_batches | Write(sink)
        finally:
            finished.set()
            watcher.join()
        assert sink.stored.offsets() == list(range(10))

    def test_the_runners_own_drain_ends_an_endless_split(self) -> None:
        source = ListSource("endless", records=4, batch=2, endless=True)
        with TestPipeline(runner=FnApiRunner(is_drain=True)) as pipeline:
            read = (
                pipeline
                | ReadSplits([source], NoLedger(), Pacing(bundle_seconds=0.0), streaming=True)
                | beam.FlatMap(numbers)
            )
            assert_that(read, equal_to([]), label="truncated before it began")
