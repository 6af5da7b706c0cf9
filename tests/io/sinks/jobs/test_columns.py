"""What a failed attempt writes into its job."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sinks.jobs.columns import ERRORS_KEPT, columns_of, with_error
from tests.io.sinks.jobs.queued_jobs import retryable
from transforms.batch.retry_policy import Next
from transforms.errors import MESSAGE_LIMIT, STACK_LIMIT

AT = datetime(2026, 1, 2, tzinfo=UTC)


def columns(following: Next, **changes: Any) -> dict[str, Any]:
    failure = retryable(3, **changes)
    return columns_of(
        failure, following, attempt=2, replay=1, errors=(), at=AT, run="r", version="v1"
    )


def test_a_retry_is_due_after_its_delay() -> None:
    row = columns(Next("retryable", 2, 30.0))
    assert (row["state"], row["attempt"]) == ("retryable", 2)
    assert row["scheduled_at"] == AT + timedelta(seconds=30)
    assert row["discarded_at"] is None
    (error,) = row["errors"]
    assert error["due"] == (AT + timedelta(seconds=30)).isoformat()


def test_the_last_failure_discards_and_nothing_is_due() -> None:
    row = columns(Next("discarded", 2, 0.0))
    assert (row["state"], row["discarded_at"]) == ("discarded", AT)
    assert row["errors"][0]["due"] is None


def test_texts_are_bounded_and_the_end_of_a_stack_is_kept() -> None:
    row = columns(Next("discarded", 2, 0.0), message="m" * 99_999, stack="a" * 99_999 + "end")
    assert len(row["message"]) == MESSAGE_LIMIT
    assert len(row["stack"]) == STACK_LIMIT
    assert row["stack"].endswith("end")


@pytest.mark.parametrize("before", [0, 1, ERRORS_KEPT, 2 * ERRORS_KEPT])
def test_the_newest_errors_are_kept(before: int) -> None:
    errors = [{"attempt": number} for number in range(before)]
    history = with_error(errors, attempt=before, replay=0, at=AT, error="x", due=None)
    assert len(history) == min(before + 1, ERRORS_KEPT)
    assert history[-1]["attempt"] == before
    assert [entry["attempt"] for entry in history] == sorted(entry["attempt"] for entry in history)
