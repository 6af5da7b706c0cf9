"""What follows from a failure: whether its record is tried again, and the job that keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from sinks.jobs import outcomes as job_outcomes
from sinks.jobs import store as jobs
from transforms.batch.record import Attempt, Claim, Failure
from transforms.batch.retry_policy import Next, RetryPolicy
from transforms.steps.pipeline_identity import PipelineIdentity
from transforms.steps.retry import may_heal


@dataclass(frozen=True, slots=True)
class Fate:
    """What follows from one failure.

    Attributes:
        failure: The failure.
        attempt: The attempt at a job that failed; None for a record's first failure.
        next: The next state of its job, and when.
        max_attempts: How many attempts a new job gets.
    """

    failure: Failure
    attempt: Attempt | None
    next: Next
    max_attempts: int

    @property
    def is_dead(self) -> bool:
        """Whether the failure becomes a dead letter."""
        return self.next.state == "discarded"


def fates_of(failures: Iterable[Failure], claim: Claim | None, retry: RetryPolicy) -> list[Fate]:
    """Decide for each failure whether and when to retry its record.

    Args:
        failures: Of the records of one batch.
        claim: The claim of the batch, if its records are jobs.
        retry: When to retry a record whose step has no policy of its own.
    """
    fates = []
    for failure in failures:
        attempt = None if claim is None else claim.attempts[failure.origin.offset]
        policy = failure.retry or retry
        following = policy.next(
            1 if attempt is None else attempt.number,
            may_heal=may_heal(failure, retry),
            snooze=failure.snooze,
            max_attempts=None if attempt is None else attempt.max_attempts,
        )
        fates.append(Fate(failure, attempt, following, policy.max_attempts))
    return fates


def store(
    connection: sa.Connection,
    read_by: str,
    target: str,
    fates: Sequence[Fate],
    run: str,
    pipeline: PipelineIdentity | None,
) -> None:
    """Make jobs of first failures; record the others as further attempts at their jobs."""
    first = [(f.failure, f.next, f.max_attempts) for f in fates if f.attempt is None]
    again = [(f.attempt, f.failure, f.next) for f in fates if f.attempt is not None]
    jobs.insert_failures(connection, read_by, target, first, run, pipeline)
    job_outcomes.fail(connection, again, run)
