"""The history of a job: one entry for every attempt that failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

ERRORS_KEPT = 100
"""The newest entries: a record that is snoozed for ever has no bound to its attempts."""


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
