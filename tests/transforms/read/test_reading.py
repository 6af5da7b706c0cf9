"""The loop of a reader, with steps that cannot take everything: Beam's part is played by the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests import fakes
from tests.fakes import ListSource, NoLedger
from transforms.batch.backoff import Backoff, forget_outages
from transforms.batch.record import RecordBatch
from transforms.read import drain
from transforms.read.control import Control
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

    def run(self, most: int = 100, *, meanwhile: Callable[[Tracker], None] | None = None) -> None:
        split = next(iter(self.source.splits(NoLedger())))
        remaining: Remaining | None = Remaining()
        for _ in range(most):
            if remaining is None:
                return
            tracker = Tracker(remaining)
            reading = Reading(self.source, split, NoLedger(), tracker, None, self.pacing)
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
            remaining = tracker.residual
            if remaining is not None:
                self.positions.append(dict(remaining.position).get("", 0))
                self.delays.append(tracker.delay)
        assert remaining is None, "the split never ends"


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
    reading = Reading(source, split, NoLedger(), tracker, None, pacing or Pacing(), controls)
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
    reading = Reading(source, split, NoLedger(), tracker, None, Pacing(), asked)
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
    for batch in Reading(source, split, NoLedger(), tracker, None, pacing, Generation()).batches():
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
    for _ in Reading(source, split, NoLedger(), tracker, None, Pacing(), asked).batches():
        residual = tracker.inner.try_split(0)
        assert residual is not None
        taken.append(residual[1])
        asked.generation = 1
    assert taken == [Remaining((("", 3),), 3)]
    spans, _ = read(source, taken[0], asked)
    assert spans == [(0, 3), (3, 6)]
