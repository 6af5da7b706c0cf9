from __future__ import annotations

from transforms.steps.rate import Rate


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def granted(rate: Rate, clock: Clock, seconds: float) -> int:
    """How many calls are granted to one who takes each as soon as it may."""
    end, count = clock.now + seconds, 0
    while clock.now < end:
        wait = rate.wait()
        count += not wait
        clock.now += wait
    return count


def test_no_more_calls_are_granted_than_the_rate_allows() -> None:
    clock = Clock()
    assert granted(Rate(50, clock), clock, 10.0) in range(495, 506)


def test_a_slow_rate_grants_one_call_at_once_and_the_next_after_its_time() -> None:
    clock = Clock()
    rate = Rate(0.5, clock)
    assert rate.wait() == 0.0
    assert rate.wait() == 2.0


def test_what_was_not_used_does_not_pile_up() -> None:
    clock = Clock()
    rate = Rate(100, clock)
    clock.now += 3600
    burst = 0
    while not rate.wait():
        burst += 1
    assert burst <= 11, "a tenth of a second"
