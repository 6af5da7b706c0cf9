"""A process says what it has settled for a run, for as long as it lives."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.database.tables import workers
from sinks.runs import heartbeat
from sinks.runs.heartbeat import Heartbeat
from sinks.sql import SqlSink
from tests.io.sinks.tested_database import Database, make_batch
from transforms import instruments
from transforms.batch.counts import Counts


@pytest.fixture(autouse=True)
def _stopped() -> Iterator[None]:
    yield
    heartbeat.stop_all()


def watched(database: Database, seconds: float = 0.05) -> SqlSink:
    sink = database.sink(key=["id"])
    return replace(sink, heartbeat=Heartbeat(database.database, sink.run, seconds))


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_process_has_a_row_before_it_settles_anything(database: Database) -> None:
    sink = watched(database)
    sink.begin()
    sink.begin()
    rows = "SELECT run, read, committed_at, ended_at FROM ingest_workers"
    eventually(lambda: database.rows(rows) == [(sink.run, 0, None, None)])


def test_the_row_follows_what_is_settled(database: Database) -> None:
    sink = watched(database)
    sink.commit([make_batch([{"id": "1"}, {"id": "1"}])])
    sink.commit([make_batch([{"id": "2"}], 2)])
    numbers = "SELECT read, inserted, duplicates FROM ingest_workers WHERE committed_at IS NOT NULL"
    eventually(lambda: database.rows(numbers) == [(3, 2, 1)])


def test_it_beats_until_it_is_stopped_and_then_has_everything(database: Database) -> None:
    sink = watched(database)
    sink.begin()
    at = "SELECT heartbeat_at FROM ingest_workers"
    eventually(lambda: bool(database.rows(at)))
    first = database.rows(at)
    eventually(lambda: database.rows(at) != first)
    sink.commit([make_batch([{"id": "1"}])])
    heartbeat.stop_all()
    rows = "SELECT read, ended_at IS NOT NULL, ended_at = heartbeat_at FROM ingest_workers"
    assert [tuple(map(int, row)) for row in database.rows(rows)] == [(1, 1, 1)]


def test_what_only_the_process_knows_is_kept_beside(database: Database) -> None:
    sink = watched(database)
    assert sink.heartbeat is not None
    instruments.reset()
    for split, lag in (("0/2", 3), ("1/2", 4)):
        instruments.hold("source_lag_records", lag, "kafka://orders", split)
    sink.heartbeat.start()
    sink.heartbeat.stop()
    instruments.reset()
    with transaction(database.database, "test", write=False) as connection:
        row = connection.scalar(sa.select(workers.c.figures))
    assert row == {"lag": {"kafka://orders": 7}, "outage_seconds": {}}


def test_a_database_that_refuses_does_not_stop_the_heartbeat(database: Database) -> None:
    if database.kind == "duckdb":
        pytest.skip("DuckDB renames no table that has an index")
    sink = watched(database)
    database.run("ALTER TABLE ingest_workers RENAME TO away")
    sink.begin()
    sink.commit([make_batch([{"id": "1"}])])
    database.run("ALTER TABLE away RENAME TO ingest_workers")
    eventually(lambda: database.rows("SELECT read FROM ingest_workers") == [(1,)])


def test_a_run_that_is_not_entered_has_no_heartbeat(database: Database) -> None:
    sink = database.sink(key=["id"])
    sink.begin()
    sink.commit([make_batch([{"id": "1"}])])
    assert database.rows("SELECT count(*) FROM ingest_workers") == [(0,)]


def test_what_is_settled_for_each_table_is_kept_beside(database: Database) -> None:
    sink = watched(database)
    assert sink.heartbeat is not None
    (settled,) = sink.commit([make_batch([{"id": "1"}])])
    instruments.reset()
    routed = replace(settled, by_target={"orders": Counts(read=1, dead=1)})
    sink.heartbeat.settled([routed])
    sink.heartbeat.settled([routed])
    heartbeat.stop_all()
    with transaction(database.database, "test", write=False) as connection:
        row = connection.scalar(sa.select(workers.c.figures))
    assert row is not None
    assert row["tables"] == {"orders": {"read": 2, "dead": 2}}


def test_a_process_knows_its_own_row_once_it_is_written(database: Database) -> None:
    assert heartbeat.names() == set()
    sink = watched(database)
    sink.begin()
    names = heartbeat.names(timeout=30.0)
    assert {(name,) for name in names} == set(database.rows("SELECT name FROM ingest_workers"))
    heartbeat.stop_all()
    assert heartbeat.names() == set()
