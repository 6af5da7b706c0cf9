"""What tests of Flink without Flink share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runners.flink import submission, watch
from tests.runners.flink.job_manager import JobManager


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[JobManager]:
    """A JobManager that answers what a test sets, and short waits for it."""
    monkeypatch.setattr(submission, "SUBMIT_SECONDS", 0.5)
    monkeypatch.setattr(watch, "START_SECONDS", 0.5)
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.1)
    manager = JobManager()
    yield manager
    manager.server.shutdown()
    manager.server.server_close()
