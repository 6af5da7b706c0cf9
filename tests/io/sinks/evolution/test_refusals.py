from __future__ import annotations

from sinks.evolution.refusals import MOST, Refusals, refusals_of
from transforms.batch.backoff import Backoff


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_refusal_stands_for_a_while_that_grows() -> None:
    clock = Clock()
    refusals = Refusals(Backoff(base=4.0, cap=8.0), clock)
    assert refusals.refuse("a", "no right")
    assert refusals.reason("a", clock.now) == "no right"
    assert refusals.reason("a", clock.now + 4) == "", "it is asked for again"
    assert refusals.reason("b", clock.now) == ""
    assert not refusals.refuse("a", "no right"), "that is no news"
    assert refusals.reason("a", clock.now + 3.9) == "no right"
    assert refusals.refuse("a", "locked")


def test_what_was_refused_may_be_granted() -> None:
    refusals = Refusals()
    refusals.refuse("a", "no right")
    refusals.forget("a")
    assert refusals.reason("a", 0.0) == ""


def test_a_bounded_number_is_remembered() -> None:
    refusals = Refusals()
    for number in range(MOST + 5):
        refusals.refuse(f"f{number}", "no")
    assert refusals.reason("f0", 0.0) == ""
    assert refusals.reason(f"f{MOST + 4}", 0.0) == "no"


def test_each_table_has_its_own() -> None:
    refusals_of("t").refuse("a", "no")
    assert refusals_of("t").reason("a", 0.0) == "no"
    assert refusals_of("u").reason("a", 0.0) == ""
