"""A token bucket on a clock of the test."""

from __future__ import annotations

import pytest

from transforms.read.bucket import BURST_SECONDS, GONE_SECONDS, Bucket


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def emptied(bucket: Bucket, clock: Clock, seconds: float, *takers: str) -> dict[str, int]:
    """What each taker gets that takes its share as soon as it may, for ``seconds``."""
    amounts = dict.fromkeys(takers, 0)
    end = clock.now + seconds
    while clock.now < end:
        waits = {}
        for taker in takers:
            waits[taker] = bucket.wait(taker)
            if not waits[taker]:
                bucket.take(taker, int(bucket.share))
                amounts[taker] += int(bucket.share)
        if all(waits.values()):
            clock.now += max(min(waits.values()), 1e-6)
    return amounts


def at_once(bucket: Bucket, amount: int) -> int:
    """What somebody gets that takes ``amount`` again and again until it has to wait."""
    taken = 0
    while not bucket.wait("a"):
        bucket.take("a", amount)
        taken += amount
    return taken


@pytest.mark.parametrize("rate", [0.5, 3.0, 7.0, 1_000.0, 123_456.7])
def test_a_minute_brings_a_minutes_worth(rate: float, clock: Clock) -> None:
    (amount,) = emptied(Bucket(rate, clock), clock, 60.0, "a").values()
    assert amount == pytest.approx(60 * rate, abs=max(1.0, rate * BURST_SECONDS))


def test_it_begins_empty_and_keeps_half_a_second(clock: Clock) -> None:
    bucket = Bucket(100.0, clock)
    assert bucket.wait("a") == pytest.approx(0.25)
    clock.now += 1_000.0
    assert at_once(bucket, 25) == 50


def test_a_stall_is_made_up_for_while_there_is_more_to_take(clock: Clock) -> None:
    bucket = Bucket(100.0, clock)
    emptied(bucket, clock, 10.0, "a")
    at_once(bucket, 25)
    clock.now += 1.5
    assert at_once(bucket, 25) == 150
    clock.now += 60.0
    assert at_once(bucket, 25) == 50, "for a minute nobody has asked"


def test_what_comes_slower_than_the_rate_saves_up_no_more_than_that(clock: Clock) -> None:
    bucket = Bucket(100.0, clock)
    clock.now += 1.0
    for _ in range(50):
        assert bucket.wait("a") == 0.0
        bucket.take("a", 1)
        clock.now += 0.1
    assert at_once(bucket, 25) == 50


def test_takers_get_the_same_in_turn(clock: Clock) -> None:
    amounts = emptied(Bucket(1_000.0, clock), clock, 60.0, *"abcdefghijklmnop")
    assert max(amounts.values()) - min(amounts.values()) <= 250
    assert sum(amounts.values()) == pytest.approx(60_000, rel=0.01)


def test_whoever_waits_is_told_when_its_turn_comes(clock: Clock) -> None:
    bucket = Bucket(4.0, clock)
    assert [bucket.wait(taker) for taker in "abc"] == pytest.approx([0.25, 0.5, 0.75])
    clock.now += 0.25
    assert bucket.wait("b") == pytest.approx(0.25), "not before the one that came first"
    assert bucket.wait("a") == 0.0
    bucket.take("a", 1)
    assert bucket.wait("b") == pytest.approx(0.25)
    assert bucket.wait("a") == pytest.approx(0.75), "at the end of the line"


def test_what_cannot_be_divided_is_a_debt_that_is_paid_first(clock: Clock) -> None:
    bucket = Bucket(10.0, clock)
    bucket.take("a", 100)
    assert bucket.debt() == pytest.approx(10.0)
    assert bucket.wait("b") == pytest.approx(10.25)
    clock.now += 10.0
    assert bucket.debt() == 0.0
    assert bucket.wait("b") == pytest.approx(0.25)


def test_nobody_waits_for_whoever_has_left(clock: Clock) -> None:
    bucket = Bucket(4.0, clock)
    bucket.wait("a")
    assert bucket.wait("b") == pytest.approx(0.5)
    bucket.leave("a")
    assert bucket.wait("b") == pytest.approx(0.25)


def test_nobody_waits_for_whoever_asks_no_more(clock: Clock) -> None:
    bucket = Bucket(4.0, clock)
    bucket.wait("a")
    clock.now += GONE_SECONDS + 1.0
    bucket.take("b", 2)  # all that it holds
    assert bucket.wait("b") == pytest.approx(0.25)


def test_another_rate_counts_from_then_on(clock: Clock) -> None:
    bucket = Bucket(100.0, clock)
    clock.now += 0.5
    bucket.rate = 10.0
    assert at_once(bucket, 1) <= 5, "no more than half a second's worth of the new rate"
    bucket.rate = 1_000.0
    clock.now += 0.5
    assert bucket.wait("a") == 0.0
    assert bucket.share == 250.0
