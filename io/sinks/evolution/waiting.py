"""Records that wait for their table to take them: how long until the next look, and when to give up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.tables import jobs
from sinks.evolution.survey import SCHEMA_CHANGE
from transforms.batch.backoff import jitter
from transforms.batch.record import Claim, Failure

FIRST = 2.0
"""Seconds until the first look."""

LONGEST = 300.0
"""Seconds between two looks at most, unless a record waits for days."""

_LOOKS = 80
"""Looks at most once the waits are the longest: fewer than the errors that a job keeps."""


def put_off(
    connection: sa.Connection, failures: Sequence[Failure], claim: Claim | None, wait: float
) -> list[Failure]:
    """``failures``, of which those wait that are for a table that does not fit, if any time is left.

    Args:
        connection: In the transaction that settles their batch.
        failures: Of one batch.
        claim: Of the batch, if its records are jobs.
        wait: Seconds that a record waits at most since its first failure, or its last replay.
    """
    late = [failure for failure in failures if failure.category == SCHEMA_CHANGE]
    if not late or not wait:
        return list(failures)
    numbers = {} if claim is None else _jobs_of(late, claim)
    ages = _ages(connection, set(numbers.values()))
    return [
        replace(failure, snooze=until_next(ages.get(numbers.get(id(failure), 0), 0.0), wait))
        if failure.category == SCHEMA_CHANGE
        else failure
        for failure in failures
    ]


def until_next(
    age: float, wait: float, uniform: Callable[[float, float], float] | None = None
) -> float | None:
    """Seconds until the next look at a record that has waited for ``age``; None if it waits no more.

    >>> [until_next(age, 86_400, lambda low, high: high) for age in (0, 10, 50_000, 86_400)]
    [2.0, 10, 1080.0, None]
    """
    if age >= wait:
        return None
    ceiling = min(max(FIRST, age), max(LONGEST, wait / _LOOKS), wait - age)
    return (uniform or jitter)(ceiling / 2, ceiling)


def _jobs_of(failures: Iterable[Failure], claim: Claim) -> dict[int, int]:
    """The number of the job of each failure, by its identity; a record that a step made has none."""
    numbers = {}
    for failure in failures:
        origin = failure.origin
        attempt = claim.attempts.get((origin.offset, origin.element, origin.expansion))
        if attempt is not None:
            numbers[id(failure)] = attempt.job
    return numbers


def _ages(connection: sa.Connection, numbers: set[int]) -> Mapping[int, float]:
    """For how many seconds each job has failed, since its last replay."""
    if not numbers:
        return {}
    dialect = dialect_of(connection)
    now = dialect.now(connection)
    query = sa.select(jobs.c.id, jobs.c.errors, jobs.c.replays)
    rows = connection.execute(query.where(dialect.is_one_of(jobs.c.id, sorted(numbers))))
    return {row.id: (now - _since(row.errors, row.replays, now)).total_seconds() for row in rows}


def _since(errors: Sequence[Mapping[str, Any]], replays: int, now: datetime) -> datetime:
    """The time of the first failure since the last replay."""
    times = [error["at"] for error in errors if error.get("replay", 0) == replays]
    return datetime.fromisoformat(times[0]) if times else now
