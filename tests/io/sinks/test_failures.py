"""A failure is retried while its policy allows it; after that its record is a dead letter."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sinks.failures import fates_of
from tests.io.sinks.tested_database import make_failure
from transforms.batch.expansion import Branch, Expansion
from transforms.batch.record import Attempt, Claim, Failure, Origin
from transforms.batch.retry_policy import RetryPolicy

TWICE = RetryPolicy(max_attempts=2)


def claim(offset: int, number: int) -> Claim:
    """The attempt of that number at the job of the record at ``offset``."""
    return Claim(
        "0" * 32,
        {(offset, None, ()): Attempt(job=7, number=number, max_attempts=2, run="run")},
        "events",
    )


def test_a_first_failure_that_may_heal_is_retried() -> None:
    (fate,) = fates_of([make_failure(3, transient=True)], None, TWICE)
    assert (fate.attempt, fate.next.state, fate.is_dead) == (None, "retryable", False)
    assert fate.max_attempts == 2


def test_a_failure_that_cannot_heal_is_dead_at_once() -> None:
    (fate,) = fates_of([make_failure(3)], None, TWICE)
    assert fate.is_dead


def test_the_last_attempt_at_a_job_leaves_a_dead_letter() -> None:
    failure = make_failure(3, transient=True)
    (early,) = fates_of([failure], claim(3, 1), TWICE)
    (late,) = fates_of([failure], claim(3, 2), TWICE)
    assert (early.is_dead, late.is_dead) == (False, True)
    assert late.attempt is not None
    assert late.attempt.job == 7


def test_the_policy_of_a_step_goes_before_that_of_the_sink() -> None:
    failure = replace(make_failure(3, transient=True), retry=RetryPolicy(max_attempts=9))
    (fate,) = fates_of([failure], None, TWICE)
    assert fate.max_attempts == 9


LINE = (Branch(1, 3, "Lines"),)
WORD = (*LINE, Branch(0, 2, "Words"))


def failure_of(expansion: Expansion, offset: int = 3) -> Failure:
    origin = Origin("file:///a", "p", offset, expansion=expansion)
    return replace(make_failure(offset), origin=origin)


def test_one_of_several_that_was_a_job_itself_fails_as_that_job() -> None:
    attempt = Attempt(8, 2, 2, "run")
    (fate,) = fates_of([failure_of(LINE)], Claim("c", {(3, None, LINE): attempt}, "p"), TWICE)
    assert (fate.attempt, fate.parent) == (attempt, None)


@pytest.mark.parametrize(
    ("job", "branch"), [((), LINE[0]), (LINE, WORD[1])], ids=["of the whole", "of one of several"]
)
def test_one_that_a_step_made_of_a_job_is_a_first_failure(job: Expansion, branch: Branch) -> None:
    attempt = Attempt(7, 2, 2, "run")
    claim = Claim("c", {(3, None, job): attempt}, "reader")
    (fate,) = fates_of([replace(failure_of(WORD), transient=True)], claim, TWICE)
    assert fate.attempt is None
    assert fate.next.state == "retryable", "its attempts are its own"
    assert fate.parent == (attempt, branch, "reader")


@pytest.mark.parametrize("failure", [failure_of((), 4), failure_of(LINE, 4)])
def test_a_failure_that_comes_from_no_job_of_the_claim_is_a_defect(failure: Failure) -> None:
    with pytest.raises(KeyError):
        fates_of([failure], claim(3, 1), TWICE)
