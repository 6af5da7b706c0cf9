"""Work that nobody does is told: lost runs, late jobs, lag, and attempts of the dead."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from sinks.database.tables import control
from sinks.doctor import processes
from sinks.doctor.scope import Question, Queue
from tests.io.sinks.doctor.examined import NOW, ago, insert, last_run, said, wrong
from tests.io.sinks.figures.test_activity import beaten
from tests.io.sinks.jobs.stored_jobs import LEASE, prepared, store
from tests.io.sinks.runs.test_runs import begun
from tests.io.sinks.tested_database import Database

HOUR = timedelta(hours=1)


def queue(due: datetime, pipeline: str | None = "p") -> Queue:
    return Queue(pipeline, "t", 7, 12, due)


def test_a_run_that_is_not_heard_is_lost() -> None:
    silent = last_run(heard_at=NOW - HOUR)
    item = processes.lost(silent, NOW)
    assert item is not None
    assert item.level == "error"
    bounded = processes.lost(last_run(heard_at=None, streaming=False), NOW)
    assert bounded is not None
    assert bounded.level == "warning"
    assert processes.lost(last_run(heard_at=NOW - timedelta(seconds=50)), NOW) is None
    assert processes.lost(last_run(heard_at=NOW - HOUR, outcome="failed"), NOW) is None


@pytest.mark.parametrize(
    ("late", "live", "held", "told"),
    [
        (timedelta(seconds=30), 0, False, False),
        (timedelta(minutes=2), 0, False, True),
        (timedelta(minutes=2), 0, True, False),
        (timedelta(minutes=2), 1, False, False),
        (timedelta(hours=2), 1, False, True),
        (-HOUR, 0, False, False),
    ],
)
def test_late_jobs_are_told(late: timedelta, live: int, held: bool, told: bool) -> None:
    item = processes.waiting(queue(NOW - late), live, held, NOW)
    assert (item is not None) == told
    if item is not None:
        assert ("leave them" in item.what) == bool(live)
    assert processes.waiting(queue(NOW - late, None), live, held, NOW) is None


def test_lag_without_a_process_is_told() -> None:
    assert processes.lagging(last_run(lag=9.0), 0) is not None
    assert processes.lagging(last_run(lag=9.0), 1) is None
    assert processes.lagging(last_run(lag=0.0), 0) is None
    assert processes.lagging(last_run(lag=9.0, streaming=False), 0) is None


def test_a_database_where_all_is_well(database: Database) -> None:
    begun(database, streaming=True)
    beaten(database, "1", lag={"kafka://t": 5})
    assert [item.level for item in said(database, processes.check)] == ["ok", "ok"]


def test_a_stream_that_was_killed_is_lost_with_its_lag(database: Database) -> None:
    begun(database, streaming=True)
    beaten(database, "1", lag={"kafka://t": 5})
    database.run(f"UPDATE ingest_workers SET heartbeat_at = {ago(hours=2)}")
    lost, lag = wrong(database, processes.check)
    assert (lost.level, lost.where) == ("error", "events")
    assert lag.figures == {"lag": 5}
    begun(database, "2", "other")
    assert wrong(database, processes.check, Question("other")) == []


def test_waiting_jobs_without_a_process_are_told_unless_they_are_paused(database: Database) -> None:
    config = prepared(database)
    store(config, {"state": "retryable", "pipeline": "p"})
    owner = "00000000000000000000000000000001"
    database.run(f"UPDATE ingest_queue SET owner = '{owner}', due_at = {ago(hours=3)}")
    (item,) = wrong(database, processes.check)
    assert (item.level, item.where, item.figures["jobs"]) == ("warning", "p", 1)
    at = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
    row = {"pipeline": "p", "source": "", "state": "paused", "generation": 0}
    insert(database, control, {**row, "actor": "a", "reason": "r", "changed_at": at})
    assert wrong(database, processes.check) == []


def test_attempts_of_a_process_that_is_gone_are_told(database: Database) -> None:
    config = prepared(database)
    store(config, {"state": "executing"}, {"state": "executing"})
    (item,) = wrong(database, processes.check)
    assert (item.check, item.figures["jobs"]) == ("leases", 2)
    later = "'2099-01-01 00:00:00'"
    database.run(f"INSERT INTO ingest_leases VALUES ('{LEASE}', 'h', {later})")
    assert wrong(database, processes.check) == []
    database.run(f"UPDATE ingest_leases SET expires_at = {ago(minutes=5)}")
    (item,) = wrong(database, processes.check)
    assert "5 min" in item.what
    assert wrong(database, processes.check, Question("other")) == []


def test_a_lease_that_has_just_run_out_is_left_to_others() -> None:
    assert processes.expired(1, 3, NOW - timedelta(seconds=30), NOW) is None
    assert processes.expired(0, 0, NOW - HOUR, NOW) is None
