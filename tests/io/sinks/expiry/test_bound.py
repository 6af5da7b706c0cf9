"""Failed records hold the deletes that may be newer than they are."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sinks.database.engine import transaction
from sinks.expiry.bound import Bound, bound_of
from tests.io.sinks.expiry.gone_keys import settled
from tests.io.sinks.jobs.stored_jobs import FAILED_AT, prepared, store
from tests.io.sinks.tested_database import Database
from transforms.route.table_name import UNROUTED

MONTH = timedelta(days=30)


def bound(database: Database, target: str = "events") -> Bound:
    with transaction(database.database, "test", write=False) as connection:
        return bound_of(connection, target, MONTH)


def held_by(job: int) -> Bound:
    return Bound(FAILED_AT - MONTH, job)


@pytest.mark.parametrize(
    ("state", "holds"),
    [
        ("discarded", True),
        ("cancelled", True),
        ("available", True),
        ("scheduled", True),
        ("retryable", True),
        ("executing", True),
        ("suspended", True),
        ("completed", False),
    ],
)
def test_what_may_be_tried_or_replayed_holds_them(
    database: Database, state: str, holds: bool
) -> None:
    config = prepared(database)
    (job,) = store(config, {"state": state})
    limit = bound(database)
    if holds:
        assert limit == held_by(job)
    else:
        assert limit.job is None
        assert limit.before is not None
        assert limit.before > FAILED_AT


def test_the_oldest_one_counts_and_other_tables_do_not(database: Database) -> None:
    config = prepared(database)
    store(config, {"inserted_at": FAILED_AT - timedelta(days=90)}, target="others")
    later, earlier = store(
        config, {"inserted_at": FAILED_AT + timedelta(days=1)}, {"inserted_at": FAILED_AT}
    )
    assert bound(database).before == FAILED_AT - MONTH
    assert bound(database).job == min(later, earlier)


def test_a_pipeline_that_writes_the_table_may_choose_it_for_any_of_its_jobs(
    database: Database,
) -> None:
    config = prepared(database)
    (job,) = store(config, {"read_by": "routed"}, target=UNROUTED)
    assert bound(database).job is None, "no pipeline of that name has written the table"
    settled(database, pipeline="routed")
    assert bound(database) == held_by(job)


def test_a_job_that_steps_made_of_another_came_nobody_knows_when(database: Database) -> None:
    config = prepared(database)
    _, job = store(config, {}, {"expansion": "[[1, 2]]"})
    assert bound(database) == Bound(None, job)
