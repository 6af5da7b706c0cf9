"""A split with a window, held, drained, rewound and killed: the loop of a reader, without Beam."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from tests.fakes import NoLedger
from tests.io.sources.kafka.fair.topic import NAME, TOPICS, Topic, TopicSource, message, tenants_in
from tests.transforms.read.test_hold import Asked
from tests.transforms.read.test_reading import Generation, Tracker
from transforms.batch.coverage import merge
from transforms.batch.record import RecordBatch
from transforms.read import drain
from transforms.read.control import Controls, State
from transforms.read.hold import Hold
from transforms.read.readers import READERS
from transforms.read.reading import Pacing, Reading
from transforms.read.restriction import Remaining
from transforms.steps import service as services


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    drain.reset()
    services.reset()
    yield
    READERS.close()
    drain.reset()
    TOPICS.clear()


@dataclass
class Run:
    """Reads a topic bundle after bundle.

    Attributes:
        topic: What is read.
        controls: What operators ask.
        after: Called after each batch.
        settled: What was emitted.
    """

    topic: Topic
    controls: Controls | None = None
    after: Callable[[RecordBatch], None] = lambda batch: None
    pacing: Pacing = Pacing(resume_seconds=1.5)  # noqa: RUF009 - frozen
    settled: list[RecordBatch] = field(default_factory=list)

    def bundle(self, remaining: Remaining | None = None) -> Remaining | None:
        """One bundle; returns what is left."""
        TOPICS["t"] = self.topic
        source = TopicSource("t", endless=self.topic.endless)
        split = next(iter(source.splits(NoLedger())))
        tracker = Tracker(remaining or Remaining())
        hold = Hold(self.controls, source.uri, streaming=self.topic.endless)
        reading = Reading(source, split, NoLedger(), tracker, Watermark(), self.pacing, hold)
        for batch in reading.batches():
            self.settled.append(batch)
            self.after(batch)
        tracker.inner.check_done()
        return tracker.residual

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        return merge((batch.span.start, batch.span.end) for batch in self.settled)


class Watermark:
    def current_watermark(self) -> None:
        return None

    def set_watermark(self, timestamp: object) -> None:
        return None


def topic_of(tenants: str, *, endless: bool = True) -> Topic:
    topic = Topic(endless=endless)
    topic.append(tenants)
    return topic


def at(remaining: Remaining | None) -> int:
    assert remaining is not None
    return dict(remaining.position).get(NAME, 0)


@pytest.mark.parametrize("state", ["paused", "draining"])
def test_a_hold_keeps_the_window_and_serves_the_client(state: State) -> None:
    asked = Asked()
    run = Run(topic_of("a" * 100 + "b"), asked)
    left = run.bundle()
    assert at(left) == 9
    asked.states["memory://t"] = state
    for _ in range(3):
        left = run.bundle(left)
    assert tenants_in(run.settled) == "a" * 9 + "b"
    reader = run.topic.readers[0]
    assert reader.attended == 3
    assert not reader.closed
    asked.states.clear()
    for _ in range(9):
        left = run.bundle(left)
    assert at(left) == 99
    assert len(run.topic.readers) == 1, "the window was kept"


def test_a_process_that_is_asked_to_stop_leaves_the_window_to_the_ledger() -> None:
    run = Run(topic_of("a" * 100 + "b", endless=False), after=lambda batch: drain.request())
    run.bundle()
    assert run.topic.readers[0].closed
    assert run.ranges[0][0] == 0
    drain.reset()
    again = Run(run.topic)
    left = again.bundle(Remaining(((NAME, run.ranges[0][1]),)))
    while left is not None:
        left = again.bundle(left)
    assert merge((*run.ranges, *again.ranges)) == ((0, 101),)


def test_after_a_rewind_the_window_is_dropped() -> None:
    generation = Generation()
    run = Run(topic_of("a" * 100 + "b"), generation)
    left = run.bundle()
    generation.generation = 1
    run.settled.clear()
    left = run.bundle(left)
    assert [reader.closed for reader in run.topic.readers] == [True, False]
    assert run.settled[1].raws[0] == message("a", 0), "it begins where the ledger says"
    assert left is not None
    assert left.generation == 1


def test_a_process_that_is_killed_again_and_again_loses_nothing() -> None:
    run = Run(topic_of("aaaab" * 40, endless=False))
    left = run.bundle()
    while left is not None:
        READERS.close()  # the process and its window are gone
        before = at(left)
        left = run.bundle(left)
        assert left is None or at(left) > before
    assert run.ranges == ((0, 200),)
    assert len(run.topic.readers) > 10
