"""A worker takes the orders that wait, and survives what goes wrong."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from sinks.bulk import chunk, worker
from sinks.bulk.long_orders import lease_of
from sinks.bulk.worker import Worker
from sinks.database import leases
from sinks.database.database import Database as SluiceDatabase
from tests.io.sinks.bulk.orders import chunks_of, given, row_of
from tests.io.sinks.jobs.stored_jobs import DEAD, counted, prepared, store
from tests.io.sinks.tested_database import Database
from transforms.batch.backoff import Backoff
from transforms.batch.job_states import CANCEL, REPLAY
from transforms.errors import Contention, SinkUnavailable


def quick(database: SluiceDatabase) -> Worker:
    """A worker that hardly waits."""
    return Worker(database, seconds=0.01, backoff=Backoff(base=0.01, cap=0.02))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of three jobs."""
    monkeypatch.setattr(chunk, "CHUNK", 3)


def await_that(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)


def test_orders_that_wait_are_carried_out_the_oldest_first(database: Database) -> None:
    config = prepared(database)
    store(config, *[DEAD] * 4)
    replay, cancel = given(config, REPLAY), given(config, CANCEL)
    one = Worker(config.database)
    assert one.look()
    assert row_of(config, replay).changed == row_of(config, cancel).changed == 4
    assert {row_of(config, number).state for number in (replay, cancel)} == {"completed"}
    assert counted(config) == (4, 0)
    assert one.message is None


def test_orders_of_other_processes_are_left_to_them(database: Database) -> None:
    config = prepared(database)
    store(config, DEAD)
    number = given(config, REPLAY)
    assert leases.hold(config.database, lease_of(number), 60)
    leases.held_leases.clear()  # as if another process had it
    assert Worker(config.database).look()
    assert row_of(config, number).changed == 0


def test_its_thread_takes_what_is_given_and_ends_when_asked(database: Database) -> None:
    config = prepared(database)
    store(config, *[DEAD] * 4)
    one = quick(config.database)
    one.start()
    number = given(config, REPLAY)
    one.wake()
    await_that(lambda: row_of(config, number).state == "completed")
    assert one.stop(30)


def test_it_survives_an_outage_in_the_middle_of_an_order(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = prepared(database)
    store(config, *[DEAD] * 7)
    number = given(config, REPLAY)
    real, calls = chunk.carry_on, 0
    away = threading.Event()

    def carry_on(*args: object, **more: object) -> object:
        nonlocal calls
        calls += 1
        if calls > 1 and not away.is_set():
            raise SinkUnavailable("cannot reach the database")
        return real(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(chunk, "carry_on", carry_on)
    one = quick(config.database)
    with caplog.at_level(logging.WARNING, "sinks.bulk"):
        one.start()
        await_that(lambda: calls > 4)
        assert one.message == "cannot reach the database"
        away.set()
        await_that(lambda: row_of(config, number).state == "completed")
        assert one.stop(30)
    assert chunks_of(config, number, REPLAY) == [3, 3, 1]
    assert one.message is None
    said = [record.message for record in caplog.records if "long orders" in record.message]
    assert said == ["long orders wait: cannot reach the database", "long orders go on"]


def test_one_order_that_fails_does_not_hold_the_others_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = prepared(database)
    store(config, *[DEAD] * 2)
    odd, good = given(config, REPLAY), given(config, REPLAY)
    database.run(f"UPDATE ingest_orders SET which = '{{}}' WHERE id = {odd}")
    one = Worker(config.database)
    assert not one.look()
    assert row_of(config, good).state == "completed"
    order = row_of(config, odd)
    assert order.state == "available"
    assert order.message is not None
    assert "cannot be read" in order.message
    assert one.message == order.message


def test_what_holds_an_order_up_is_said_until_it_goes_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = prepared(database)
    store(config, DEAD)
    number = given(config, REPLAY)
    with monkeypatch.context() as patch:

        def contended(*_: object, **__: object) -> None:
            raise Contention("busy")

        patch.setattr(chunk, "carry_on", contended)
        assert not Worker(config.database).look()
    assert row_of(config, number).message == "busy"
    assert Worker(config.database).look()
    assert row_of(config, number).message is None


def test_a_database_that_is_away_is_asked_again_later_and_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = 0

    def waiting(_: object) -> None:
        nonlocal asked
        asked += 1
        raise SinkUnavailable("gone") if asked < 3 else RuntimeError("a defect")

    monkeypatch.setattr(worker, "waiting", waiting)
    one = quick(SluiceDatabase("postgresql://nobody@127.0.0.1:1/none"))
    one.start()
    await_that(lambda: one._failures >= 3)
    assert one.message == "RuntimeError: a defect"
    assert one.stop(30)


def test_a_server_that_cuts_every_connection_in_the_middle_of_an_order(
    postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = prepared(postgres)
    store(config, *[DEAD] * 7)
    number = given(config, REPLAY)
    real, chunks = chunk.carry_on, 0

    def cut_before_the_second(*args: Any, **more: Any) -> chunk.Step:
        nonlocal chunks
        chunks += 1
        if chunks == 2:
            postgres.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        return real(*args, **more)

    monkeypatch.setattr(chunk, "carry_on", cut_before_the_second)
    one = Worker(config.database)
    looks = 0
    while row_of(config, number).state != "completed":
        one.look()
        looks += 1
        assert looks < 5
        postgres.run("UPDATE ingest_leases SET expires_at = now()")
    assert looks > 1, "the outage was noticed"
    assert chunks_of(config, number, REPLAY) == [3, 3, 1]
    assert counted(config) == (0, 7)
