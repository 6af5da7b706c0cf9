"""Jobs and runs that are kept for too long are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sinks.doctor import retention
from sinks.doctor.retention import Deletes
from sinks.doctor.scope import Question
from tests.io.sinks.doctor.examined import NOW, ago, last_run, said, wrong
from tests.io.sinks.expiry.gone_keys import forget_later
from tests.io.sinks.jobs.stored_jobs import prepared, store
from tests.io.sinks.runs.test_runs import begun
from tests.io.sinks.tested_database import Database

MONTH = last_run(options={"retain": ["discarded=30d", "runs=30d"]})


@pytest.mark.parametrize(("days", "number"), [(29, 0), (30.9, 0), (31.1, 1), (400, 1)])
def test_a_job_may_be_kept_for_a_day_longer(days: float, number: int) -> None:
    oldest = {("t", "discarded"): NOW - timedelta(days=days)}
    assert len(list(retention.overdue(MONTH, oldest, NOW))) == number
    assert (retention.overdue_runs(MONTH, NOW - timedelta(days=days), NOW) is not None) == number


def test_what_no_run_says_is_not_overdue() -> None:
    oldest = {("t", "discarded"): NOW - timedelta(days=400), ("u", "discarded"): NOW}
    for options in ({}, {"retain": ["completed=1d"]}, {"retain": ["of=tomorrow"]}, {"retain": "x"}):
        run = last_run(options=options)
        assert list(retention.overdue(run, oldest, NOW)) == []
        assert retention.overdue_runs(run, NOW - timedelta(days=400), NOW) is None


def test_many_jobs_that_stay_forever_are_told() -> None:
    many = retention.MANY_JOBS
    item = retention.unbounded(many, [last_run(), MONTH])
    assert item is not None
    assert item.figures == {"jobs": many, "pipelines": ["p"]}
    assert retention.unbounded(many - 1, [last_run()]) is None
    assert retention.unbounded(many, [MONTH]) is None


def test_what_is_overdue_in_a_database_is_told(database: Database) -> None:
    config = prepared(database)
    begun(database, options={"retain": ["discarded=30d"]})
    store(config, {"state": "discarded"}, {"state": "completed"})
    database.run(f"UPDATE ingest_jobs SET discarded_at = {ago(days=20)} WHERE state = 'discarded'")
    assert [item.level for item in said(database, retention.check)] == ["ok"]
    database.run(f"UPDATE ingest_jobs SET discarded_at = {ago(days=40)} WHERE state = 'discarded'")
    (item,) = wrong(database, retention.check)
    assert (item.where, item.figures["state"]) == ("events", "discarded")
    assert "9 d 23 h" in item.what or "10 d" in item.what
    assert wrong(database, retention.check, Question("other")) == []


def test_old_runs_are_told(database: Database) -> None:
    begun(database, "1").end("completed")
    old = ago(days=40)
    database.run(f"UPDATE ingest_runs SET started_at = {old}, ended_at = {old}")
    begun(database, "2", options={"retain": ["runs=30d"]})
    (item,) = wrong(database, retention.check)
    assert (item.where, item.figures["state"]) == ("ingest_runs", "runs")
    database.run("DELETE FROM ingest_runs WHERE id = '1'")
    assert wrong(database, retention.check) == []


def test_what_is_remembered_of_deletes_for_too_long_is_told(database: Database) -> None:
    config = prepared(database)
    begun(database, options={"retain": ["deletes=30d"]})
    (job,) = store(config, {"inserted_at": datetime.now(UTC) - timedelta(days=20)})
    forget_later(database, 3, 4, age=timedelta(days=30, hours=20))
    (item,) = said(database, retention.check)
    assert (item.level, item.figures["deletes"]) == ("ok", {"events": 2})
    forget_later(database, 5, age=timedelta(days=40), start=10)
    (item,) = wrong(database, retention.check)
    assert (item.where, item.figures["state"], item.figures["job"]) == ("events", "deletes", job)
    assert f"failed record {job} may be older" in item.what
    database.run("DELETE FROM ingest_jobs")
    (item,) = wrong(database, retention.check)
    assert "run pipeline events again" in item.todo
    database.run("DELETE FROM ingest_positions")
    (item,) = said(database, retention.check)
    assert item.figures["deletes"] == {}


def test_many_deletes_that_stay_forever_are_told() -> None:
    many = Deletes("t", retention.MANY_JOBS, NOW)
    for options in ({}, {"retain": ["runs=1d"]}):
        item = retention.overdue_deletes(last_run(options=options), many, NOW)
        assert item is not None
        assert "--retain deletes=90d" in item.todo
    few = replace(many, number=many.number - 1)
    assert retention.overdue_deletes(last_run(), few, NOW) is None
    forgetting = last_run(options={"retain": ["deletes=30d"]})
    assert retention.overdue_deletes(forgetting, many, NOW) is None
