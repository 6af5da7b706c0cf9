"""The states that the tables know."""

from __future__ import annotations

from transforms.batch.job_states import EXECUTING, FINAL_STATES, JOB_STATES, UNFINISHED_STATES


def test_every_state_is_either_final_or_counted_as_retrying_or_executing() -> None:
    assert sorted(JOB_STATES) == sorted((*FINAL_STATES, *UNFINISHED_STATES, EXECUTING))
