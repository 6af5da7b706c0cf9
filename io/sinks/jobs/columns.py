"""The columns of a job that each failed attempt writes, the first one included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sinks.text.encoding import clean
from transforms.batch.record import Failure
from transforms.batch.retry_policy import Next
from transforms.errors import MESSAGE_LIMIT, STACK_LIMIT

ERRORS_KEPT = 100
"""How many errors to keep, the newest. A record that snoozes forever has unlimited attempts."""


def columns_of(
    failure: Failure,
    following: Next,
    *,
    attempt: int,
    replay: int,
    errors: Sequence[Mapping[str, Any]],
    at: datetime,
    run: str,
    version: str | None,
) -> dict[str, Any]:
    """The columns, by name.

    Args:
        failure: The failure.
        following: What follows from it.
        attempt: The number of the attempt (1-based).
        replay: How often the job had been replayed.
        errors: The history before this attempt.
        at: When it failed.
        run: The run that counts it.
        version: Of the pipeline that made the attempt; None if it is not known.
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
            version=version,
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
    version: str | None = None,
) -> list[Mapping[str, Any]]:
    """``errors`` with one more entry; the oldest are dropped beyond ``ERRORS_KEPT``.

    Args:
        errors: The history so far.
        attempt: The number of the failed attempt since the last replay (1-based).
        replay: How often the job had been replayed.
        at: When it failed.
        error: The message, of bounded length.
        due: When the next attempt is due, or None.
        version: Of the pipeline that made the attempt; None if it is not known.
    """
    entry = {
        "attempt": attempt,
        "replay": replay,
        "at": _text_of(at),
        "error": error,
        "due": None if due is None else _text_of(due),
        **({"version": version} if version else {}),
    }
    return [*errors[1 - ERRORS_KEPT :], entry] if errors else [entry]


_text_of = lru_cache(maxsize=16)(datetime.isoformat)
"""A time as text; most records that fail together have the same."""
