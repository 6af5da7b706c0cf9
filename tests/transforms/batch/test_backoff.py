from __future__ import annotations

import logging
import math
from weakref import WeakSet

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.batch import backoff
from transforms.batch.backoff import Backoff, Outage
from transforms.errors import ConfigError, SinkUnavailable

backoffs = st.builds(
    lambda base, factor: Backoff(base, base * factor),
    st.floats(min_value=1e-3, max_value=1e3),
    st.floats(min_value=1, max_value=1e6),
)


class Clock:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 0.0
        self.waits: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds


class TestBackoff:
    def test_the_ceiling_doubles_until_the_cap(self) -> None:
        backoff = Backoff(base=2, cap=20)
        assert [backoff.ceiling(n) for n in (1, 2, 3, 4, 5)] == [2, 4, 8, 16, 20]

    @given(backoffs, st.integers(min_value=1, max_value=100_000))
    def test_a_wait_is_at_least_half_its_ceiling_and_never_above_the_cap(
        self, backoff: Backoff, attempt: int
    ) -> None:
        ceiling = backoff.ceiling(attempt)
        assert ceiling / 2 <= backoff.delay(attempt) <= ceiling <= backoff.cap

    def test_waits_stay_spread_at_the_cap(self) -> None:
        backoff = Backoff(base=1, cap=8)
        assert backoff.delay(50, lambda low, high: low) == 4
        assert backoff.delay(50, lambda low, high: high) == 8

    @given(backoffs, st.integers(min_value=1, max_value=100_000), st.floats(0, 1))
    def test_a_wait_is_the_formula_for_every_chance(
        self, backoff: Backoff, attempt: int, chance: float
    ) -> None:
        waited = backoff.delay(attempt, lambda low, high: low + chance * (high - low))
        ceiling = min(backoff.cap, backoff.base * 2.0 ** min(attempt - 1, 64))
        assert waited == pytest.approx(ceiling / 2 + chance * ceiling / 2)
        assert waited > 0

    @given(backoffs, st.integers(min_value=1, max_value=100_000))
    def test_the_ceiling_never_falls_and_at_most_doubles(
        self, backoff: Backoff, attempt: int
    ) -> None:
        now, then = backoff.ceiling(attempt), backoff.ceiling(attempt + 1)
        assert now <= then <= 2 * now
        assert backoff.base <= now <= backoff.cap

    @given(
        st.floats(min_value=1e-300, max_value=1e300),
        st.one_of(st.integers(1, 10**6), st.integers(10**6, 10**100)),
    )
    def test_a_huge_attempt_does_not_overflow(self, base: float, attempt: int) -> None:
        for cap in (base, math.inf):
            ceiling = Backoff(base, cap).ceiling(attempt)
            assert ceiling >= base
            assert ceiling <= cap

    def test_the_cap_is_reached_and_kept(self) -> None:
        backoff = Backoff(base=0.25, cap=15)
        assert [backoff.ceiling(n) for n in (6, 7, 8, 1_000_000)] == [8, 15, 15, 15]

    @pytest.mark.parametrize(("base", "cap"), [(0, 1), (-1, 1), (2, 1), (float("nan"), 1)])
    def test_a_policy_that_makes_no_sense_is_refused(self, base: float, cap: float) -> None:
        with pytest.raises(ConfigError, match="backoff"):
            Backoff(base, cap)


class TestOutage:
    def test_waiting_ends_with_the_budget_and_fills_it(self) -> None:
        now = 0.0
        waits: list[float] = []

        def sleep(seconds: float) -> None:
            nonlocal now
            waits.append(seconds)
            now += seconds

        outage = Outage(
            Backoff(base=1, cap=4), budget=30, service="kafka", sleep=sleep, clock=lambda: now
        )
        while outage.wait():
            pass
        assert sum(waits) == pytest.approx(30)
        assert all(0 < wait <= 4 for wait in waits)
        assert len(waits) <= 3 + 30 / 2, "no tight loop: a wait at the cap is at least half of it"
        away = SinkUnavailable("away")
        outage.say_waited(away)
        assert str(away) == "away (waited 30 s)"

    @given(
        st.builds(
            lambda base, factor: Backoff(base, base * factor),
            st.floats(min_value=0.1, max_value=100),
            st.floats(min_value=1, max_value=1_000),
        ),
        st.floats(min_value=0, max_value=200),
        st.lists(st.floats(min_value=0, max_value=30), max_size=30),
    )
    def test_it_never_waits_beyond_its_budget_nor_in_a_tight_loop(
        self, backoff: Backoff, budget: float, tries: list[float]
    ) -> None:
        # Between two waits, a try takes time as well: at once, or until its own time-out.
        clock = Clock()
        outage = Outage(backoff, budget, service="kafka", sleep=clock.sleep, clock=clock.now)
        bound = 2 + math.ceil(2 * budget / backoff.base)
        took = iter(tries)
        while outage.wait():
            assert len(clock.waits) <= bound, "a tight loop"
            clock.time += next(took, 0.0)
        assert sum(clock.waits) <= budget * (1 + 1e-9)
        assert all(wait > 0 for wait in clock.waits)
        assert all(wait >= backoff.base / 2 for wait in clock.waits[:-1])
        assert clock.time >= budget

    @given(st.floats(min_value=0.01, max_value=10), st.integers(1, 40))
    def test_every_wait_but_the_last_is_by_the_formula(self, base: float, count: int) -> None:
        clock = Clock()
        backoff = Backoff(base, base * 50)
        outage = Outage(backoff, 1e9, service="kafka", sleep=clock.sleep, clock=clock.now)
        for _ in range(count):
            assert outage.wait()
        for attempt, wait in enumerate(clock.waits, 1):
            assert backoff.ceiling(attempt) / 2 <= wait <= backoff.ceiling(attempt)

    def test_it_begins_with_the_first_wait(self) -> None:
        clock = Clock()
        outage = Outage(
            Backoff(base=1, cap=1), budget=1, service="kafka", sleep=clock.sleep, clock=clock.now
        )
        clock.time = 1_000_000.0
        assert outage.wait()

    def test_it_says_for_how_long_it_has_lasted(self) -> None:
        clock = Clock()
        clock.time = 50.0
        outage = Outage(
            Backoff(base=1, cap=1), budget=9, service="kafka", sleep=clock.sleep, clock=clock.now
        )
        assert outage.seconds == 0
        clock.time = 60.0
        outage.wait()
        assert 0.5 <= outage.seconds <= 1
        clock.time = 67.5
        assert outage.seconds == 7.5

    def test_no_budget_means_no_wait(self) -> None:
        waits: list[float] = []
        assert not Outage(
            Backoff(), budget=0, service="kafka", sleep=waits.append, clock=lambda: 1.0
        ).wait()
        assert waits == []

    def test_a_caller_that_waits_by_itself_is_told_how_long(self) -> None:
        clock = Clock()
        outage = Outage(
            Backoff(base=2, cap=2), budget=5, service="kafka", sleep=clock.sleep, clock=clock.now
        )
        waits = []
        while (seconds := outage.next_wait()) is not None:
            waits.append(seconds)
            clock.time += seconds
        assert clock.waits == [], "it never sleeps"
        assert sum(waits) == pytest.approx(5), "the last wait ends with the budget"
        assert all(1 <= seconds <= 2 for seconds in waits[:-1])

    def test_it_lasts_from_the_first_failed_try_to_its_end(self) -> None:
        clock = Clock()
        clock.time = 100.0
        outage = Outage(
            Backoff(base=1, cap=1), budget=60, service="kafka", sleep=clock.sleep, clock=clock.now
        )
        assert (outage.under_way, outage.seconds) == (False, 0)
        outage.next_wait()
        clock.time += 7
        assert (outage.under_way, outage.seconds) == (True, 7)
        outage.end()
        assert (outage.under_way, outage.seconds) == (False, 0)

    def test_the_next_outage_has_its_own_budget_and_begins_with_short_waits(self) -> None:
        clock = Clock()
        backoff = Backoff(base=1, cap=64)
        outage = Outage(backoff, budget=100, service="kafka", sleep=clock.sleep, clock=clock.now)
        while outage.wait():
            pass
        outage.end()
        clock.waits.clear()
        assert outage.wait()
        assert clock.waits[0] <= backoff.ceiling(1)


class TestLines:
    @pytest.fixture(autouse=True)
    def _none_under_way(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(backoff, "_under_way", WeakSet())
        caplog.set_level(logging.INFO, "transforms.batch.backoff")  # others may want more

    def outage(self, service: str = "kafka", budget: float = 60, **more: bool) -> Outage:
        clock = Clock()
        return Outage(
            Backoff(), budget, service=service, sleep=clock.sleep, clock=clock.now, **more
        )

    def test_an_outage_is_said_when_it_begins_and_when_it_ends(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        outage = self.outage()
        outage.end()
        for _ in range(3):
            assert outage.wait("no route to the broker")
        lasted = outage.seconds
        outage.end()
        outage.end()
        begin, end = caplog.records
        assert begin.getMessage() == (
            "no route to the broker; waiting for it, for another 60 s at most (--outage_budget)"
        )
        assert end.getMessage() == f"kafka answers again after {lasted:.1f} s"
        assert {vars(record)["service"] for record in (begin, end)} == {"kafka"}

    def test_several_that_wait_for_one_service_share_its_lines(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        first, second, other = self.outage(), self.outage(), self.outage("database")
        for outage in (first, second, other, first):
            outage.wait("away")
        first.end()
        assert len(caplog.records) == 2, "one begin for each service"
        second.end()
        other.end()
        assert [vars(record)["service"] for record in caplog.records] == [
            *("kafka", "database"),
            *("kafka", "database"),
        ]

    def test_one_that_was_given_up_is_not_said_to_end(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        given_up, next_one = self.outage(budget=5), self.outage()
        while given_up.wait("away"):
            pass
        next_one.wait("away")
        next_one.end()
        given_up.end()
        texts = [message.partition(" ")[0] for message in caplog.messages]
        assert texts == ["away;", "away;", "kafka"]

    def test_waits_that_are_routine_are_not_said(self, caplog: pytest.LogCaptureFixture) -> None:
        routine, outage = self.outage(routine=True), self.outage()
        routine.wait("away")
        routine.end()
        assert not caplog.records
        routine.wait("away")
        outage.wait("away")
        assert len(caplog.records) == 1, "nor do they hide an outage"
        outage.end()
        routine.end()
        assert len(caplog.records) == 2
