from __future__ import annotations

from dataclasses import dataclass

from sources.kafka.held import AFTER_SECONDS, AGAIN_SECONDS, HeldBack
from sources.kafka.partition import Partition


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def held(number: int = 0, at: int = 5, high: int = 12) -> Partition:
    partition = Partition("events", number, f"{number}@A", at, high=high)
    partition.hold(at)
    return partition


def test_a_read_that_ends_says_it_at_once() -> None:
    lines = HeldBack().lines([held(), held(1, at=11)], bounded=True)
    after = "a later run reads them once it has ended"
    assert list(lines) == [
        f"topic events partition 0: 7 offsets behind an open transaction from offset 5; {after}",
        f"topic events partition 1: 1 offset behind an open transaction from offset 11; {after}",
    ]
    zeroth, _ = lines.values()
    assert zeroth == {
        "source": "kafka://events",
        "partition": "0@A",
        "first_offset": 5,
        "last_offset": 11,
    }


def test_a_stream_says_it_once_the_transaction_is_long_and_again_much_later() -> None:
    clock = Clock()
    lines = HeldBack(clock)
    assert not lines.lines([held()], bounded=False)
    clock.now = AFTER_SECONDS
    (line,) = lines.lines([held(high=20)], bounded=False)
    assert line.startswith("topic events partition 0: 15 offsets behind an open transaction")
    for second in range(1, 100):
        clock.now = AFTER_SECONDS + second
        assert not lines.lines([held(high=20 + second)], bounded=False)
    clock.now = AFTER_SECONDS + AGAIN_SECONDS
    assert len(lines.lines([held()], bounded=False)) == 1


def test_transactions_that_end_are_not_spoken_of() -> None:
    clock = Clock()
    lines = HeldBack(clock)
    for second in range(100):
        clock.now = float(second)
        assert not lines.lines([held(at=second)], bounded=False), "another one each time"
        assert not lines.lines([], bounded=False)


def test_of_many_partitions_a_few_are_named() -> None:
    lines = HeldBack().lines([held(number) for number in range(100)], bounded=True)
    assert len(lines) == 9
    assert list(lines)[-1] == "and 92 more partitions are held back"
