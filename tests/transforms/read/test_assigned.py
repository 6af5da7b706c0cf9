"""Splits that another process assigns: each is read once, in order, also across bundles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from tests.fakes import ListSource, NoLedger
from transforms.batch.record import RecordBatch
from transforms.batch.splits import Split
from transforms.per_process import PerProcess
from transforms.read import assigned, drain
from transforms.read.read import ReadSplits
from transforms.read.readers import READERS
from transforms.read.reading import Pacing
from transforms.read.restriction import Remaining, SplitTracker

SOURCE = ListSource("assigned", partitions=5)


class Asked:
    """Assigns splits, and remembers how often it was asked."""

    def __init__(self, splits: list[Split]) -> None:
        self.splits = splits
        self.times = 0

    def __call__(self) -> Split | None:
        self.times += 1
        return self.splits.pop(0) if self.splits else None


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(assigned, "_assigned", PerProcess(lambda _: assigned._Assigned()))
    drain.reset()
    yield
    READERS.close()
    drain.reset()


def origins(batch: RecordBatch) -> list[tuple[str, int]]:
    return [(batch.span.source, offset) for offset in batch.offsets]


def origins_of(*splits: Split) -> list[tuple[str, int]]:
    return [(split.name, offset) for split in splits for offset in range(10)]


def splits_of(source: ListSource) -> list[Split]:
    return list(source.splits(NoLedger()))


def test_every_assigned_split_is_read_once_and_no_other() -> None:
    splits = splits_of(SOURCE)
    asked = Asked([splits[3], splits[1]])
    assigned.ask_with(asked)
    with TestPipeline(runner=FnApiRunner()) as pipeline:
        batches = pipeline | ReadSplits([SOURCE], NoLedger(), planned_elsewhere=[SOURCE.uri])
        read = batches | beam.FlatMap(origins)
        assert_that(read, equal_to(origins_of(splits[3], splits[1])))
    assert asked.times == 3, "until it is told that there is no more"


def test_sources_that_are_planned_here_are_read_as_well() -> None:
    own = ListSource("own")
    first = splits_of(SOURCE)[0]
    assigned.ask_with(Asked([first]))
    with TestPipeline(runner=FnApiRunner()) as pipeline:
        batches = pipeline | ReadSplits([SOURCE, own], NoLedger(), planned_elsewhere=[SOURCE.uri])
        read = batches | beam.FlatMap(origins)
        assert_that(read, equal_to(origins_of(first, *splits_of(own))))


_noted: list[str] = []


def note(batch: RecordBatch) -> None:
    _noted.append(batch.span.source)


@pytest.mark.parametrize("own_first", [True, False])
def test_assigned_splits_are_read_in_the_place_of_the_first_source_that_they_are_of(
    own_first: bool,
) -> None:
    own, others = ListSource("own"), [SOURCE, ListSource("elsewhere")]
    assigned.ask_with(Asked(splits_of(SOURCE)[:1]))
    elsewhere = [source.uri for source in others]
    sources = [own, *others] if own_first else [*others, own]
    _noted.clear()
    with TestPipeline(runner=FnApiRunner()) as pipeline:
        read = ReadSplits(sources, NoLedger(), planned_elsewhere=elsewhere)
        pipeline | read | beam.Map(note)
    assert list(dict.fromkeys(name.startswith(own.uri) for name in _noted)) == [
        own_first,
        not own_first,
    ]


def test_a_bundle_may_end_within_a_split() -> None:
    splits = splits_of(SOURCE)[:2]
    assigned.ask_with(Asked(list(splits)))
    pacing = Pacing(bundle_seconds=0.0)  # a bundle for every poll
    with TestPipeline(runner=FnApiRunner()) as pipeline:
        reading = ReadSplits([SOURCE], NoLedger(), pacing, planned_elsewhere=[SOURCE.uri])
        read = pipeline | reading | beam.FlatMap(origins)
        assert_that(read, equal_to(origins_of(*splits)))


def test_a_stream_asks_for_all_of_its_splits_first() -> None:
    endless = ListSource("endless", partitions=3, endless=True)
    asked = Asked(splits_of(endless)[:2])
    assigned.ask_with(asked)
    assert list(iter(assigned.next_split, None)) == splits_of(endless)[:2]


class OfAll:
    """The tracker of the element that stands for all splits."""

    def __init__(self) -> None:
        self.inner = SplitTracker(Remaining(), bounded=True)
        self.delays: list[Any] = []

    def try_claim(self, remaining: Remaining) -> bool:
        return self.inner.try_claim(remaining)

    def defer_remainder(self, delay: Any) -> None:
        self.delays.append(delay)


def test_a_split_that_is_suspended_goes_on_where_it_was() -> None:
    first, second, *_ = splits_of(SOURCE)
    asked = Asked([first, second])
    assigned.ask_with(asked)
    positions: list[tuple[str, Any]] = []

    def read_split(split: Split, tracker: Any, watermark: Any) -> Iterator[str]:
        positions.append((split.name, tracker.current_restriction().position))
        if split == first and not tracker.current_restriction().position:
            assert tracker.try_claim(Remaining((("", 4),), backlog=6))
            yield f"{split.name} begins"
            tracker.defer_remainder(1.0)
            return
        assert tracker.try_claim(Remaining((("", 9),), done=True))
        assert not tracker.try_claim(Remaining((("", 9),))), "nothing is left to claim"
        yield f"{split.name} ends"

    before = OfAll()
    assert list(assigned.read(before, None, read_split)) == [f"{first.name} begins"]
    assert before.delays == [1.0]
    assert not before.inner.current_restriction().done
    after = OfAll()
    assert list(assigned.read(after, None, read_split)) == [
        f"{first.name} ends",
        f"{second.name} ends",
    ]
    assert positions == [(first.name, ()), (first.name, (("", 4),)), (second.name, ())]
    assert after.inner.current_restriction().done


def test_a_split_whose_element_is_taken_away_is_not_dropped() -> None:
    split = splits_of(SOURCE)[0]
    assigned.ask_with(Asked([split]))
    of_all = OfAll()
    of_all.inner.try_claim(Remaining(done=True))  # as after a checkpoint of the runner

    def read_split(split: Split, tracker: Any, watermark: Any) -> Iterator[str]:
        assert not tracker.try_claim(Remaining((("", 1),)))
        yield from ()

    assert list(assigned.read(of_all, None, read_split)) == []
    seen: list[Split] = []

    def read_again(split: Split, tracker: Any, watermark: Any) -> Iterator[str]:
        seen.append(split)
        tracker.try_claim(Remaining(done=True))
        yield from ()

    assert list(assigned.read(OfAll(), None, read_again)) == []
    assert seen == [split]


def test_nothing_more_is_asked_for_once_it_is_to_stop() -> None:
    asked = Asked(splits_of(SOURCE))
    assigned.ask_with(asked)
    drain.request()
    of_all = OfAll()
    assert list(assigned.read(of_all, None, lambda *_: iter(()))) == []
    assert asked.times == 0
    assert of_all.inner.current_restriction().done
