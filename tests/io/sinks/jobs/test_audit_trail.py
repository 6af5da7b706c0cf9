"""The audit trail: an entry with every change, none without one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sinks.jobs import audit_trail
from sinks.jobs.actions import carry_out
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import Order
from tests.io.sinks.jobs.stored_jobs import (
    DEAD,
    FAILED_AT,
    act,
    counted,
    prepared,
    refuse_audit,
    store,
    stored,
    trail,
)
from tests.io.sinks.tested_database import Database
from transforms.batch.job_states import CANCEL, PURGE, REPLAY, Action
from transforms.errors import SinkFailed


def test_an_entry_says_who_why_and_which(database: Database) -> None:
    config = prepared(database)
    store(config, DEAD)
    hostile = "x'); DELETE FROM ingest_audit; -- \x00 " + "y" * 3_000
    order = Order.of(REPLAY, JobFilter(target="events", ids=(1,), since=FAILED_AT), limit=9)
    carry_out(config.database, order, actor=hostile, reason=hostile)
    (entry,) = audit_trail.entries(config.database)
    assert entry.actor == hostile.replace("\x00", "\ufffd")[:255]
    assert entry.reason == hostile.replace("\x00", "\ufffd")[:2_000]
    assert (entry.action, entry.count) == ("replay", 1)
    assert entry.filter == {
        "target": "events",
        "ids": [1],
        "since": FAILED_AT.isoformat(),
        "states": ["discarded"],
        "max_replays": 5,
        "limit": 9,
    }
    assert abs(datetime.now(UTC) - entry.at) < timedelta(seconds=60)


@pytest.mark.parametrize("action", [REPLAY, CANCEL, PURGE])
def test_no_change_without_its_entry(database: Database, action: Action) -> None:
    config = prepared(database)
    store(config, DEAD, {"state": "retryable"})
    refuse_audit(database)
    with pytest.raises(SinkFailed, match="not today"):
        act(config, action)
    assert stored(config, "state", "replays") == [("discarded", 0), ("retryable", 0)]
    assert counted(config) == (1, 1)
    assert trail(config) == []
