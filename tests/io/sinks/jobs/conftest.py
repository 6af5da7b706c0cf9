"""A queue of five failed records, on every database."""

from __future__ import annotations

import pytest

from tests.io.sinks.jobs.queued_jobs import Queue, retryable
from tests.io.sinks.tested_database import Database


@pytest.fixture
def queue(database: Database) -> Queue:
    return Queue(database, *map(retryable, range(5)))
