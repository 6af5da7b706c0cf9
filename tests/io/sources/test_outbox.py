"""The reader of the outbox: when it rests, waits for another process, and ends."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

import pytest

from sources.outbox import OutboxReader, OutboxSource
from tests.fakes import NoLedger, batch_of
from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits, Polled, Split
from transforms.errors import Contention, SinkUnavailable
from transforms.read import drain

Look = tuple[Sequence[int], bool]


class Queue:
    """A table of numbers, in memory; ``published`` is what a sink would mark."""

    name = "events"

    def __init__(self, *rows: int, held: Sequence[bool] = (True,), lease: float = 60.0) -> None:
        self.rows = list(rows)
        self.published: set[int] = set()
        self.held = list(held)
        self.lease_seconds = lease
        self.holds = 0
        self.released: list[tuple[int, int]] = []
        self.maintained = 0
        self.errors: list[Exception] = []
        self.limit = 2

    def check(self) -> None:
        return None

    def hold(self, number: int, count: int) -> bool:
        self.holds += 1
        return self.held.pop(0) if len(self.held) > 1 else self.held[0]

    def release(self, number: int, count: int) -> None:
        self.released.append((number, count))

    def read(
        self, number: int, count: int, limits: BatchLimits, taken: Collection[int]
    ) -> tuple[RecordBatch | None, set[int]]:
        if self.errors:
            raise self.errors.pop(0)
        unpublished = [row for row in sorted(self.rows) if row not in self.published]
        fresh = [row for row in unpublished if row not in taken][: self.limit]
        batch = batch_of(*(b"%d" % row for row in fresh)) if fresh else None
        if batch is not None:
            object.__setattr__(batch, "offsets", fresh)
        return batch, set(unpublished).intersection(taken)

    def maintain(self) -> None:
        self.maintained += 1


def reader(queue: Queue, *, streaming: bool = False, budget: float = 300.0) -> OutboxReader:
    source = OutboxSource(queue, 4, streaming, outage_budget=budget)
    return source.open(Split(source.uri, "3/4"), (), NoLedger())


def numbers(polled: Polled) -> list[int]:
    return [offset for batch in polled.batches for offset in batch.offsets]


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return False

    monkeypatch.setattr(drain, "wait", wait)
    return waits


def test_there_are_as_many_splits_as_asked_for() -> None:
    source = OutboxSource(Queue(), 3)
    assert [split.name for split in source.splits(NoLedger())] == ["0/3", "1/3", "2/3"]
    assert source.uri == "outbox://events"


def test_a_split_of_a_savepoint_keeps_its_part_however_many_are_asked_for_now() -> None:
    queue = Queue()
    source = OutboxSource(queue, 4)
    assert source.open(Split(source.uri, "1/2"), (), NoLedger()).poll(0).done
    assert queue.released == [(1, 2)]


class TestReading:
    def test_what_was_read_is_not_read_again_in_the_bundle(self) -> None:
        one = reader(Queue(1, 2, 3))
        assert [numbers(one.poll(0)) for _ in range(2)] == [[1, 2], [3]]

    def test_a_lower_number_that_comes_late_is_read_before_higher_ones(self) -> None:
        queue = Queue(5, 6)
        one = reader(queue)
        assert numbers(one.poll(0)) == [5, 6]
        queue.rows += [2, 9]
        assert numbers(one.poll(0)) == [2, 9]

    def test_the_bundle_ends_when_all_is_on_its_way(self) -> None:
        queue = Queue(1)
        one = reader(queue)
        one.poll(0)
        polled = one.poll(0)
        assert (polled.rest, polled.done) == (True, False)

    def test_what_the_bundle_did_not_publish_is_read_again_by_the_next(self) -> None:
        queue = Queue(1, 2)
        one = reader(queue)
        one.poll(0)
        assert one.poll(0).rest
        queue.published = {1}
        assert numbers(one.poll(0)) == [2]

    def test_every_position_is_another(self) -> None:
        one = reader(Queue(1, 2, 3))
        assert [one.poll(0).position for _ in range(2)] == [(("", 2),), (("", 3),)]


class TestTheEnd:
    def test_a_bounded_split_ends_once_nothing_is_left(self) -> None:
        queue = Queue(1)
        one = reader(queue)
        one.poll(0)
        queue.published = {1}
        assert one.poll(0).done
        assert queue.released == [(3, 4)]

    def test_a_streaming_split_waits_longer_and_longer(self, no_waits: list[float]) -> None:
        one = reader(Queue(), streaming=True)
        polled = [one.poll(0) for _ in range(20)]
        assert all(each.rest and not each.done for each in polled)
        assert 0.025 <= no_waits[0] <= 0.05
        assert all(0.25 <= wait <= 0.5 for wait in no_waits[4:])

    def test_the_wait_is_short_again_after_a_change(self, no_waits: list[float]) -> None:
        queue = Queue()
        one = reader(queue, streaming=True)
        for _ in range(10):
            one.poll(0)
        queue.rows = [1]
        assert numbers(one.poll(0)) == [1]
        queue.published = {1}
        one.poll(0)
        assert no_waits[-1] <= 0.05


class TestAnotherPublisher:
    def test_nothing_is_read_while_it_has_the_split(self) -> None:
        one = reader(Queue(1, held=(False, False, True)))
        assert [numbers(one.poll(0)) for _ in range(3)] == [[], [], [1]]

    def test_a_bounded_split_ends_with_a_warning_after_a_lease(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        one = reader(Queue(1, held=(False,), lease=0.0))
        with caplog.at_level(logging.WARNING):
            assert one.poll(0).done
        assert "part 4 of 4 of outbox://events is being published by another" in caplog.text

    def test_a_bounded_split_waits_that_long(self) -> None:
        one = reader(Queue(1, held=(False,), lease=60.0))
        assert not any(one.poll(0).done for _ in range(50))

    def test_a_streaming_split_stands_by_forever(self) -> None:
        one = reader(Queue(1, held=(False,), lease=0.0), streaming=True)
        assert not any(one.poll(0).done for _ in range(50))

    def test_the_lease_is_looked_at_again_now_and_then_only(self) -> None:
        queue = Queue(*range(100))
        one = reader(queue)
        for _ in range(50):
            one.poll(0)
        assert queue.holds == 1
        often = reader(Queue(*range(100), held=(True, False), lease=0.0), streaming=True)
        assert numbers(often.poll(0)) == [0, 1]
        assert numbers(often.poll(0)) == []


class TestOutage:
    @pytest.mark.parametrize("error", [SinkUnavailable("away"), Contention("again")])
    def test_it_waits_and_goes_on(self, error: Exception, no_waits: list[float]) -> None:
        queue = Queue(1)
        queue.errors = [error]
        one = reader(queue)
        assert one.poll(0).rest
        assert len(no_waits) == 1
        assert numbers(one.poll(0)) == [1]

    def test_it_raises_once_the_budget_is_used_up(self) -> None:
        queue = Queue(1)
        queue.errors = [SinkUnavailable("away")]
        with pytest.raises(SinkUnavailable, match=r"^away \(waited 0 s\)$"):
            reader(queue, budget=0).poll(0)
