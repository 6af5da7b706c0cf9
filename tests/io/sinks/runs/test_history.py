"""The history of runs tells those that go on from those that are lost."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from sinks.control import requests
from sinks.database.engine import transaction
from sinks.database.tables import runs
from sinks.runs.heartbeat import Heartbeat
from sinks.runs.history import WantedRuns, list_runs, page, run_called
from tests.io.sinks.runs.test_runs import begun
from tests.io.sinks.tested_database import Database, make_batch
from transforms.batch.counts import Counts
from transforms.errors import ConfigError
from transforms.settle.sink import Settled

LONG_AGO = "'2020-01-01 00:00:00'"


EARLIER = sa.literal(datetime(2026, 3, 1, tzinfo=UTC), runs.c.started_at.type)
LATER = sa.literal(datetime(2026, 4, 1, tzinfo=UTC), runs.c.started_at.type)


def beaten(database: Database, run: str, read: int) -> None:
    """A process that has worked for ``run`` and has ended."""
    beat = Heartbeat(database.database, run)
    beat.settled([Settled(make_batch([]).span, Counts(read=read, inserted=read))])
    beat.stop()


def test_the_counts_of_all_processes_are_added(database: Database) -> None:
    begun(database)
    for read in (2, 3):
        beaten(database, "1", read)
    (row,) = list_runs(database.database)
    assert row.counts == Counts(read=5, inserted=5)
    assert len(row.workers) == 2
    assert all(worker.committed_at is not None for worker in row.workers)


def test_a_run_whose_processes_are_silent_is_lost_until_one_is_heard(database: Database) -> None:
    begun(database)
    database.run(f"UPDATE ingest_runs SET started_at = {LONG_AGO}")
    assert [row.state for row in list_runs(database.database)] == ["lost"]
    beaten(database, "1", 1)
    assert [row.state for row in list_runs(database.database)] == ["running"]
    database.run(f"UPDATE ingest_workers SET heartbeat_at = {LONG_AGO}")
    assert [row.state for row in list_runs(database.database)] == ["lost"]


def test_a_run_that_has_ended_is_never_lost(database: Database) -> None:
    begun(database).end("stopped")
    database.run(f"UPDATE ingest_runs SET started_at = {LONG_AGO}")
    assert [row.state for row in list_runs(database.database)] == ["stopped"]


def test_the_newest_comes_first_and_a_pipeline_can_be_chosen(database: Database) -> None:
    for id_ in ("1", "2", "3"):
        begun(database, id_)
    database.run("UPDATE ingest_runs SET pipeline = 'other' WHERE id = '2'")
    assert [row.id for row in list_runs(database.database, limit=2)] == ["3", "2"]
    assert [row.id for row in list_runs(database.database, "events")] == ["3", "1"]


def test_a_run_is_called_by_the_beginning_of_its_id(database: Database) -> None:
    for id_ in ("ab1", "ab2", "a%"):
        begun(database, id_)
    assert run_called(database.database, "ab2").id == "ab2"
    assert run_called(database.database, "a%").id == "a%"
    with pytest.raises(ConfigError, match="several runs begin with 'ab'"):
        run_called(database.database, "ab")
    with pytest.raises(ConfigError, match="no run begins with 'x'"):
        run_called(database.database, "x")


def test_a_run_that_goes_on_says_what_is_held_and_one_that_has_ended_does_not(
    database: Database,
) -> None:
    begun(database, "1").end("paused")
    begun(database, "2")
    by = {"actor": "ann", "reason": "r"}
    requests.ask(database.database, "events", ["kafka://a"], "draining", **by)
    requests.ask(database.database, "events", ["kafka://b"], "running", **by)
    rows = {row.id: (row.state, row.held) for row in list_runs(database.database)}
    assert rows == {"1": ("paused", {}), "2": ("running", {"kafka://a": "draining"})}


def test_pages_have_each_run_once_though_several_began_at_once(database: Database) -> None:
    for number in range(7):
        run = begun(database, str(number), "p" if number % 2 else "q")
        if number != 3:
            run.end("completed" if number % 3 else "failed")
    with transaction(database.database, "test") as connection:
        began = sa.case((runs.c.id == "5", LATER), else_=EARLIER)
        connection.execute(sa.update(runs).values(started_at=began))

    def ids(wanted: WantedRuns) -> list[str]:
        result: list[str] = []
        before = None
        while True:
            shown = page(database.database, wanted, before=before, limit=2)
            result += [row.id for row in shown.runs]
            before = shown.before
            if before is None:
                return result

    assert ids(WantedRuns()) == ["5", "0", "1", "2", "3", "4", "6"]
    assert ids(WantedRuns(pipeline="p")) == ["5", "1", "3"]
    assert ids(WantedRuns(target="events", outcome="failed")) == ["0", "6"]
    assert ids(WantedRuns(outcome="open")) == ["3"]
    assert ids(WantedRuns(target="other")) == []
    assert ids(WantedRuns(since=datetime(2026, 4, 1, tzinfo=UTC))) == ["5"]
