from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.batch.backoff import Backoff
from transforms.batch.retry_policy import FOREIGN_KEY, Next, RetryPolicy
from transforms.errors import ConfigError

policies = st.builds(
    lambda base, factor, attempts: RetryPolicy(Backoff(base, base * factor), attempts),
    st.floats(min_value=1e-3, max_value=1e3),
    st.floats(min_value=1, max_value=1e3),
    st.integers(1, 50),
)
outcomes = st.lists(st.one_of(st.none(), st.floats(0, 1e6)), max_size=60)
"""How attempts end one after the other: None fails, a number is a snooze of so many seconds."""


class TestNext:
    @given(policies)
    def test_a_record_that_always_fails_has_exactly_max_attempts(self, policy: RetryPolicy) -> None:
        attempt = 1
        while (following := policy.next(attempt, may_heal=True)).state == "retryable":
            assert following.attempt == attempt
            ceiling = policy.backoff.ceiling(attempt)
            assert ceiling / 2 <= following.delay <= ceiling
            attempt += 1
        assert following == Next("discarded", policy.max_attempts)
        assert attempt == policy.max_attempts

    @given(policies, outcomes)
    def test_snoozing_never_uses_an_attempt(
        self, policy: RetryPolicy, outcomes: list[float | None]
    ) -> None:
        used = failed = 0
        for outcome in outcomes:
            following = policy.next(used + 1, may_heal=True, snooze=outcome)
            if outcome is None:
                failed += 1
            else:
                assert following == Next("scheduled", used, outcome)
            used = following.attempt
            assert used == failed
            if following.state == "discarded":
                break
        assert used <= policy.max_attempts
        assert (used == policy.max_attempts) == (failed == policy.max_attempts)

    @given(policies, st.integers(1, 100))
    def test_what_cannot_heal_is_discarded_at_once(self, policy: RetryPolicy, attempt: int) -> None:
        assert policy.next(attempt, may_heal=False) == Next("discarded", attempt)

    @given(policies, st.integers(1, 60), st.integers(1, 60))
    def test_the_bound_that_a_record_was_stored_with_wins(
        self, policy: RetryPolicy, attempt: int, stored: int
    ) -> None:
        following = policy.next(attempt, may_heal=True, max_attempts=stored)
        assert (following.state == "retryable") == (attempt < stored)

    def test_chance_is_injected(self) -> None:
        policy = RetryPolicy(Backoff(base=2, cap=60), max_attempts=5)
        low = policy.next(3, may_heal=True, uniform=lambda low, high: low)
        high = policy.next(3, may_heal=True, uniform=lambda low, high: high)
        assert (low, high) == (Next("retryable", 3, 4.0), Next("retryable", 3, 8.0))

    def test_one_attempt_means_no_retry(self) -> None:
        assert RetryPolicy(max_attempts=1).next(1, may_heal=True).state == "discarded"


class TestMayHeal:
    @pytest.mark.parametrize(
        ("transient", "category", "sqlstate", "heals", "expected"),
        [
            (True, "retry_later", None, (), True),
            (False, "constraint", "23514", (FOREIGN_KEY,), False),
            (False, FOREIGN_KEY, "23503", (FOREIGN_KEY,), True),
            (False, FOREIGN_KEY, "23503", (), False),
            (False, "constraint", "23505", ("23505",), True),
            (False, "data", "22P02", ("22",), True),
            (False, "data", None, ("22",), False),
            (False, "schema", None, ("schema",), True),
            (False, "schema", None, ("schem",), False),
            (False, "data", "22P02", ("",), False),
        ],
    )
    def test_transient_failures_and_those_that_the_policy_names(
        self,
        transient: bool,
        category: str,
        sqlstate: str | None,
        heals: tuple[str, ...],
        expected: bool,
    ) -> None:
        policy = RetryPolicy(heals=heals)
        assert (
            policy.may_heal(transient=transient, category=category, sqlstate=sqlstate) is expected
        )

    def test_foreign_keys_heal_unless_one_says_otherwise(self) -> None:
        assert RetryPolicy().may_heal(transient=False, category=FOREIGN_KEY, sqlstate="23503")


@pytest.mark.parametrize("attempts", [0, -1])
def test_a_policy_without_attempts_is_refused(attempts: int) -> None:
    with pytest.raises(ConfigError, match="max_attempts must be 1 or more"):
        RetryPolicy(max_attempts=attempts)


def test_a_policy_travels() -> None:
    policy = RetryPolicy(Backoff(2, 8), 3, ("22",))
    assert pickle.loads(pickle.dumps(policy)) == policy
