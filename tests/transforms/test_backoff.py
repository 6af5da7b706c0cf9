from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.backoff import Backoff, Outage
from transforms.errors import ConfigError

backoffs = st.builds(
    lambda base, factor: Backoff(base, base * factor),
    st.floats(min_value=1e-3, max_value=1e3),
    st.floats(min_value=1, max_value=1e6),
)


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

        outage = Outage(Backoff(base=1, cap=4), budget=30, sleep=sleep, clock=lambda: now)
        while outage.wait():
            pass
        assert sum(waits) == pytest.approx(30)
        assert all(0 < wait <= 4 for wait in waits)
        assert len(waits) <= 3 + 30 / 2, "no tight loop: a wait at the cap is at least half of it"

    def test_no_budget_means_no_wait(self) -> None:
        waits: list[float] = []
        assert not Outage(Backoff(), budget=0, sleep=waits.append, clock=lambda: 1.0).wait()
        assert waits == []
