"""Accounts: the ledger and the jobs must say the same of every partition."""

from __future__ import annotations

import pytest

from sinks.ledger.accounts import accounts
from tests.io.sinks.jobs.stored_jobs import prepared, store
from tests.io.sinks.tested_database import Database
from transforms.batch.job_states import JOB_STATES


def test_each_partition_has_its_own_jobs(database: Database) -> None:
    config = prepared(database)
    store(config, *({"state": state} for state in JOB_STATES))
    store(config, {"state": "retryable"}, partition="q")
    store(config, {}, {}, target="others")
    store(config, source="file:///empty")
    listed = []
    for account in accounts(config.database):
        progress = account.progress
        place = (progress.pipeline, progress.source, progress.partition)
        listed.append((*place, account.retrying, account.dead, account.balanced))
    assert listed == [
        ("events", "file:///a", "p", 5, 2, True),
        ("events", "file:///a", "q", 1, 0, True),
        ("events", "file:///empty", "p", 0, 0, True),
        ("others", "file:///a", "p", 0, 2, True),
    ]


@pytest.mark.parametrize(
    ("statement", "balanced"),
    [
        ("DELETE FROM ingest_jobs WHERE state = 'retryable'", False),
        ("UPDATE ingest_jobs SET state = 'completed' WHERE state = 'retryable'", False),
        ("UPDATE ingest_jobs SET state = 'available' WHERE state = 'discarded'", False),
        ("UPDATE ingest_progress SET dead = dead - 1", False),
        ("UPDATE ingest_progress SET retrying = retrying + 1", False),
        ("DELETE FROM ingest_queue", True),  # at an attempt
        ("DELETE FROM ingest_jobs WHERE state = 'discarded'", False),
        ("DELETE FROM ingest_jobs WHERE state = 'completed'", True),
    ],
)
def test_a_mismatch_is_seen(database: Database, statement: str, balanced: bool) -> None:
    config = prepared(database)
    store(config, {"state": "retryable"}, {"state": "discarded"}, {"state": "completed"})
    database.run(statement)
    (account,) = accounts(config.database)
    assert account.balanced == balanced


def test_jobs_are_counted_once_however_many_ranges_there_are(database: Database) -> None:
    config = prepared(database)
    store(config, {"state": "retryable"}, {})
    database.run(
        "INSERT INTO ingest_progress SELECT pipeline, source, partition, 10, 20, final, "
        "0, 0, 0, 0, 0, 0, 0, updated_at, 0, content, run, 0, 0 FROM ingest_progress"
    )
    (account,) = accounts(config.database)
    assert (account.retrying, account.dead, account.balanced) == (1, 1, True)
    assert account.progress.coverage.ranges == ((0, 2), (10, 20))


def test_without_a_ledger_there_are_none(database: Database) -> None:
    assert list(accounts(database.database)) == []
