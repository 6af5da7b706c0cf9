"""Claims name their jobs, and actions apply to states that jobs have."""

from __future__ import annotations

from transforms.batch.expansion import Expansion
from transforms.batch.job_states import ACTIONS, JOB_STATES, Attempt, Claim


def test_a_claim_names_its_jobs() -> None:
    attempts: dict[tuple[int, int | None, Expansion], Attempt] = {
        (4, None, ()): Attempt(9, 1, 10, "r"),
        (5, 0, ()): Attempt(7, 2, 10, "r"),
    }
    assert Claim("c", attempts, "p").jobs == [9, 7]


def test_actions_apply_to_states_that_jobs_have() -> None:
    for action in ACTIONS.values():
        assert set(action.default) <= set(action.states) <= set(JOB_STATES)
