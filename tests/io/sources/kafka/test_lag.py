"""The lag is shown while the reader reads, and follows the topic while it does not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import pytest

from sources.kafka.cluster import Place
from sources.kafka.lag import Lag
from sources.kafka.partition import Partition
from tests.waiting import wait_until
from transforms import instruments
from transforms.errors import SourceUnavailable


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    instruments.reset()
    yield
    instruments.reset()


class Brokers:
    """Ends that can be moved, and that may be away."""

    def __init__(self) -> None:
        self.ends: dict[Place, int] | None = None
        self.asked = 0

    def __call__(self, places: Iterable[Place]) -> Mapping[Place, int]:
        self.asked += 1
        if self.ends is None:
            raise SourceUnavailable("no broker answers")
        return {place: self.ends[place] for place in places}


def shown() -> dict[str, float]:
    gauges = instruments.measured().gauges.get("source_lag_records", {})
    return {source: value for (source, _), value in gauges.items()}


def partitions() -> list[Partition]:
    return [
        Partition("t", 0, "0", next=5, high=7),
        Partition("t", 1, "1", next=5, high=6),
        Partition("u", 0, "0", next=5, high=5),
    ]


def test_what_the_reader_notes_is_shown_by_topic_until_it_is_closed() -> None:
    lag = Lag(Brokers())
    lag.note(partitions())
    assert shown() == {"kafka://t": 3, "kafka://u": 0}
    lag.note(partitions()[:1])
    assert shown() == {"kafka://t": 2, "kafka://u": 0}
    lag.close()
    assert shown() == {}


def test_while_the_reader_is_held_back_the_brokers_are_asked() -> None:
    brokers = Brokers()
    lag = Lag(brokers, silent_seconds=0.01)
    lag.note(partitions())
    try:
        wait_until(lambda: brokers.asked > 1, "questions while the brokers are away")
        assert shown() == {"kafka://t": 3, "kafka://u": 0}
        brokers.ends = {("t", 0): 100, ("t", 1): 6, ("u", 0): 4}
        wait_until(lambda: shown() == {"kafka://t": 96, "kafka://u": 0}, "the lag that has grown")
    finally:
        lag.close()
    assert shown() == {}


def test_what_was_read_since_it_was_noted_is_no_lag() -> None:
    brokers = Brokers()
    brokers.ends = {("t", 0): 9}
    lag, partition = Lag(brokers, silent_seconds=0.01), Partition("t", 0, "0", next=5, high=9)
    lag.note([partition])
    partition.next = 8
    try:
        wait_until(lambda: shown() == {"kafka://t": 1}, "the lag behind what was read")
    finally:
        lag.close()


def test_the_end_of_a_bounded_run_is_not_asked_for() -> None:
    brokers = Brokers()
    bounded, stream = Lag(brokers, silent_seconds=0.01), Lag(brokers, silent_seconds=0.01)
    bounded.note([Partition("t", 0, "0", next=5, end=9, high=9)])
    brokers.ends = {("u", 0): 8}
    stream.note([Partition("u", 0, "0", next=5, high=5)])
    try:
        wait_until(lambda: shown() == {"kafka://t": 4, "kafka://u": 3}, "the lag of the stream")
    finally:
        bounded.close()
        stream.close()
