"""The loop of a reader, with steps that cannot take everything: Beam's part is played by the test."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests import fakes
from tests.fakes import ListReader, ListSource, NoLedger
from tests.transforms.read.test_hold import Asked
from transforms import metrics
from transforms.batch.backoff import Backoff, forget_outages
from transforms.batch.coverage import Ledger
from transforms.batch.record import RecordBatch
from transforms.batch.splits import Polled, Position, Split
from transforms.read import drain
from transforms.read.control import Control, State
from transforms.read.hold import LOOK_SECONDS, Hold
from transforms.read.readers import READERS
from transforms.read.reading import Pacing, Reading
from transforms.read.restriction import Remaining, RemainingCoder, SplitTracker
from transforms.steps import passage as passages
from transforms.steps import service as services
from transforms.steps.service import Service, Waits


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    fakes.OPENED.clear()
    fakes.CLOSED.clear()
    drain.reset()
    services.reset()
    forget_outages()
    yield
    READERS.close()
    drain.reset()
    services.reset()
    forget_outages()


@dataclass(frozen=True)
class Step:
    def service(self) -> Service:
        return Service("Call", Waits(Backoff(0.01, 0.01)))


@dataclass(frozen=True)
class SlowToReturn:
    def service(self) -> Service:
        return Service("Call", Waits(Backoff(60.0, 60.0)))


class Tracker:
    """What a splittable DoFn sees of its restriction, and the residual that is left in the end."""

    def __init__(self, remaining: Remaining) -> None:
        self.inner = SplitTracker(remaining, bounded=False)
        self.residual: Remaining | None = None
        self.delay: float | None = None

    def current_restriction(self) -> Remaining:
        return self.inner.current_restriction()

    def try_claim(self, remaining: Remaining) -> bool:
        return self.inner.try_claim(remaining)

    def defer_remainder(self, delay: Any) -> None:
        self.delay = float(delay.micros) / 1e6
        split = self.inner.try_split(0)
        self.residual = None if split is None else split[1]


@dataclass
class Bundles:
    """Reads a split bundle after bundle, through a step that may give back."""

    step: Callable[[RecordBatch], int | None]
    source: ListSource
    pacing: Pacing = Pacing(bundle_seconds=0.0)  # noqa: RUF009 - frozen
    emitted: list[tuple[int, int]] = field(default_factory=list)
    positions: list[Any] = field(default_factory=list)
    delays: list[float | None] = field(default_factory=list)
    hold: Hold | None = None

    def run(self, most: int = 100, *, meanwhile: Callable[[Tracker], None] | None = None) -> None:
        remaining: Remaining | None = Remaining()
        for _ in range(most):
            if remaining is None:
                return
            remaining = self._bundle(remaining, meanwhile)
        assert remaining is None, "the split never ends"

    def once(
        self, remaining: Remaining, *, meanwhile: Callable[[Tracker], None] | None = None
    ) -> Remaining:
        """One bundle; returns what is left, or what was left to it where that is nothing."""
        return self._bundle(remaining, meanwhile) or remaining

    def _bundle(
        self, remaining: Remaining, meanwhile: Callable[[Tracker], None] | None
    ) -> Remaining | None:
        split = next(iter(self.source.splits(NoLedger())))
        tracker = Tracker(remaining)
        reading = Reading(self.source, split, NoLedger(), tracker, None, self.pacing, self.hold)
        for batch in reading.batches():
            if meanwhile is not None:
                meanwhile(tracker)
            back_from = self.step(batch)
            if back_from is not None:
                passage = passages.current(batch)
                assert passage is not None
                passage.give_back(back_from)
            end = batch.span.end if back_from is None else back_from
            if end > batch.span.start:
                self.emitted.append((batch.span.start, end))
        tracker.inner.check_done()
        if tracker.residual is not None:
            self.positions.append(dict(tracker.residual.position).get("", 0))
            self.delays.append(tracker.delay)
        return tracker.residual


def test_the_rest_of_a_poll_goes_on_in_the_next_bundle_and_is_polled_once() -> None:
    bundles = Bundles(lambda batch: batch.span.start + 2, ListSource("a", records=6, batch=6))
    services.of(Step()).took(1_000, 0.1)
    bundles.run()
    assert bundles.emitted == [(0, 2), (2, 4), (4, 6)]
    assert len(fakes.OPENED) == 1
    # A restriction says where the poll began: nobody else has the rest of it.
    assert bundles.positions == [0, 0]


def test_without_steps_nothing_is_cut_and_with_a_bound_everything() -> None:
    bundles = Bundles(lambda batch: None, ListSource("a", records=6, batch=6))
    bundles.run()
    assert bundles.emitted == [(0, 6)]
    bundles = Bundles(
        lambda batch: None, ListSource("a", records=6, batch=6), Pacing(most_records=4)
    )
    bundles.run()
    assert bundles.emitted == [(0, 4), (4, 6)]


def test_the_first_batch_of_a_step_is_small() -> None:
    services.of(Step())
    bundles = Bundles(lambda batch: None, ListSource("a", records=100, batch=100), Pacing())
    bundles.run()
    assert bundles.emitted[0] == (0, services.PROBE)


def test_whoever_reads_a_poll_again_elsewhere_begins_where_it_began() -> None:
    bundles = Bundles(lambda batch: batch.span.start + 2, ListSource("a", records=6, batch=3))
    split = next(iter(bundles.source.splits(NoLedger())))
    tracker = Tracker(Remaining())
    reading = Reading(bundles.source, split, NoLedger(), tracker, None, bundles.pacing)
    for batch in reading.batches():
        passage = passages.current(batch)
        assert passage is not None
        passage.give_back(2)
    READERS.close()  # the process has ended
    bundles.step = lambda batch: None
    bundles.run()
    assert tracker.residual is not None
    assert dict(tracker.residual.position).get("", 0) == 0
    assert bundles.emitted == [(0, 3), (3, 6)]


def test_a_split_that_the_runner_has_taken_emits_here_what_it_claimed() -> None:
    taken: list[Remaining] = []

    def checkpoint(tracker: Tracker) -> None:
        if not taken:
            split = tracker.inner.try_split(0)
            assert split is not None
            taken.append(split[1])

    bundles = Bundles(lambda batch: batch.span.start + 1, ListSource("a", records=6, batch=3))
    bundles.run(meanwhile=checkpoint)
    assert bundles.emitted == [(0, 1), (1, 2), (2, 3)]
    assert dict(taken[0].position)[""] == 3


def test_while_the_service_is_away_the_runner_is_asked_to_wait() -> None:
    service = services.of(Step())
    calls: list[int] = []

    def away_at_first(batch: RecordBatch) -> int | None:
        calls.append(len(batch.raws))
        if len(calls) == 1:
            service.away("refused")
            return batch.span.start
        service.answered()
        return None

    pacing = Pacing(bundle_seconds=0.0, resume_seconds=1.5)
    bundles = Bundles(away_at_first, ListSource("a", records=6, batch=6), pacing)
    bundles.run(most=10_000)
    assert bundles.delays[0] is not None
    assert bundles.delays[0] >= 1.5
    assert calls[1] == 1, "it is tried with one record"
    assert bundles.emitted[-1][1] == 6


def test_where_the_runner_does_not_wait_the_reader_does_once_all_is_settled() -> None:
    service = services.of(Step())
    tries: list[int] = []

    def away_at_first(batch: RecordBatch) -> int | None:
        tries.append(batch.span.start)
        if len(tries) < 3:
            service.away("refused")
            return batch.span.start
        service.answered()
        return None

    bundles = Bundles(away_at_first, ListSource("a", records=6, batch=6), Pacing())
    bundles.run()
    assert tries[:3] == [0, 0, 0]
    assert len(bundles.positions) <= 2, "no bundle for each look"
    assert bundles.emitted[-1][1] == 6


def test_nothing_is_polled_while_the_service_is_away() -> None:
    service = services.of(SlowToReturn())
    service.away("refused")
    split = next(iter(ListSource("a").splits(NoLedger())))
    tracker = Tracker(Remaining())
    pacing = Pacing(resume_seconds=1.5)
    reading = Reading(ListSource("a"), split, NoLedger(), tracker, None, pacing)
    assert list(reading.batches()) == []
    assert fakes.OPENED == []
    assert tracker.residual == Remaining()


def test_a_drain_leaves_the_rest_of_a_poll_unread() -> None:
    def drained(batch: RecordBatch) -> int | None:
        drain.request()
        return batch.span.start + 2

    bundles = Bundles(drained, ListSource("a", records=6, batch=6))
    bundles.run()
    assert bundles.emitted == [(0, 2)]
    assert fakes.CLOSED == ["memory://a/0"]


class TestHeld:
    """An operator holds the split."""

    def bundles(
        self, asked: Asked, pacing: Pacing, step: Callable[[RecordBatch], int | None]
    ) -> Bundles:
        source = ListSource("a", records=6, batch=6, endless=True)
        return Bundles(step, source, pacing, hold=Hold(asked, source.uri))

    def pausing(self, asked: Asked, state: State, at: int) -> Callable[[RecordBatch], int | None]:
        """A step after whose batch at offset ``at`` the split is held."""

        def step(batch: RecordBatch) -> int | None:
            if batch.span.start == at:
                asked.states["memory://a"] = state
            return None

        return step

    def test_nothing_is_opened_and_the_runner_is_asked_to_wait(self) -> None:
        asked = Asked({"memory://a": "paused"})
        bundles = self.bundles(asked, Pacing(resume_seconds=1.5), lambda batch: None)
        remaining = bundles.once(Remaining())
        assert remaining == Remaining()
        assert bundles.delays == [2.0]
        assert fakes.OPENED == []

    def test_where_the_runner_does_not_wait_the_reader_does_and_ends_the_bundle(self) -> None:
        asked = Asked({"memory://a": "paused"})
        bundles = self.bundles(asked, Pacing(), lambda batch: None)
        before = time.monotonic()
        assert bundles.once(Remaining()) == Remaining()
        assert time.monotonic() - before >= 0.9 * LOOK_SECONDS, "it does not spin"
        assert bundles.delays == [0.0]

    def test_the_rest_of_a_poll_waits_and_goes_on_after_the_resume(self) -> None:
        asked = Asked()
        step = self.pausing(asked, "paused", at=2)
        pacing = Pacing(resume_seconds=1.5, most_records=2)
        bundles = self.bundles(asked, pacing, step)
        remaining = bundles.once(Remaining())
        assert bundles.emitted == [(0, 2), (2, 4)]
        assert remaining == Remaining(backlog=remaining.backlog), "where the poll began"
        again = bundles.once(remaining)
        assert again.position == remaining.position
        assert bundles.emitted == [(0, 2), (2, 4)]
        asked.states.clear()
        drain_after(bundles, 6)
        bundles.once(again)
        assert bundles.emitted == [(0, 2), (2, 4), (4, 6)]
        assert len(fakes.OPENED) == 1, "the reader was kept"

    def test_a_drain_settles_what_was_polled(self) -> None:
        asked = Asked()
        step = self.pausing(asked, "draining", at=2)
        bundles = self.bundles(asked, Pacing(resume_seconds=1.5, most_records=2), step)
        remaining = bundles.once(Remaining())
        assert bundles.emitted == [(0, 2), (2, 4), (4, 6)]
        assert dict(remaining.position)[""] == 6

    def test_a_split_that_ends_is_done_and_the_rest_is_left_to_the_ledger(self) -> None:
        asked = Asked()
        metrics.reset()
        source = ListSource("a", records=6, batch=3)
        hold = Hold(asked, source.uri, streaming=False)
        bundles = Bundles(self.pausing(asked, "paused", at=0), source, Pacing(), hold=hold)
        bundles.run(most=1)
        assert bundles.emitted == [(0, 3)]
        assert metrics.tally()["splits_held"] == 1
        assert fakes.CLOSED == ["memory://a/0"]

    def test_what_the_runner_has_taken_beyond_is_emitted_although_it_is_held(self) -> None:
        asked = Asked()
        taken: list[Remaining] = []

        def checkpoint(tracker: Tracker) -> None:
            if not taken:
                split = tracker.inner.try_split(0)
                assert split is not None
                taken.append(split[1])

        step = self.pausing(asked, "paused", at=0)
        pacing = Pacing(resume_seconds=1.5, most_records=2)
        bundles = self.bundles(asked, pacing, step)
        bundles.once(Remaining(), meanwhile=checkpoint)
        assert bundles.emitted == [(0, 2), (2, 4), (4, 6)]
        assert dict(taken[0].position)[""] == 6

    def test_jobs_that_were_claimed_are_given_back(self) -> None:
        asked = Asked()
        released: list[int] = []
        source = Claiming("a", records=6, batch=6, endless=True)
        source.released = lambda batches: released.extend(b.span.start for b in batches)
        pacing = Pacing(resume_seconds=1.5, most_records=2)
        step = self.pausing(asked, "paused", at=0)
        bundles = Bundles(step, source, pacing, hold=Hold(asked, source.uri))
        bundles.once(Remaining())
        assert bundles.emitted == [(0, 2)]
        assert released == [2]
        assert fakes.CLOSED == ["memory://a/0"], "nobody holds claims while it is paused"

    def test_a_client_that_has_to_be_served_is(self) -> None:
        asked = Asked()
        source = Attending("a", records=6, batch=6, endless=True)
        pacing = Pacing(bundle_seconds=0.0, resume_seconds=1.5)
        bundles = Bundles(lambda batch: None, source, pacing, hold=Hold(asked, source.uri))
        remaining = bundles.once(Remaining())
        asked.states["memory://a"] = "paused"
        for _ in range(3):
            remaining = bundles.once(remaining)
        assert ATTENDED == ["memory://a/0"] * 3

    def test_a_request_to_stop_ends_a_split_that_is_held(self) -> None:
        asked = Asked({"memory://a": "paused"})
        bundles = self.bundles(asked, Pacing(), lambda batch: None)
        drain.request()
        bundles.run(most=1)
        assert bundles.emitted == []


ATTENDED: list[str] = []


class AttendedReader(ListReader):
    def attend(self) -> None:
        ATTENDED.append(self._split.name)


@dataclass(frozen=True)
class Attending(ListSource):
    def open(self, split: Split, position: Position, ledger: Ledger) -> ListReader:
        ATTENDED.clear()
        return AttendedReader(self, split, dict(position).get("", 0))


class ClaimingReader(ListReader):
    release: Callable[[Sequence[RecordBatch]], object]

    def poll(self, timeout: float) -> Polled:
        return replace(super().poll(timeout), release=self.release)


class Claiming(ListSource):
    """A source whose batches are claimed, as jobs are."""

    released: Callable[[Sequence[RecordBatch]], object]

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def open(self, split: Split, position: Position, ledger: Ledger) -> ListReader:
        reader = ClaimingReader(self, split, dict(position).get("", 0))
        reader.release = self.released
        return reader


def drain_after(bundles: Bundles, offset: int) -> None:
    """Have the process asked to stop once the step gets what ends at ``offset``."""

    def step(batch: RecordBatch) -> int | None:
        if batch.span.end == offset:
            drain.request()
        return None

    bundles.step = step


class Generation:
    """The generation that is asked for; the test changes it."""

    def __init__(self, generation: int = 0) -> None:
        self.generation = generation

    def begin(self) -> None:
        return None

    def of(self, source: str) -> Control:
        return Control(generation=self.generation)


def read(
    source: ListSource, remaining: Remaining, controls: Generation, pacing: Pacing | None = None
) -> tuple[list[tuple[int, int]], Tracker]:
    """The spans of one bundle, and the tracker with what is left."""
    split = next(iter(source.splits(NoLedger())))
    tracker = Tracker(remaining)
    reading = Reading(source, split, NoLedger(), tracker, None, pacing or Pacing(), Hold(controls))
    spans = [(batch.span.start, batch.span.end) for batch in reading.batches()]
    tracker.inner.check_done()
    return spans, tracker


def test_a_position_of_before_a_rewind_is_dropped() -> None:
    spans, _ = read(ListSource("a", records=6), Remaining((("", 3),), 3), Generation(1))
    assert spans == [(0, 3), (3, 6)]
    assert fakes.OPENED == [("memory://a/0", ())]


def test_a_savepoint_of_before_generations_is_not_trusted_after_a_rewind() -> None:
    restored = RemainingCoder().decode(b"\x01\x93\x91\x92\xa0\x03\x03\xc2")
    assert restored.position == (("", 3),)
    spans, _ = read(ListSource("a", records=6), restored, Generation(1))
    assert spans == [(0, 3), (3, 6)]


@pytest.mark.parametrize("asked", [0, 1, 2])
def test_a_position_of_the_last_rewind_or_later_is_trusted(asked: int) -> None:
    remaining = Remaining((("", 3),), 3, generation=2)
    spans, _ = read(ListSource("a", records=6), remaining, Generation(asked))
    assert spans == [(3, 6)]


def test_what_is_left_is_of_the_generation_that_was_read() -> None:
    source = ListSource("a", records=6)
    pacing = Pacing(bundle_seconds=0.0)
    spans, tracker = read(source, Remaining((("", 3),), 3, generation=1), Generation(2), pacing)
    assert spans == [(0, 3)]
    assert tracker.residual == Remaining((("", 3),), 3, generation=2)
    spans, _ = read(source, tracker.residual, Generation(2), pacing)
    assert spans == [(3, 6)]
    assert len(fakes.OPENED) == 1, "the reader of the new position is kept"


def test_a_reader_that_was_kept_before_a_rewind_is_closed() -> None:
    source = ListSource("a", records=9)
    pacing = Pacing(bundle_seconds=0.0)
    spans, tracker = read(source, Remaining(), Generation(0), pacing)
    assert spans == [(0, 3)]
    assert tracker.residual is not None
    spans, _ = read(source, tracker.residual, Generation(1), pacing)
    assert spans == [(0, 3)]
    assert fakes.CLOSED == ["memory://a/0"]
    assert [position for _, position in fakes.OPENED] == [(), ()]


def test_a_rewind_is_noticed_within_a_bundle() -> None:
    source, asked = ListSource("a", records=6), Generation()
    split = next(iter(source.splits(NoLedger())))
    tracker = Tracker(Remaining())
    reading = Reading(source, split, NoLedger(), tracker, None, Pacing(), Hold(asked))
    starts = []
    for batch in reading.batches():
        starts.append(batch.span.start)
        if len(starts) == 1:
            asked.generation = 1
    assert starts == [0, 0, 3]


def test_what_was_polled_before_a_rewind_is_not_emitted_after_it() -> None:
    source = ListSource("a", records=6, batch=6)
    services.of(Step()).took(1_000, 0.1)
    split = next(iter(source.splits(NoLedger())))
    tracker = Tracker(Remaining())
    pacing = Pacing(bundle_seconds=0.0)
    for batch in Reading(
        source, split, NoLedger(), tracker, None, pacing, Hold(Generation())
    ).batches():
        passage = passages.current(batch)
        assert passage is not None
        passage.give_back(2)
    assert tracker.residual is not None
    services.reset()
    spans, _ = read(source, tracker.residual, Generation(1))
    assert spans == [(0, 6)], "not what was left of the poll, 2 to 6, first"


def test_where_the_runner_has_taken_the_split_whoever_goes_on_drops_the_position() -> None:
    source, asked = ListSource("a", records=6), Generation()
    split = next(iter(source.splits(NoLedger())))
    tracker = Tracker(Remaining())
    taken: list[Remaining] = []
    for _ in Reading(source, split, NoLedger(), tracker, None, Pacing(), Hold(asked)).batches():
        residual = tracker.inner.try_split(0)
        assert residual is not None
        taken.append(residual[1])
        asked.generation = 1
    assert taken == [Remaining((("", 3),), 3)]
    spans, _ = read(source, taken[0], asked)
    assert spans == [(0, 3), (3, 6)]
