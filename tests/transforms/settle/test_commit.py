from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.fakes import STORED, ListSink, batch_of, committed_alone
from transforms.batch.backoff import Backoff, services_away
from transforms.batch.counts import Counts
from transforms.batch.record import RecordBatch
from transforms.errors import CommitUnknown, Contention, SinkFailed, SinkUnavailable
from transforms.metrics import MetricName
from transforms.settle.bounds import Bounds, TableBounds
from transforms.settle.commit import WriteConfig, commit
from transforms.settle.flight import Aside, Flights, Footprint, Line
from transforms.settle.sink import Settled

FAST = WriteConfig(backoff=Backoff(base=0.001, cap=0.002), outage_budget=10, contention_tries=2)


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

    def commit(
        self,
        batches: Sequence[RecordBatch],
        *,
        isolate: bool = False,
        turn: Callable[[], None] | None = None,
    ) -> list[Settled]:
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
        committed_alone(sink, [batch_of(b"1")], FAST)
        begin, end = caplog.messages
        assert begin.startswith("cannot reach it; waiting for it, for another 10 s at most")
        assert end.startswith("database answers again after ")
        assert services_away() == {}

    def test_an_outage_is_waited_for(self) -> None:
        sink = ListSink.fresh("outage", *[SinkUnavailable("down")] * 5)
        settled, waited = committed_alone(sink, self.BATCHES, FAST)
        assert [each.counts.inserted for each in settled] == [1]
        assert 5 * 0.0005 <= waited <= 5 * 0.002

    def test_a_commit_whose_answer_was_lost_counts_once_it_is_found(self) -> None:
        lost = CommitUnknown("cut while committing")
        lost.settled = [Settled(self.BATCHES[0].span, Counts(read=1, inserted=1))]
        sink = FoundSettled.fresh("lost", lost)
        settled, _ = committed_alone(sink, self.BATCHES, FAST)
        assert settled == lost.settled
        sink = FoundSettled.fresh("lost", SinkUnavailable("before the commit"))
        settled, _ = committed_alone(sink, self.BATCHES, FAST)
        assert (settled[0].counts.inserted, settled[0].trimmed) == (0, 1)

    def test_a_commit_that_did_not_go_through_is_made(self) -> None:
        lost = CommitUnknown("cut while committing")
        lost.settled = [Settled(self.BATCHES[0].span, Counts(read=1, duplicates=1))]
        settled, _ = committed_alone(ListSink.fresh("not-lost", lost), self.BATCHES, FAST)
        assert (settled[0].counts.inserted, settled[0].counts.duplicates) == (1, 0)

    def test_an_outage_longer_than_the_budget_fails(self) -> None:
        sink = ListSink.fresh("long-outage", *[SinkUnavailable("down")] * 5)
        config = WriteConfig(backoff=Backoff(0.001, 0.002), outage_budget=0)
        with pytest.raises(SinkUnavailable, match=r"^down \(waited 0 s\)$"):
            committed_alone(sink, self.BATCHES, config)
        assert len(STORED["long-outage"].faults) == 4, "no try after the budget"

    def test_contention_is_tried_again_so_many_times(self) -> None:
        sink = ListSink.fresh("contention", *[Contention("deadlock")] * 2)
        settled, _ = committed_alone(sink, self.BATCHES, FAST)
        assert [each.counts.inserted for each in settled] == [1]
        sink = ListSink.fresh("contention", *[Contention("deadlock")] * 3)
        with pytest.raises(Contention):
            committed_alone(sink, self.BATCHES, FAST)

    def test_only_the_last_try_sets_records_aside(self) -> None:
        sink = ListSink.fresh("isolate", *[Contention("deadlock")] * 2)
        committed_alone(sink, self.BATCHES, FAST)
        assert sink.stored.isolated == [False, False, True]

    def test_a_refusal_is_not_tried_again(self) -> None:
        sink = ListSink.fresh("refusal", SinkFailed("no"), SinkFailed("again"))
        with pytest.raises(SinkFailed, match="no"):
            committed_alone(sink, self.BATCHES, FAST)
        assert len(STORED["refusal"].faults) == 1

    def test_what_is_to_be_done_aside_is_done_alone_and_counted(self) -> None:
        flights = Flights(2)
        ahead = flights.enter(Line(), Footprint())
        flight = flights.enter(Line(), Footprint())
        company: list[bool] = []

        def work() -> dict[MetricName, int]:
            company.append(ahead.running)
            return {"columns_added": 3}

        sink = ListSink.fresh("aside", Aside(work))
        ahead.start()
        with ThreadPoolExecutor(1) as pool:
            result = pool.submit(commit, sink, self.BATCHES, FAST, flight)
            while not flight.alone:
                time.sleep(0.001)
            assert company == [], "it waits for the commit in flight"
            ahead.leave(settled=True)
            settled, _ = result.result(60)
        assert [each.counts.inserted for each in settled] == [1]
        assert (company, dict(flight.counted)) == ([False], {"columns_added": 3})

    def test_what_is_to_be_done_aside_waits_for_a_database_that_is_away(self) -> None:
        faults = [SinkUnavailable("down")] * 3

        def work() -> dict[MetricName, int]:
            if faults:
                raise faults.pop()
            return {}

        sink = ListSink.fresh("aside-away", Aside(work))
        settled, waited = committed_alone(sink, self.BATCHES, FAST)
        assert [each.counts.inserted for each in settled] == [1]
        assert (waited > 0, faults) == (True, [])
