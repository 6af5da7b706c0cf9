"""The queue by time, and what is being tried."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from sinks.console.due import Due, Place, due
from sinks.database import leases
from sinks.database.engine import transaction
from sinks.database.tables import claims, queue
from tests.io.sinks.jobs.stored_jobs import LEASE, prepared, store
from tests.io.sinks.tested_database import Database

LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)


def filled(database: Database) -> list[int]:
    """Jobs of three owners and of nobody, several of which are due at the same time; in their order."""
    config = prepared(database)
    kinds = [
        {
            "state": "retryable",
            "owner": uuid.UUID(int=number % 4) if number % 4 else None,
            "scheduled_at": LATER + timedelta(hours=number // 5),
        }
        for number in range(20)
    ]
    return store(config, *kinds)


def pages(database: Database, target: str | None = None, limit: int = 3) -> list[Due]:
    result: list[Due] = []
    after: Place | None = None
    while not result or after is not None:
        result.append(due(database.database, target, after=after, limit=limit))
        after = result[-1].after
    return result


def test_each_job_is_on_one_page_in_the_order_of_time(database: Database) -> None:
    ids = filled(database)
    rows = [row for page in pages(database) for row in page.rows]
    assert [row.id for row in rows] == ids
    assert [row.due_at for row in rows] == sorted(row.due_at for row in rows)
    assert not any(row.late for row in rows)
    first = rows[0]
    assert (first.stage, first.category, first.attempt, first.max_attempts, first.size) == (
        *("write", "constraint", 3, 10),
        2,
    )


def test_a_table_can_be_chosen_and_the_sums_are_of_all(database: Database) -> None:
    ids = filled(database)
    with transaction(database.database, "test") as connection:
        connection.execute(
            sa.update(queue)
            .where(queue.c.job.in_(ids[::3]))
            .values(target="other", due_at=datetime(2020, 1, 1, tzinfo=UTC))
        )
    result = pages(database, "other", 2)
    assert sorted(row.id for page in result for row in page.rows) == ids[::3]
    assert all(row.late for page in result for row in page.rows)
    waiting = [(one.target, one.jobs, one.late) for one in result[0].waiting]
    assert waiting == [("events", 13, 0), ("other", 7, 7)]
    assert result[0].counted


def test_claims_say_whether_their_lease_lives(database: Database) -> None:
    config = prepared(database)
    store(config, {"state": "executing"})
    (claim,) = due(database.database).claims
    assert (claim.pipeline, claim.lease, claim.jobs, claim.lives) == ("events", LEASE, 1, False)
    assert claim.expires_at is None
    assert leases.hold(database.database, "worker", 60)
    with transaction(database.database, "test") as connection:
        connection.execute(sa.update(claims).values(lease="worker"))
    (claim,) = due(database.database).claims
    assert claim.lives
    assert claim.expires_at is not None


def test_an_empty_queue_is_empty(database: Database) -> None:
    database.sink()
    result = due(database.database)
    assert (list(result.rows), list(result.waiting), list(result.claims)) == ([], [], [])
    assert result.after is None
