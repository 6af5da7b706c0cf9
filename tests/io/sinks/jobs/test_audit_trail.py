"""The audit trail: an entry with every change, none without one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sinks.database.engine import transaction
from sinks.jobs import audit_trail
from sinks.jobs.actions import carry_out
from sinks.jobs.audit_trail import enter
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


def numbers(
    database: Database, wanted: audit_trail.Wanted, limit: int = 2
) -> tuple[list[int], list[int | None]]:
    """The entries of all pages, and what ended the search of each page."""
    result: list[int] = []
    searched: list[int | None] = []
    before = None
    while not searched or before is not None:
        page = audit_trail.page(database.database, wanted, before=before, limit=limit)
        result += [entry.id for entry in page.entries]
        searched.append(page.searched)
        before = page.before
    return result, searched


def test_pages_have_each_entry_once_and_search_in_bounded_steps(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.sink()
    with transaction(database.database, "test") as connection:
        for number in range(9):
            actor = "bob" if number in (0, 1, 8) else "ann"
            action = "pause" if number % 2 else "resume"
            enter(connection, action, actor=actor, reason="<b>\x1b", which={}, count=0)
    assert numbers(database, audit_trail.Wanted()) == ([*range(9, 0, -1)], [None] * 5)
    assert numbers(database, audit_trail.Wanted(action="pause"))[0] == [8, 6, 4, 2]
    monkeypatch.setattr(audit_trail, "LOOKED_AT", 4)
    wanted = audit_trail.Wanted(actor="bob")
    assert numbers(database, wanted) == ([9, 2, 1], [4, 4, None])
    later = datetime.now(UTC) + timedelta(days=1)
    assert numbers(database, audit_trail.Wanted(since=later)) == ([], [None])
    assert len(numbers(database, audit_trail.Wanted(since=later - timedelta(days=2)))[0]) == 9
