"""What people have done is counted from the audit trail."""

from __future__ import annotations

from sinks.bulk.long_orders import cancel, give
from sinks.figures.by_hand import by_hand
from sinks.jobs.actions import carry_out
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import Order
from tests.io.sinks.figures.samples import read
from tests.io.sinks.tested_database import Database, make_batch, make_failure
from transforms.batch.job_states import ACTIONS


def test_jobs_are_counted_by_action(database: Database) -> None:
    sink = database.sink(key=["id"])
    sink.commit([make_batch([], failures=[make_failure(n) for n in range(5)])])
    for action, limit in (("purge", 1), ("purge", 1), ("replay", 2)):
        order = Order.of(ACTIONS[action], JobFilter(), limit=limit)
        carry_out(database.database, order, actor="test", reason="test")
    replay = Order.of(ACTIONS["replay"], JobFilter())
    number = give(
        database.database, replay, actor="test", reason="a long order changes none itself"
    )
    cancel(database.database, number, actor="test", reason="test")
    assert read(database, by_hand) == {"sluice_actions_total": {("purge",): 2, ("replay",): 2}}
