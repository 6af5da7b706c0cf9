"""What follows from a failure: whether its record is tried again, and the job that keeps it."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from sinks.database.dialect import Row
from sinks.dead import upkeep
from sinks.jobs import outcomes as job_outcomes
from sinks.jobs.first.insert import insert_failures
from transforms.batch.expansion import Branch
from transforms.batch.record import Attempt, Claim, Failure, Origin
from transforms.batch.retry_policy import Next, RetryPolicy
from transforms.settle.dead_letters import DeadLetterSink
from transforms.steps.pipeline_identity import PipelineIdentity
from transforms.steps.retry import may_heal


class Parent(NamedTuple):
    """The job of a record of which a step made several.

    Attributes:
        attempt: The attempt at the job, which has succeeded with that.
        branch: Which of the several the failed record comes from.
        read_by: The pipeline that has read the record.
    """

    attempt: Attempt
    branch: Branch
    read_by: str


class Fate(NamedTuple):
    """What follows from one failure.

    Attributes:
        failure: The failure.
        attempt: The attempt at a job that failed; None for a record's first failure.
        next: The next state of its job, and when.
        max_attempts: How many attempts a new job gets.
        parent: The job that the record was made of; None if it comes from a source, or is a job.
    """

    failure: Failure
    attempt: Attempt | None
    next: Next
    max_attempts: int
    parent: Parent | None = None

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
        attempt, parent = (None, None) if claim is None else _job_of(failure.origin, claim)
        policy = failure.retry or retry
        following = policy.next(
            1 if attempt is None else attempt.number,
            may_heal=may_heal(failure, retry),
            snooze=failure.snooze,
            max_attempts=None if attempt is None else attempt.max_attempts,
        )
        fates.append(Fate(failure, attempt, following, policy.max_attempts, parent))
    return fates


def _job_of(origin: Origin, claim: Claim) -> tuple[Attempt | None, Parent | None]:
    """The attempt at the job of a record or, if a step made the record of a job, that job.

    Raises:
        KeyError: It comes from no job of the claim.
    """
    expansion = origin.expansion
    for length in range(len(expansion), -1, -1):
        attempt = claim.attempts.get((origin.offset, origin.element, expansion[:length]))
        if attempt is not None and length == len(expansion):
            return attempt, None
        if attempt is not None:
            return None, Parent(attempt, expansion[length], claim.read_by)
    raise KeyError(origin)


def store(
    connection: sa.Connection,
    read_by: str,
    home: str,
    fates: Sequence[Fate],
    run: str,
    pipeline: PipelineIdentity | None,
) -> dict[uuid.UUID, Row]:
    """Make jobs of first failures, for which no commit waits for another one.

    Args:
        connection: In the transaction that settles the records.
        read_by: The pipeline that has read those that come from a source.
        home: The pipeline's own table, as ``label_of`` names it.
        fates: What follows from each failure.
        run: The run that counts them.
        pipeline: The pipeline that owns the jobs; None if no pipeline does.

    Returns:
        The fingerprints of the dead letters, which ``complete`` takes.
    """
    first: dict[str, list[tuple[Failure, Next, int]]] = {read_by: []}
    for fate in fates:
        if fate.attempt is None:
            reader = read_by if fate.parent is None else fate.parent.read_by
            first.setdefault(reader, []).append((fate.failure, fate.next, fate.max_attempts))
    groups: dict[uuid.UUID, Row] = {}
    for reader, failures in first.items():
        groups |= insert_failures(connection, reader, home, failures, run, pipeline)
    return groups


def complete(
    connection: sa.Connection,
    home: str,
    fates: Sequence[Fate],
    groups: Mapping[uuid.UUID, Row],
    run: str,
) -> None:
    """Record the other failures as further attempts at their jobs, and enter new fingerprints.

    Args:
        connection: In the transaction that ``store`` has run in, now that the commit has its turn.
        home: The pipeline's own table, as ``label_of`` names it.
        fates: What follows from each failure.
        groups: The fingerprints that ``store`` has returned.
        run: The run that counts them.
    """
    upkeep.note(connection, groups)
    again = [(f.attempt, f.failure, f.next) for f in fates if f.attempt is not None]
    job_outcomes.fail(connection, again, run, home)
    job_outcomes.remark(connection, _remarks(fates))


def deliver(dead_letters: DeadLetterSink | None, home: str, fates: Sequence[Fate]) -> None:
    """Hand the dead letters on before the commit: after it, a crash would lose them.

    Args:
        dead_letters: Where to; None for nowhere.
        home: The pipeline's own table, as ``label_of`` names it.
        fates: What follows from each failure.
    """
    if dead_letters is None:
        return
    dead: dict[str, list[Failure]] = {}
    for fate in fates:
        if fate.is_dead:
            dead.setdefault(fate.failure.target or home, []).append(fate.failure)
    for target in sorted(dead):
        dead_letters.deliver(target, dead[target])


def _remarks(fates: Iterable[Fate]) -> list[tuple[Attempt, str]]:
    """What to say of each job that a step made several records of, some of which failed."""
    numbers = Counter(
        (fate.parent.attempt, fate.parent.branch.of, fate.parent.branch.step)
        for fate in fates
        if fate.parent is not None
    )
    return [
        (attempt, f"step {step} made {of:,} records of it; {failed:,} failed: each has its own job")
        for (attempt, of, step), failed in numbers.items()
    ]
