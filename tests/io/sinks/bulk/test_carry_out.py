"""A long order is carried out to its end, wherever its process dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sinks.bulk import carry_out as carrying
from sinks.bulk import chunk
from sinks.bulk.carry_out import carry_out
from sinks.bulk.chunk import Step
from sinks.bulk.long_orders import cancel, lease_of
from sinks.database import leases
from tests.io.sinks.bulk.orders import chunks_of, copies, given, row_of
from tests.io.sinks.jobs.stored_jobs import (
    DEAD,
    WHO,
    counted,
    prepared,
    refuse_audit,
    store,
    stored,
)
from tests.io.sinks.tested_database import Database
from transforms.batch.backoff import Backoff
from transforms.batch.job_states import REPLAY

_PROGRAM = """
import sys
from sinks.bulk import chunk
from sinks.bulk.carry_out import carry_out
from sinks.database.database import Database

chunk.CHUNK = 1_000
carry_out(Database(sys.argv[1]), int(sys.argv[2]), committed=lambda step: print(step, flush=True))
"""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of three jobs, and short waits."""
    monkeypatch.setattr(chunk, "CHUNK", 3)
    monkeypatch.setattr(carrying, "_BACKOFF", Backoff(base=0.01, cap=0.01))


def test_it_ends_and_gives_its_lease_up(database: Database) -> None:
    config = prepared(database)
    store(config, *[DEAD] * 7)
    number = given(config, REPLAY)
    steps: list[Step] = []
    assert carry_out(config.database, number, committed=steps.append)
    assert [step.changed for step in steps] == [3, 3, 1, 0]
    order = row_of(config, number)
    assert (order.state, order.changed, order.worker) == ("completed", 7, None)
    assert leases.number() == 0
    assert carry_out(config.database, number), "nothing is left to do"
    assert chunks_of(config, number, REPLAY) == [3, 3, 1]


def test_it_ends_after_the_chunk_that_is_under_way_when_it_is_asked_to(
    database: Database,
) -> None:
    config = prepared(database)
    store(config, *[DEAD] * 7)
    number, stopped = given(config, REPLAY), threading.Event()
    carry_out(config.database, number, stopped=stopped, committed=lambda step: stopped.set())
    order = row_of(config, number)
    assert (order.state, order.changed) == ("available", 3)
    carry_out(config.database, number)
    assert chunks_of(config, number, REPLAY) == [3, 3, 1]


def test_it_is_cancelled_between_two_chunks(database: Database) -> None:
    config = prepared(database)
    store(config, *[DEAD] * 7)
    number = given(config, REPLAY)

    def committed(step: Step) -> None:
        if step.changed:
            cancel(config.database, number, **WHO)

    carry_out(config.database, number, committed=committed)
    order = row_of(config, number)
    assert (order.state, order.changed, counted(config)) == ("cancelled", 3, (4, 3))


def test_an_order_of_another_process_is_left_to_it(database: Database) -> None:
    config = prepared(database)
    store(config, DEAD)
    number = given(config, REPLAY)
    assert leases.hold(config.database, lease_of(number), 60)
    leases.held_leases.clear()  # as if another process had it
    assert not carry_out(config.database, number)
    assert row_of(config, number).changed == 0


def test_a_process_carries_out_one_at_a_time(database: Database) -> None:
    config = prepared(database)
    store(config, *[DEAD] * 4)
    number, other = given(config, REPLAY), given(config, REPLAY)
    begun, go_on = threading.Event(), threading.Event()

    def committed(step: Step) -> None:
        begun.set()
        assert go_on.wait(30)

    with ThreadPoolExecutor() as threads:
        first = threads.submit(carry_out, config.database, number, committed=committed)
        assert begun.wait(30)
        assert not carry_out(config.database, other)
        go_on.set()
        assert first.result(30)
    assert carry_out(config.database, other)


def test_what_the_database_refuses_ends_the_order(database: Database) -> None:
    config = prepared(database)
    store(config, *[DEAD] * 5)
    number = given(config, REPLAY)
    refuse_audit(database, after=2)
    carry_out(config.database, number)
    order = row_of(config, number)
    assert (order.state, order.changed, order.has_ended) == ("discarded", 3, True)
    assert order.message is not None
    assert "not today" in order.message
    assert counted(config) == (2, 3)


def test_jobs_that_are_held_for_good_are_left_alone_in_the_end(postgres: Database) -> None:
    config = prepared(postgres)
    store(config, *[DEAD] * 3)
    number = given(config, REPLAY)
    other = postgres.connect()
    other.cursor().execute("SELECT 1 FROM ingest_jobs WHERE id = 2 FOR UPDATE")
    steps: list[Step] = []
    carry_out(config.database, number, committed=steps.append)
    other.close()
    assert [step.waits for step in steps] == [False, *[True] * carrying.TRIES, False]
    order = row_of(config, number)
    assert (order.state, order.changed, order.left_alone) == ("completed", 2, {"held": 1})


@pytest.mark.slow
def test_a_process_that_is_killed_midway_leaves_nothing_undone_or_done_twice(
    postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunk, "CHUNK", 1_000)
    config = prepared(postgres)
    store(config, DEAD)
    copies(config, 20_000)
    number = given(config, REPLAY)
    committed = 0
    for chunks in (1, 3, 2):
        argv = [sys.executable, "-c", _PROGRAM, postgres.url, str(number)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            for _ in range(chunks):
                assert process.stdout.readline().startswith("Step(changed=1000")
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        assert committed < row_of(config, number).changed < 20_000
        committed = row_of(config, number).changed
        assert sum(counted(config)) == 20_000
        assert row_of(config, number).state == "executing", "its lease has not run out yet"
        assert not carry_out(config.database, number)
        postgres.run("UPDATE ingest_leases SET expires_at = now() - interval '1 second'")
    assert carry_out(config.database, number)
    order = row_of(config, number)
    assert (order.state, order.changed, order.left_alone) == ("completed", 20_000, {})
    assert sum(chunks_of(config, number, REPLAY)) == 20_000
    assert set(stored(config, "replays")) == {1}
    assert set(stored(config, "state")) == {"available"}
    assert counted(config) == (0, 20_000)
