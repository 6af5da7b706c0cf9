"""Claims name their jobs, and actions apply to states that jobs have."""

from __future__ import annotations

import pickle

import pytest

from transforms.batch.expansion import Branch, Expansion
from transforms.batch.job_states import ACTIONS, JOB_STATES, Attempt, Attempts, Claim


def test_a_claim_names_its_jobs() -> None:
    attempts: dict[tuple[int, int | None, Expansion], Attempt] = {
        (4, None, ()): Attempt(9, 1, 10, "r"),
        (5, 0, ()): Attempt(7, 2, 10, "r"),
    }
    assert Claim("c", attempts, "p").jobs == [9, 7]


def test_attempts_column_by_column_are_those_one_by_one() -> None:
    branch = (Branch(0, 2, "s"),)
    attempts: dict[tuple[int, int | None, Expansion], Attempt] = {
        (4, None, ()): Attempt(9, 1, 10, "r"),
        (5, 0, ()): Attempt(7, 2, 10, "r"),
        (5, 0, branch): Attempt(8, 3, 4, "s"),
    }
    columns = Attempts(
        ([4, 5, 5], [None, 0, 0], [(), (), branch]),
        ([9, 7, 8], [1, 2, 3], [10, 10, 4], ["r", "r", "s"]),
    )
    for one in (columns, pickle.loads(pickle.dumps(columns))):
        claim, expected = Claim("c", one, "p"), Claim("c", attempts, "p")
        assert claim.jobs == expected.jobs
        assert [claim.of_run(run) for run in "rst"] == [2, 1, 0]
        assert [claim.of_run(run) for run in "rst"] == [expected.of_run(run) for run in "rst"]
        assert (len(one), list(one), one.get((6, None, ()))) == (3, list(attempts), None)
        assert (claim, dict(one)) == (expected, attempts)


def test_columns_that_differ_in_length_are_no_attempts() -> None:
    columns = Attempts(([4, 5], [None, None], [(), ()]), ([9], [1], [10], ["r"]))
    with pytest.raises(ValueError, match="argument"):
        columns.get((4, None, ()))


def test_actions_apply_to_states_that_jobs_have() -> None:
    for action in ACTIONS.values():
        assert set(action.default) <= set(action.states) <= set(JOB_STATES)
