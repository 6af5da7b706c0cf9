from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial
from typing import cast

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from tests.fakes import ListSink, batch_of, record_of
from tests.waiting import wait_until
from transforms import metrics
from transforms.batch.backoff import Backoff
from transforms.batch.record import Attempt, Claim, Failure, RecordBatch
from transforms.errors import Contention, Reject, SinkFailed, SinkUnavailable
from transforms.settle import unsettled
from transforms.settle.bounds import Bounds, TableBounds
from transforms.settle.flight import Footprint
from transforms.settle.sink import Settled
from transforms.settle.write import DEAD, RETRY, Write, WriteConfig, WriteFn

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

    def test_failures_are_emitted_only_where_they_are_wanted(self) -> None:
        sink = ListSink.fresh("unwanted")
        batch = failing(batch_of(b"1"), transient=False)
        write = WriteFn(sink, replace(FAST, emits_failures=False))
        write.setup()
        write.start_bundle()
        emitted = [*write.process(batch, timestamp=0, window=None), *write.finish_bundle()]
        write.teardown()
        (settled,) = (each.value for each in emitted)
        assert settled.dead == batch.failures

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

    def test_a_reader_of_its_thread_finds_what_is_not_settled_while_the_bundle_lasts(self) -> None:
        sink = ListSink.fresh("unsettled")
        sink.stored.gate = threading.Event()
        write = self.drive(sink, WriteConfig())
        writer = unsettled.of_thread()
        assert writer is not None
        self.process(write, batch_of(b"1"))
        self.process(write, batch_of(b"2", b"3", start=1))
        assert writer.records == 3
        assert not writer.wait(2, 0.0)
        sink.stored.gate.set()
        assert writer.wait(2, 10.0)
        assert writer.stranded, "what has arrived during the commit begins with the next batch"
        list(write.finish_bundle())
        assert writer.progress()[0] == 3
        assert unsettled.of_thread() is None

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
        write = self.drive(sink, WriteConfig(commit_records=3, in_flight=1))
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

    def commit(
        self,
        batches: Sequence[RecordBatch],
        *,
        isolate: bool = False,
        turn: Callable[[], None] | None = None,
    ) -> list[Settled]:
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
            wait([running.future for running in write._running], 10)
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
        assert self.commits(sink, WriteConfig(commit_records=2, in_flight=1), 6) == [4, 2]

    def test_what_was_held_is_committed_before_anything_else_waits(self) -> None:
        sink = InRanges.fresh("alone")
        write = WriteFn(sink, WriteConfig(commit_records=2, in_flight=1))
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

    def __init__(self, call: Callable[[], object] = object) -> None:
        self._call = call

    def submit(self, function: Callable[..., object], *arguments: object) -> LateWriter:
        return LateWriter(partial(function, *arguments))

    def add_done_callback(self, callback: object) -> None:
        return None

    def done(self) -> bool:
        return False

    def result(self) -> object:
        return self._call()


@pytest.mark.parametrize("kind", [ListSink, InRanges, Never])
@pytest.mark.parametrize("waits", [Bounds(), Bounds(records=7), Bounds(age=3_600.0)])
@pytest.mark.parametrize("sizes", [[1], [3], [4], [4, 3]])
@pytest.mark.parametrize("side_by_side", [1, 3])
def test_twice_the_records_of_each_transaction_and_of_the_queue_are_in_flight_at_most(
    kind: type[ListSink], waits: Bounds, sizes: list[int], side_by_side: int
) -> None:
    most = 4
    transactions = FAST.in_flight if waits.unset else side_by_side
    sink = kind.fresh("in-flight", side_by_side=side_by_side)
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
    assert max(numbers) <= 2 * (transactions + 1) * most
    assert sink.stored.offsets() == list(range(start))


def most_bytes_in_flight(write: WriteFn, sizes: Sequence[int]) -> int:
    """The bytes that are read and not settled at most, with the slowest writer."""
    write.setup()
    write._writer = cast(ThreadPoolExecutor, LateWriter())
    write.start_bundle()
    in_flight, most = 0, 0
    for start, size in enumerate(sizes):
        in_flight += size
        most = max(most, in_flight)
        emitted = write.process(batch_of(b"1" * size, start=start), 0, None)
        in_flight -= sum(sizes[each.value.span.start] for each in emitted)
    list(write.finish_bundle())
    return most


@pytest.mark.parametrize("sizes", [[1], [3], [8], [8, 3], [20]])
@pytest.mark.parametrize("side_by_side", [1, 3])
def test_transactions_side_by_side_share_the_bytes_that_one_may_take(
    sizes: list[int], side_by_side: int
) -> None:
    together, largest = 24, max(sizes)
    sink = ListSink.fresh("bytes-in-flight", side_by_side=side_by_side)
    write = WriteFn(sink, replace(FAST, commit_bytes=together))
    most = most_bytes_in_flight(write, sizes * 60)
    # One less than its part, and the batch that fills it: for each transaction and for the next one.
    assert most <= (side_by_side + 1) * (together // side_by_side - 1 + largest)
    assert most >= together
    assert sink.stored.offsets() == list(range(len(sizes) * 60))


@pytest.mark.parametrize("kind", [ListSink, InRanges, Never])
def test_what_a_table_is_to_wait_for_has_room_beside_other_transactions(
    kind: type[ListSink],
) -> None:
    bounds = TableBounds(Bounds(bytes=24))
    sink = kind.fresh("bytes-that-wait", side_by_side=3)
    write = WriteFn(sink, replace(FAST, commit_bytes=24).with_bounds(bounds))
    assert most_bytes_in_flight(write, [3] * 60) <= 2 * (3 + 1) * 24
    assert sink.stored.offsets() == list(range(60))
    if kind is ListSink:
        assert {len(commit) for commit in sink.stored.commits[:-1]} == {24 // 3}


@dataclass(frozen=True)
class Gated(ListSink):
    """Commits wait for the gate of their first record, and then for their turn; raws are the keys."""

    side_by_side: int = 3

    def footprint(self, batches: Sequence[RecordBatch]) -> Footprint:
        keys = frozenset(raw for batch in batches for raw in batch.raws)
        return Footprint(self.name, {"t": keys})

    def commit(
        self,
        batches: Sequence[RecordBatch],
        *,
        isolate: bool = False,
        turn: Callable[[], None] | None = None,
    ) -> list[Settled]:
        assert turn is not None
        gates = GATES[self.name]
        gates.entered[batches[0].span.start].set()
        gates.isolated.append((batches[0].span.start, isolate))
        assert gates.open[batches[0].span.start].wait(10)
        if gates.faults[batches[0].span.start]:
            raise gates.faults[batches[0].span.start].pop(0)
        turn()
        return super().commit(batches, isolate=isolate)


@dataclass
class Gates:
    """The gates of commits, by the first offset of each."""

    entered: defaultdict[int, threading.Event] = field(
        default_factory=lambda: defaultdict(threading.Event)
    )
    open: defaultdict[int, threading.Event] = field(
        default_factory=lambda: defaultdict(threading.Event)
    )
    faults: defaultdict[int, list[BaseException]] = field(default_factory=lambda: defaultdict(list))
    isolated: list[tuple[int, bool]] = field(default_factory=list)

    def open_all(self) -> None:
        for start in range(10):
            self.open[start].set()


GATES: dict[str, Gates] = {}


def until_begun(write: WriteFn) -> None:
    """Wait for the threads of the commits under way: while one has not begun, the next waits."""
    wait_until(
        lambda: not any(running.flight.is_waiting() for running in write._running),
        "the commits under way have begun",
    )


class TestSideBySide:
    """Each batch has one record, which is enough for a commit of its own."""

    def write_of(
        self, name: str, *raws: bytes, commit_records: int = 2
    ) -> tuple[WriteFn, Gates, ListSink]:
        GATES[name] = Gates()
        sink = Gated.fresh(name, side_by_side=3)
        write = WriteFn(sink, replace(FAST, commit_records=commit_records))
        write.setup()
        write.start_bundle()
        for start, raw in enumerate(raws):
            until_begun(write)
            assert list(write.process(batch_of(raw, start=start), 0, None)) == []
        return write, GATES[name], sink

    def test_those_of_different_keys_are_in_flight_together(self) -> None:
        write, gates, sink = self.write_of("together", b"1", b"2", b"3")
        assert all(gates.entered[start].wait(10) for start in range(3))
        gates.open_all()
        settled = [each.value.span.start for each in write.finish_bundle()]
        write.teardown()
        assert settled == [0, 1, 2]
        assert sink.stored.offsets() == [0, 1, 2]

    def test_one_that_shares_a_key_begins_when_the_other_is_done(self) -> None:
        write, gates, sink = self.write_of("shared", b"1", b"1")
        assert gates.entered[0].wait(10)
        assert not gates.entered[1].is_set()
        gates.open[1].set()
        gates.open[0].set()
        list(write.finish_bundle())
        write.teardown()
        assert sink.stored.offsets() == [0, 1]

    def test_they_settle_in_order_whichever_is_ready_first(self) -> None:
        write, gates, sink = self.write_of("in-order", b"1", b"2", b"3")
        gates.open[1].set()
        gates.open[2].set()
        assert gates.entered[2].wait(10)
        assert sink.stored.offsets() == []
        gates.open[0].set()
        list(write.finish_bundle())
        write.teardown()
        assert sink.stored.offsets() == [0, 1, 2]

    def test_nothing_behind_a_failure_settles(self) -> None:
        write, gates, sink = self.write_of("failure", b"1", b"2", b"3")
        gates.faults[1] = [SinkFailed("no")] * 2
        gates.open_all()
        with pytest.raises(SinkFailed, match="no"):
            list(write.finish_bundle())
        assert sink.stored.offsets() == [0]
        write.start_bundle()  # the batches come again
        for start in (1, 2):
            list(write.process(batch_of(b"%d" % start, start=start), 0, None))
        list(write.finish_bundle())
        write.teardown()
        assert sink.stored.offsets() == [0, 1, 2]

    def test_those_behind_an_outage_come_after_it(self) -> None:
        write, gates, sink = self.write_of("outage", b"1", b"2", b"3")
        assert all(gates.entered[start].wait(10) for start in range(3))
        gates.faults[0] = [SinkUnavailable("away")] * 3
        gates.open_all()
        assert [each.value.span.start for each in write.finish_bundle()] == [0, 1, 2]
        write.teardown()
        assert sink.stored.offsets() == [0, 1, 2]

    def test_a_refusal_counts_only_of_one_that_was_alone(self) -> None:
        write, gates, sink = self.write_of("refusal", b"1", b"2", b"3")
        assert all(gates.entered[start].wait(10) for start in range(3))
        gates.faults[1] = [SinkFailed("because of the others")]
        gates.open_all()
        assert [each.value.span.start for each in write.finish_bundle()] == [0, 1, 2]
        write.teardown()
        assert sink.stored.offsets() == [0, 1, 2]

    def test_records_are_set_aside_only_when_nothing_else_is_in_flight(self) -> None:
        write, gates, sink = self.write_of("isolated", b"1", b"2", b"3")
        assert all(gates.entered[start].wait(10) for start in range(3))
        gates.faults[1] = [Contention("deadlock")] * FAST.contention_tries
        gates.open_all()
        assert [each.value.span.start for each in write.finish_bundle()] == [0, 1, 2]
        write.teardown()
        tries = [isolate for start, isolate in gates.isolated if start == 1]
        assert tries[-1] is True
        assert sink.stored.isolated == [False, True, False]

    def test_a_bundle_that_fails_elsewhere_settles_nothing_more(self) -> None:
        write, gates, sink = self.write_of("elsewhere", b"1", b"2")
        assert all(gates.entered[start].wait(10) for start in range(2))
        gates.open[1].set()
        failed = write._line
        next_bundle = threading.Thread(target=write.start_bundle)
        next_bundle.start()
        wait_until(lambda: failed.failed, "the commits under way are told")
        gates.open[0].set()
        next_bundle.join()
        assert sink.stored.offsets() == []
        list(write.process(batch_of(b"1", start=0), 0, None))
        list(write.finish_bundle())
        write.teardown()
        assert sink.stored.offsets() == [0]

    def test_jobs_behind_which_no_others_are_due_do_not_wait_for_what_is_read_next(self) -> None:
        write, gates, sink = self.write_of("jobs", b"0", commit_records=100)
        until_begun(write)
        for start in (1, 2):
            attempt = Attempt(start, 2, 10, "run")
            claim = Claim(str(start), {(start, None, ()): attempt}, "p", last=start == 2)
            jobs = replace(batch_of(b"%d" % start, start=start), claim=claim)
            list(write.process(jobs, 0, None))
        assert gates.entered[1].wait(10)
        list(write.process(batch_of(b"3", start=3), 0, None))
        gates.open_all()
        list(write.finish_bundle())
        write.teardown()
        assert [len(commit) for commit in sink.stored.commits] == [1, 2, 1]

    def test_what_waits_is_gathered_while_something_is_under_way_until_it_is_enough(self) -> None:
        GATES["gathered"] = Gates()
        sink = Gated.fresh("gathered", side_by_side=3)
        write = WriteFn(sink, replace(FAST, commit_records=8))
        write.setup()
        write.start_bundle()
        for start in range(6):
            until_begun(write)
            list(write.process(batch_of(b"%d" % start, start=start), 0, None))
        GATES["gathered"].open_all()
        list(write.finish_bundle())
        write.teardown()
        assert [len(commit) for commit in sink.stored.commits] == [1, 4, 1]
