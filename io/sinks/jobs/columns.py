"""What a failed attempt writes into its job's row, be it the first or a later one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sinks.text.encoding import clean
from transforms.batch.record import Failure
from transforms.batch.retry_policy import Next
from transforms.errors import MESSAGE_LIMIT, STACK_LIMIT

ERRORS_KEPT = 100
"""The newest entries: a record that is snoozed for ever has no bound to its attempts."""


def columns_of(
    failure: Failure,
    following: Next,
    *,
    attempt: int,
    replay: int,
    errors: Sequence[Mapping[str, Any]],
    at: datetime,
    run: str,
) -> dict[str, Any]:
    """The columns, by name.

    Args:
        failure: What failed.
        following: What follows on it.
        attempt: Which attempt it was (1-based).
        replay: How many replays there had been.
        errors: The history before it.
        at: When.
        run: The run that counts it.
    """
    message = clean(failure.message, MESSAGE_LIMIT)
    discarded = following.state == "discarded"
    scheduled_at = at + timedelta(seconds=following.delay)
    return {
        "state": following.state,
        "stage": clean(failure.stage, 255),
        "category": clean(failure.category, 255),
        "sqlstate": failure.sqlstate,
        "exception": clean(failure.exception, 255),
        "message": message,
        "stack": clean(failure.stack[-STACK_LIMIT:], STACK_LIMIT),
        "attempt": following.attempt,
        "errors": with_error(
            errors,
            attempt=attempt,
            replay=replay,
            at=at,
            error=message,
            due=None if discarded else scheduled_at,
        ),
        "run": run,
        "scheduled_at": scheduled_at,
        "discarded_at": at if discarded else None,
    }


def with_error(
    errors: Sequence[Mapping[str, Any]],
    *,
    attempt: int,
    replay: int,
    at: datetime,
    error: str,
    due: datetime | None,
) -> list[Mapping[str, Any]]:
    """``errors`` and one more entry; the oldest are left out when there are many.

    Args:
        errors: The history so far.
        attempt: Which attempt failed, since the last replay (1-based).
        replay: How many replays there had been.
        at: When.
        error: What it said, bounded.
        due: When the next attempt is due; None when there is none.
    """
    entry = {
        "attempt": attempt,
        "replay": replay,
        "at": at.isoformat(),
        "error": error,
        "due": None if due is None else due.isoformat(),
    }
    return [*errors, entry][-ERRORS_KEPT:]
