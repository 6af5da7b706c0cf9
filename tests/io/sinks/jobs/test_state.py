"""The state of a job: ``executing`` is a waiting job that has left the queue."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.database.tables import jobs
from sinks.jobs.state import CURRENT, executions, has_jobs_executing, is_in
from tests.io.sinks.jobs.queued_jobs import Queue
from tests.io.sinks.jobs.stored_jobs import prepared, store
from tests.io.sinks.tested_database import Database
from transforms.batch.job_states import JOB_STATES

STATES = sorted(set(JOB_STATES) - {"suspended"})


def test_the_current_state_is_the_one_that_was_stored_or_executing(database: Database) -> None:
    config = prepared(database)
    store(config, *({"state": state} for state in STATES))
    with transaction(config.database, "test", write=False) as connection:
        states = connection.execute(sa.select(CURRENT).order_by(jobs.c.id)).scalars()
        assert list(states) == STATES


@pytest.mark.parametrize("state", STATES)
def test_a_condition_finds_the_jobs_in_its_states(database: Database, state: str) -> None:
    config = prepared(database)
    store(config, *({"state": state} for state in STATES))
    with transaction(config.database, "test", write=False) as connection:
        query = sa.select(CURRENT).where(is_in(state, "cancelled")).order_by(CURRENT)
        assert list(connection.execute(query).scalars()) == sorted({state, "cancelled"})


def test_a_claim_makes_its_jobs_executing_until_they_are_given_back(queue: Queue) -> None:
    def executing() -> tuple[int, bool]:
        with transaction(queue.config.database, "test", write=False) as connection:
            under_lease = sa.select(has_jobs_executing())
            return len(executions(connection)), any(connection.execute(under_lease).scalars())

    assert executing() == (0, False)
    batches = queue.claim()
    with transaction(queue.config.database, "test", write=False) as connection:
        assert {execution.lease for execution in executions(connection).values()} == {queue.lease}
    assert executing()[0] == 5
    queue.queue.give_back(batches)
    assert executing()[0] == 0
