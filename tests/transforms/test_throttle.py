"""One turn for each key, interval and process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.transforms.forks import in_child
from transforms.throttle import Throttle


class Clock:
    """A clock that stands still until it is set."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_key_gets_its_next_turn_when_the_interval_is_over() -> None:
    clock = Clock()
    throttle = Throttle[str](60, clock)
    assert throttle.take_turn("a")
    clock.now += 59
    assert not throttle.take_turn("a")
    clock.now += 1
    assert throttle.take_turn("a")
    clock.now += 59
    assert not throttle.take_turn("a"), "the interval begins at the last turn"


def test_the_first_turn_is_granted_however_young_the_clock_is() -> None:
    clock = Clock()
    clock.now = 0.0
    assert Throttle[str](60, clock).take_turn("a")


def test_keys_have_turns_of_their_own() -> None:
    throttle = Throttle[str](60, Clock())
    assert throttle.take_turn("a")
    assert throttle.take_turn("b")


def test_of_many_threads_one_gets_the_turn() -> None:
    throttle = Throttle[str](60, Clock())
    with ThreadPoolExecutor(8) as threads:
        turns = list(threads.map(lambda _: throttle.take_turn("a"), range(200)))
    assert turns.count(True) == 1


def test_after_a_clear_each_key_has_its_turn_at_once() -> None:
    throttle = Throttle[str](60, Clock())
    assert throttle.take_turn("a")
    throttle.clear()
    assert throttle.take_turn("a")


def test_a_forked_process_has_turns_of_its_own() -> None:
    throttle = Throttle[str](60, Clock())
    assert throttle.take_turn("a")
    assert in_child(lambda: throttle.take_turn("a"))
