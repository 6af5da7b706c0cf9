from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from typing import cast

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from tests.fakes import STORED, ListSink, batch_of, record_of
from transforms import metrics
from transforms.batch.backoff import Backoff, services_away
from transforms.batch.counts import Counts
from transforms.batch.record import Failure, RecordBatch
from transforms.errors import CommitUnknown, Contention, Reject, SinkFailed, SinkUnavailable
from transforms.settle.bounds import Bounds, TableBounds
from transforms.settle.write import DEAD, RETRY, Settled, Write, WriteConfig, WriteFn, commit

FAST = WriteConfig(backoff=Backoff(base=0.001, cap=0.002), outage_budget=10, contention_tries=2)


@pytest.fixture(autouse=True)
def fresh_tally() -> Iterator[None]:
    metrics.reset()
    yield
    metrics.reset()


def failing(batch: RecordBatch, *, transient: bool) -> RecordBatch:
    failure = Failure.of(record_of(b"?"), "parse", "malformed", Reject("no"), transient=transient)
    return batch.keep(range(len(batch.raws)), batch.values, [failure])


class TestWrite:
    def test_what_is_settled_is_emitted_and_counted(self) -> None:
        sink = ListSink.fresh("settled")
        batches = [batch_of(b"1", b"2"), batch_of(b"3", start=2)]
        with TestPipeline(runner=FnApiRunner()) as pipeline:
            outputs = pipeline | beam.Create(batches) | Write(sink, FAST)
            inserted = outputs.settled | beam.Map(lambda settled: settled.counts.inserted)
            assert_that(inserted, equal_to([2, 1]), label="settled")
        assert sorted(sink.stored.offsets()) == [0, 1, 2]
        tally = metrics.tally()
        assert (tally["read"], tally["inserted"], tally["batches"]) == (3, 3, 2)

    def test_failures_leave_on_the_output_that_fits_them(self) -> None:
        sink = ListSink.fresh("failures")
        batches = [
            failing(batch_of(b"1"), transient=False),
            failing(batch_of(b"2", start=1), transient=True),
        ]
        with TestPipeline(runner=FnApiRunner()) as pipeline:
            outputs = pipeline | beam.Create(batches) | Write(sink, FAST)
            dead = outputs[DEAD] | "D" >> beam.Map(lambda failure: failure.transient)
            retry = outputs[RETRY] | "R" >> beam.Map(lambda failure: failure.transient)
            assert_that(dead, equal_to([False]), label="dead")
            assert_that(retry, equal_to([True]), label="retry")
        tally = metrics.tally()
        assert (tally["read"], tally["dead"], tally["retrying"]) == (4, 1, 1)

    def test_a_database_that_refuses_fails_the_pipeline(self) -> None:
        sink = ListSink.fresh("refuses", SinkFailed("permission denied for table t"))
        with (
            pytest.raises(SinkFailed, match="permission denied for table t"),
            TestPipeline(runner=FnApiRunner()) as pipeline,
        ):
            pipeline | beam.Create([batch_of(b"1")]) | Write(sink, FAST)
        assert sink.stored.commits == []


class TestGroupCommit:
    def drive(self, sink: ListSink, config: WriteConfig) -> WriteFn:
        write = WriteFn(sink, config)
        write.setup()
        write.start_bundle()
        return write

    def process(self, write: WriteFn, batch: RecordBatch) -> list[Settled]:
        emitted = write.process(batch, timestamp=0, window=None)
        return [each.value for each in emitted]

    def test_batches_that_arrive_during_a_commit_share_the_next_one(self) -> None:
        sink = ListSink.fresh("group")
        sink.stored.gate = threading.Event()
        write = self.drive(sink, WriteConfig())
        assert self.process(write, batch_of(b"0")) == []
        assert sink.stored.waiting.wait(10)
        for n in range(1, 5):
            assert self.process(write, batch_of(b"%d" % n, start=n)) == []
        sink.stored.gate.set()
        settled = [each.value for each in write.finish_bundle()]
        write.teardown()
        assert [len(commit) for commit in sink.stored.commits] == [1, 4]
        assert [each.span.start for each in settled] == [0, 1, 2, 3, 4]

    def test_a_slow_database_holds_the_source(self) -> None:
        sink = ListSink.fresh("slow")
        sink.stored.gate = threading.Event()
        write = self.drive(sink, WriteConfig(commit_records=3))
        self.process(write, batch_of(b"0"))
        assert sink.stored.waiting.wait(10)
        for n in (1, 2):
            self.process(write, batch_of(b"%d" % n, start=n))
        # The queue is full with the next one: process must wait for the running commit.
        entered, left = threading.Event(), threading.Event()

        def third() -> None:
            entered.set()
            self.process(write, batch_of(b"3", start=3))
            left.set()

        thread = threading.Thread(target=third)
        thread.start()
        assert entered.wait(10)
        assert not left.wait(0.2), "process returned although the queue was full"
        sink.stored.gate.set()
        assert left.wait(10)
        thread.join()
        list(write.finish_bundle())
        write.teardown()
        assert sink.stored.offsets() == [0, 1, 2, 3]

    def test_a_failed_bundle_leaves_nothing_behind_for_the_next(self) -> None:
        sink = ListSink.fresh("failed-bundle", SinkFailed("no"))
        write = self.drive(sink, FAST)
        self.process(write, batch_of(b"0"))
        with pytest.raises(SinkFailed):
            list(write.finish_bundle())
        write.start_bundle()
        assert self.process(write, batch_of(b"0")) == []
        assert [each.value.counts.inserted for each in write.finish_bundle()] == [1]
        write.teardown()

    def test_a_bundle_ends_with_what_the_sink_does_after_its_last_commit(self) -> None:
        sink = ListSink.fresh("finished")
        write = self.drive(sink, FAST)
        self.process(write, batch_of(b"0"))
        self.process(write, batch_of(b"1", start=1))
        assert sink.stored.finished == []
        list(write.finish_bundle())
        write.teardown()
        assert sink.stored.finished == [len(sink.stored.commits)]

    def test_a_bundle_without_batches_ends_so_too(self) -> None:
        sink = ListSink.fresh("idle")
        write = self.drive(sink, FAST)
        assert list(write.finish_bundle()) == []
        write.teardown()
        assert sink.stored.finished == [0], "it may have to do what another process has left"


class Routed(ListSink):
    """Settles all for the table ``orders``."""

    def commit(self, batches: Sequence[RecordBatch], *, isolate: bool = False) -> list[Settled]:
        settled = super().commit(batches, isolate=isolate)
        return [replace(each, by_target={"orders": each.counts}) for each in settled]


def test_what_is_settled_is_counted_by_table_too() -> None:
    with TestPipeline(runner=FnApiRunner()) as pipeline:
        pipeline | beam.Create([batch_of(b"1", b"2")]) | Write(Routed.fresh("routed"), FAST)
    tally = metrics.tally()
    assert (tally["inserted"], tally["inserted@orders"]) == (2, 2)


class InRanges(ListSink):
    """Takes records only in ranges of five."""

    def complete(self, batches: Sequence[RecordBatch]) -> bool:
        return sum(batch.read for batch in batches) % 5 == 0


class TestBounds:
    WAITING = TableBounds(Bounds(records=3))

    def commits(self, sink: ListSink, config: WriteConfig, batches: int) -> list[int]:
        """How many batches of one record, which arrive one after the other, each commit takes.

        A second number, if any, is that of the end of the bundle.
        """
        write = WriteFn(sink, config)
        write.setup()
        write.start_bundle()
        for n in range(batches):
            list(write.process(batch_of(b"%d" % n, start=n), timestamp=0, window=None))
            if write._running is not None:
                wait([write._running], 10)
        list(write.finish_bundle())
        write.teardown()
        assert sink.stored.offsets() == list(range(batches))
        return [len(commit) for commit in sink.stored.commits]

    def test_a_transaction_begins_with_a_bound_and_at_the_end_of_the_bundle(self) -> None:
        sink = ListSink.fresh("bounds")
        assert self.commits(sink, WriteConfig(bounds=self.WAITING), 8) == [3, 3, 2]

    def test_the_general_bound_holds(self) -> None:
        sink = ListSink.fresh("general")
        config = WriteConfig(commit_records=2, bounds=self.WAITING)
        assert self.commits(sink, config, 5) == [2, 2, 1]

    def test_a_range_waits_until_it_is_complete(self) -> None:
        sink = InRanges.fresh("ranges")
        assert self.commits(sink, WriteConfig(), 12) == [5, 5, 2]

    def test_an_incomplete_range_waits_for_twice_a_transaction_at_most(self) -> None:
        sink = InRanges.fresh("overfull")
        assert self.commits(sink, WriteConfig(commit_records=2), 6) == [4, 2]

    def test_what_was_held_is_committed_before_anything_else_waits(self) -> None:
        sink = InRanges.fresh("alone")
        write = WriteFn(sink, WriteConfig(commit_records=2))
        write.setup()
        write.start_bundle()
        emitted = [
            [each.value.span.start for each in write.process(batch_of(b"1", start=n), 0, None)]
            for n in range(4)
        ]
        write.teardown()
        assert emitted == [[], [], [], [0, 1, 2, 3]]

    def test_a_bundle_that_failed_leaves_nothing_to_wait_with_the_next(self) -> None:
        sink = ListSink.fresh("bounds-failed")
        write = WriteFn(sink, WriteConfig(bounds=self.WAITING))
        write.setup()
        for _ in range(2):
            write.start_bundle()
            list(write.process(batch_of(b"1", b"2"), timestamp=0, window=None))
        list(write.finish_bundle())
        write.teardown()
        assert sink.stored.offsets() == [0, 1]


class Never(ListSink):
    """Never has a whole range."""

    def complete(self, batches: Sequence[RecordBatch]) -> bool:
        return False


class LateWriter:
    """The slowest writer: it commits only while somebody waits for it."""

    def submit(self, function: Callable[..., object], *arguments: object) -> LateWriter:
        self._call = partial(function, *arguments)
        return self

    def done(self) -> bool:
        return False

    def result(self) -> object:
        return self._call()


@pytest.mark.parametrize("kind", [ListSink, InRanges, Never])
@pytest.mark.parametrize("waits", [Bounds(), Bounds(records=7), Bounds(age=3_600.0)])
@pytest.mark.parametrize("sizes", [[1], [3], [4], [4, 3]])
def test_four_times_the_records_of_a_transaction_are_in_flight_at_most(
    kind: type[ListSink], waits: Bounds, sizes: list[int]
) -> None:
    most = 4
    sink = kind.fresh("in-flight")
    write = WriteFn(sink, FAST.with_bounds(TableBounds(waits), most))
    write.setup()
    write._writer = cast(ThreadPoolExecutor, LateWriter())
    write.start_bundle()
    start, in_flight, numbers = 0, 0, []
    for size in sizes * 10:
        batch = batch_of(*[b"1"] * size, start=start)
        start += size
        in_flight += size
        numbers.append(in_flight)
        in_flight -= sum(each.value.counts.read for each in write.process(batch, 0, None))
    list(write.finish_bundle())
    assert max(numbers) <= 4 * most
    assert sink.stored.offsets() == list(range(start))


class TestRoom:
    BOUNDS = TableBounds(Bounds(records=50_000), {"a": Bounds(bytes=64 << 20)})

    def test_there_is_room_for_what_the_bounds_let_wait(self) -> None:
        config = FAST.with_bounds(self.BOUNDS)
        assert (config.commit_records, config.commit_bytes) == (50_000, 64 << 20)
        assert (config.bounds, config.outage_budget) == (self.BOUNDS, FAST.outage_budget)

    def test_small_bounds_take_no_room_away(self) -> None:
        config = FAST.with_bounds(TableBounds(Bounds(records=5, bytes=5)))
        assert (config.commit_records, config.commit_bytes) == (10_000, 16 << 20)

    def test_a_limit_of_records_holds_whatever_the_bounds_ask_for(self) -> None:
        assert FAST.with_bounds(self.BOUNDS, 25).commit_records == 25


class FoundSettled(ListSink):
    """Finds everything settled already."""

    def commit(self, batches: Sequence[RecordBatch], *, isolate: bool = False) -> list[Settled]:
        return [
            replace(each, counts=Counts(), trimmed=each.counts.read)
            for each in super().commit(batches, isolate=isolate)
        ]


class TestCommit:
    BATCHES = (batch_of(b"1"),)

    def test_an_outage_is_said_at_its_begin_and_its_end(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        sink = ListSink.fresh("said", *[SinkUnavailable("cannot reach it")] * 5)
        commit(sink, [batch_of(b"1")], FAST)
        begin, end = caplog.messages
        assert begin.startswith("cannot reach it; waiting for it, for another 10 s at most")
        assert end.startswith("database answers again after ")
        assert services_away() == {}

    def test_an_outage_is_waited_for(self) -> None:
        sink = ListSink.fresh("outage", *[SinkUnavailable("down")] * 5)
        settled, waited = commit(sink, self.BATCHES, FAST)
        assert [each.counts.inserted for each in settled] == [1]
        assert 5 * 0.0005 <= waited <= 5 * 0.002

    def test_a_commit_whose_answer_was_lost_counts_once_it_is_found(self) -> None:
        lost = CommitUnknown("cut while committing")
        lost.settled = [Settled(self.BATCHES[0].span, Counts(read=1, inserted=1))]
        sink = FoundSettled.fresh("lost", lost)
        settled, _ = commit(sink, self.BATCHES, FAST)
        assert settled == lost.settled
        sink = FoundSettled.fresh("lost", SinkUnavailable("before the commit"))
        settled, _ = commit(sink, self.BATCHES, FAST)
        assert (settled[0].counts.inserted, settled[0].trimmed) == (0, 1)

    def test_a_commit_that_did_not_go_through_is_made(self) -> None:
        lost = CommitUnknown("cut while committing")
        lost.settled = [Settled(self.BATCHES[0].span, Counts(read=1, duplicates=1))]
        settled, _ = commit(ListSink.fresh("not-lost", lost), self.BATCHES, FAST)
        assert (settled[0].counts.inserted, settled[0].counts.duplicates) == (1, 0)

    def test_an_outage_longer_than_the_budget_fails(self) -> None:
        sink = ListSink.fresh("long-outage", *[SinkUnavailable("down")] * 5)
        config = WriteConfig(backoff=Backoff(0.001, 0.002), outage_budget=0)
        with pytest.raises(SinkUnavailable):
            commit(sink, self.BATCHES, config)
        assert len(STORED["long-outage"].faults) == 4, "no try after the budget"

    def test_contention_is_tried_again_so_many_times(self) -> None:
        sink = ListSink.fresh("contention", *[Contention("deadlock")] * 2)
        settled, _ = commit(sink, self.BATCHES, FAST)
        assert [each.counts.inserted for each in settled] == [1]
        sink = ListSink.fresh("contention", *[Contention("deadlock")] * 3)
        with pytest.raises(Contention):
            commit(sink, self.BATCHES, FAST)

    def test_only_the_last_try_sets_records_aside(self) -> None:
        sink = ListSink.fresh("isolate", *[Contention("deadlock")] * 2)
        commit(sink, self.BATCHES, FAST)
        assert sink.stored.isolated == [False, False, True]

    def test_a_refusal_is_not_tried_again(self) -> None:
        sink = ListSink.fresh("refusal", SinkFailed("no"), SinkFailed("again"))
        with pytest.raises(SinkFailed, match="no"):
            commit(sink, self.BATCHES, FAST)
        assert len(STORED["refusal"].faults) == 1
