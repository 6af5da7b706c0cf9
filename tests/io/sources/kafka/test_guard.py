"""Fetched messages wait until their topic is certain to be the one that is meant."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Mapping
from typing import Any, cast

from confluent_kafka import Message

from sources.kafka.fetch import Fetched, Fetcher
from sources.kafka.guard import LEASE_SECONDS, Guard
from sources.kafka.partition import Partition
from tests.io.sources.kafka.messages.test_batches import message
from transforms.errors import SourceUnavailable


class Fetching:
    """A fetcher of what a test has queued."""

    def __init__(self) -> None:
        self.queue: deque[Fetched] = deque()
        self.end = 0
        self.assigned: dict[tuple[str, int], int] = {}

    def put(self, *offsets: int, end: int | None = None) -> None:
        messages: list[Any] = [message(offset) for offset in offsets]
        self.queue.append(Fetched(cast("list[Message[bytes, bytes]]", messages)))
        self.end = end if end is not None else offsets[-1] + 1

    def take(self, timeout: float) -> Fetched:
        return self.queue.popleft() if self.queue else Fetched()

    def assign(self, place: tuple[str, int], offset: int) -> None:
        self.assigned[place] = offset

    def high(self, place: tuple[str, int]) -> int:
        return self.end

    def reopen(self) -> None:
        self.assigned.clear()
        self.queue.clear()


class Cluster:
    """Answers with ``ids``; silent until it is ``open``."""

    def __init__(self, topic_id: str = "A") -> None:
        self.ids: dict[str, str] = {"t": topic_id}
        self.open = threading.Event()
        self.open.set()
        self.questions = 0
        self.away = False

    def __call__(self, topics: Collection[str]) -> Mapping[str, str]:
        self.questions += 1
        assert self.open.wait(10)
        if self.away:
            raise SourceUnavailable("no answer")
        return {each: self.ids[each] for each in topics if each in self.ids}


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def guarding(label: str = "1@A", cluster: Cluster | None = None) -> tuple[Any, ...]:
    fetching, cluster, clock = Fetching(), cluster or Cluster(), Clock()
    guard = Guard(cast("Fetcher", fetching), cluster, clock)
    partition = Partition("t", 1, label, next=0)
    guard.assign(partition)
    return guard, fetching, cluster, clock, partition


def offsets(fetched: Fetched) -> list[int | None]:
    return [each.offset() for each in fetched.messages]


def test_messages_are_released_once_the_topic_is_certain_to_be_the_same() -> None:
    guard, fetching, cluster, _, partition = guarding()
    fetching.put(0, 1, end=7)
    assert offsets(guard.take(5.0)) == [0, 1]
    assert cluster.questions == 1
    assert partition.seen == 7


def test_they_wait_for_the_answer() -> None:
    guard, fetching, cluster, *_ = guarding()
    cluster.open.clear()
    fetching.put(0)
    assert offsets(guard.take(0.0)) == []
    cluster.open.set()
    assert offsets(guard.take(5.0)) == [0]


def test_a_topic_created_again_gives_out_nothing_and_its_end_is_not_taken_for_the_old_one() -> None:
    guard, fetching, cluster, clock, partition = guarding()
    fetching.put(0)
    assert offsets(guard.take(5.0)) == [0]
    clock.now += 10
    cluster.ids["t"] = "B"
    fetching.put(1, 2, end=900)
    assert offsets(guard.take(5.0)) == []
    assert guard.doubtful
    assert offsets(guard.take(0.0)) == [], "nothing before the cluster was looked at"
    assert partition.seen == 1
    assert [each.offset() for each in guard.drain()] == [1, 2]
    guard.reopen()
    assert not guard.doubtful
    assert fetching.assigned == {}


def test_a_topic_that_is_gone_gives_out_nothing() -> None:
    guard, fetching, cluster, *_ = guarding()
    cluster.ids.clear()
    fetching.put(0)
    assert offsets(guard.take(5.0)) == []
    assert guard.doubtful


def test_soon_after_an_answer_nothing_is_asked_again() -> None:
    guard, fetching, cluster, clock, _ = guarding()
    fetching.put(0)
    guard.take(5.0)
    clock.now += LEASE_SECONDS / 3
    fetching.put(1)
    assert offsets(guard.take(5.0)) == [1]
    assert cluster.questions == 1


def test_a_look_at_the_cluster_is_an_answer_too() -> None:
    guard, fetching, cluster, clock, _ = guarding()
    guard.confirm(clock.now, {"t": "A"})
    fetching.put(0)
    assert offsets(guard.take(0.0)) == [0]
    assert cluster.questions == 0


def test_order_is_kept_and_no_more_is_held_than_a_few_fetches() -> None:
    guard, fetching, cluster, _, _ = guarding()
    cluster.open.clear()
    for offset in range(10):
        fetching.put(offset)
    assert offsets(guard.take(0.0)) == []
    assert len(fetching.queue) >= 7, "the rest waits in the client, whose queue is bounded"
    cluster.open.set()
    got: list[int | None] = []
    while len(got) < 10:
        got += offsets(guard.take(5.0))
    assert got == list(range(10))


def test_while_nobody_answers_they_wait() -> None:
    guard, fetching, cluster, clock, _ = guarding()
    cluster.away = True
    fetching.put(0)
    assert offsets(guard.take(0.0)) == []
    assert not guard.doubtful
    cluster.away = False
    got: list[int | None] = []
    while not got:
        clock.now += 1.0
        got = offsets(guard.take(0.0))
    assert got == [0]


def test_brokers_without_ids_are_not_asked() -> None:
    guard, fetching, cluster, *_ = guarding("1")
    fetching.put(0)
    assert offsets(guard.take(0.0)) == [0]
    assert cluster.questions == 0


def test_an_id_that_is_no_longer_given_proves_nothing() -> None:
    guard, fetching, cluster, *_ = guarding()
    cluster.ids["t"] = ""
    fetching.put(0)
    assert offsets(guard.take(5.0)) == [0]
