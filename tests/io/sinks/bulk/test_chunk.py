"""A chunk of a long order is applied exactly once, and no job is lost silently."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from sinks.bulk import chunk
from sinks.bulk.chunk import Step, carry_on
from sinks.bulk.long_orders import cancel
from sinks.database import engine
from sinks.database.tables import orders
from sinks.jobs import actions
from sinks.jobs.filter import JobFilter
from tests.io.sinks.bulk.orders import chunks_of, given, row_of
from tests.io.sinks.jobs.stored_jobs import (
    DEAD,
    WHO,
    counted,
    prepared,
    refuse_audit,
    store,
    stored,
)
from tests.io.sinks.tested_database import Database, await_lock
from transforms.batch.job_states import ADOPT, CANCEL, PURGE, REPLAY
from transforms.errors import Contention, SinkFailed
from transforms.steps.pipeline_identity import PipelineIdentity


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of three jobs."""
    monkeypatch.setattr(chunk, "CHUNK", 3)


def test_jobs_ledger_trail_and_position_move_together(database: Database) -> None:
    config = prepared(database)
    ids = store(config, *[DEAD] * 7)
    number = given(config, REPLAY)
    assert carry_on(config.database, number) == Step(3)
    order = row_of(config, number)
    assert (order.position, order.changed, order.state) == (ids[2], 3, "available")
    assert stored(config, "state") == ["available"] * 3 + ["discarded"] * 4
    assert counted(config) == (4, 3)
    assert chunks_of(config, number, REPLAY) == [3]
    assert [carry_on(config.database, number).changed for _ in range(2)] == [3, 1]
    assert carry_on(config.database, number) == Step(0, ended=True)
    order = row_of(config, number)
    assert (order.state, order.changed, order.left_alone) == ("completed", 7, {})
    assert order.has_ended
    assert chunks_of(config, number, REPLAY) == [3, 3, 1]
    assert counted(config) == (0, 7)
    assert carry_on(config.database, number) == Step(0, ended=True)


def test_what_is_stored_later_or_dies_again_is_not_touched(database: Database) -> None:
    config = prepared(database)
    store(config, *[DEAD] * 4)
    number = given(config, REPLAY)
    store(config, DEAD, source="file:///b")
    carry_on(config.database, number)
    database.run("UPDATE ingest_jobs SET state = 'discarded' WHERE id = 1")
    database.run("DELETE FROM ingest_queue WHERE job = 1")
    while not carry_on(config.database, number).ended:
        pass
    assert row_of(config, number).changed == 4
    assert stored(config, "replays") == [1, 1, 1, 1, 0]


def test_nothing_is_written_if_a_part_is_refused(database: Database) -> None:
    config = prepared(database)
    store(config, *[DEAD] * 5)
    number = given(config, REPLAY)
    carry_on(config.database, number)
    refuse_audit(database)
    with pytest.raises(SinkFailed, match="not today"):
        carry_on(config.database, number)
    order = row_of(config, number)
    assert (order.changed, stored(config, "state").count("available")) == (3, 3)
    assert counted(config) == (2, 3)


def test_its_limit_is_that_of_all_chunks(database: Database) -> None:
    config = prepared(database)
    store(config, *[DEAD] * 7)
    number = given(config, PURGE, limit=5)
    steps = [carry_on(config.database, number) for _ in range(3)]
    assert [(step.changed, step.ended) for step in steps] == [(3, False), (2, False), (0, True)]
    assert stored(config, "id") == [6, 7]


def test_what_it_leaves_alone_is_counted_by_reason(database: Database) -> None:
    config = prepared(database)
    read = {"stage": "read", "raw": b"", "exception": "ObjectFailed"}
    store(config, DEAD, {"replays": 5}, read, DEAD, DEAD, DEAD, {"replays": 9})
    number = given(config, REPLAY)
    while not carry_on(config.database, number).ended:
        pass
    order = row_of(config, number)
    assert (order.changed, order.left_alone) == (4, {"max_replays": 2, "no_bytes": 1})


def test_jobs_at_an_attempt_are_left_to_finish(database: Database) -> None:
    config = prepared(database)
    store(config, {"state": "retryable"}, {"state": "executing"}, {"state": "available"})
    number = given(config, CANCEL)
    while not carry_on(config.database, number).ended:
        pass
    order = row_of(config, number)
    assert (order.changed, order.left_alone) == (2, {"executing": 1})
    assert stored(config, "state") == ["cancelled", "executing", "cancelled"]


def test_jobs_are_adopted_in_chunks(database: Database) -> None:
    config = prepared(database)
    store(config, *[DEAD] * 4)
    hide = PipelineIdentity("people", ("Hide",))
    number = given(config, ADOPT, JobFilter(pipeline=""), adopter=hide)
    while not carry_on(config.database, number).ended:
        pass
    assert stored(config, "steps") == ['["Hide"]'] * 4


def test_few_matches_among_many_jobs_are_looked_for_in_bounded_ranges(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunk, "LOOKED_AT", 4)
    config = prepared(database)
    store(config, *[{"stage": "parse"}] * 9, DEAD, {"stage": "parse"})
    number = given(config, REPLAY, JobFilter(stage="write"))
    database.run("DELETE FROM ingest_jobs WHERE id IN (2, 3, 4, 5, 6)")
    assert [carry_on(config.database, number) for _ in range(4)] == [
        *(Step(0), Step(1), Step(0)),
        Step(0, ended=True),
    ]
    assert row_of(config, number).changed == 1


def test_an_order_about_nothing_is_completed(database: Database) -> None:
    config = prepared(database)
    number = given(config, REPLAY)
    assert carry_on(config.database, number) == Step(0, ended=True)
    assert row_of(config, number).state == "completed"


def test_no_chunk_follows_a_cancel(database: Database) -> None:
    config = prepared(database)
    store(config, *[DEAD] * 5)
    number = given(config, REPLAY)
    carry_on(config.database, number)
    assert cancel(config.database, number, **WHO).changed == 3
    assert carry_on(config.database, number) == Step(0, ended=True)
    assert row_of(config, number).state == "cancelled"
    assert stored(config, "state").count("available") == 3
    assert counted(config) == (2, 3)


def test_workers_of_one_order_take_turns(database: Database) -> None:
    """Without a lease: what keeps them apart is the row of the order."""
    config = prepared(database)
    store(config, *[DEAD] * 60)
    number = given(config, REPLAY)

    def work() -> int:
        changed = 0
        while not (step := carry_on(config.database, number)).ended:
            changed += step.changed
        return changed

    with ThreadPoolExecutor(4) as threads:
        futures = [threads.submit(work) for _ in range(4)]
        changed = [future.result(60) for future in futures]
    assert sum(changed) == 60
    assert stored(config, "replays") == [1] * 60
    assert chunks_of(config, number, REPLAY) == [3] * 20
    assert counted(config) == (0, 60)
    order = row_of(config, number)
    assert (order.state, order.changed, order.left_alone) == ("completed", 60, {})


def test_a_second_worker_waits_for_the_chunk_of_the_first(
    postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = prepared(postgres)
    store(config, *[DEAD] * 6)
    number = given(config, REPLAY)
    real, begun, first = actions.change, threading.Event(), True

    def change(*args: Any, **more: Any) -> None:
        nonlocal first
        if first:
            first = False
            begun.set()
            await_lock(postgres)
        real(*args, **more)

    monkeypatch.setattr(actions, "change", change)
    with ThreadPoolExecutor() as threads:
        one = threads.submit(carry_on, config.database, number)
        assert begun.wait(30)
        two = threads.submit(carry_on, config.database, number)
        assert (one.result(60), two.result(60)) == (Step(3), Step(3))
    order = row_of(config, number)
    assert (order.position, order.changed, order.left_alone) == (6, 6, {})


def test_a_chunk_whose_order_has_come_further_meanwhile_is_undone(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a database without locks of rows."""
    config = prepared(database)
    store(config, *[DEAD] * 6)
    number = given(config, REPLAY)
    real = actions.change

    def overtaken(connection: sa.Connection, *args: Any, **more: Any) -> None:
        real(connection, *args, **more)
        connection.execute(sa.update(orders).values(position=orders.c.position + 3))

    monkeypatch.setattr(engine, "TRIES", 1)
    with monkeypatch.context() as patch:
        patch.setattr(actions, "change", overtaken)
        with pytest.raises(Contention, match="another process carries out the same order"):
            carry_on(config.database, number)
    assert stored(config, "state") == ["discarded"] * 6
    assert counted(config) == (6, 0)
    assert chunks_of(config, number, REPLAY) == []


class TestJobsThatOthersHold:
    @contextmanager
    def hold(self, postgres: Database, *ids: int) -> Iterator[Any]:
        numbers = ", ".join(map(str, ids))
        with closing(postgres.connect()) as other:
            other.cursor().execute(f"SELECT 1 FROM ingest_jobs WHERE id IN ({numbers}) FOR UPDATE")
            yield other
            other.rollback()  # a server notices later that a connection is closed

    def test_they_are_looked_at_again_at_the_end(self, postgres: Database) -> None:
        config = prepared(postgres)
        store(config, *[DEAD] * 6)
        number = given(config, REPLAY)
        with self.hold(postgres, 1, 4):
            assert carry_on(config.database, number) == Step(3)
            assert row_of(config, number).left_alone == {"held": 2}
            assert carry_on(config.database, number) == Step(1)
            assert carry_on(config.database, number) == Step(0, waits=True)
        assert carry_on(config.database, number) == Step(2)
        assert carry_on(config.database, number) == Step(0, ended=True)
        order = row_of(config, number)
        assert (order.state, order.changed, order.left_alone) == ("completed", 6, {})
        assert stored(config, "replays") == [1] * 6

    def test_those_that_are_held_to_the_end_are_counted(self, postgres: Database) -> None:
        config = prepared(postgres)
        store(config, *[DEAD] * 4)
        number = given(config, REPLAY)
        with self.hold(postgres, 2, 3):
            assert carry_on(config.database, number) == Step(2)
            assert carry_on(config.database, number, last_try=True) == Step(0, ended=True)
        order = row_of(config, number)
        assert (order.state, order.changed, order.left_alone) == ("completed", 2, {"held": 2})

    def test_more_of_them_than_are_kept_are_counted_too(
        self, postgres: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(chunk, "HELD_KEPT", 1)
        config = prepared(postgres)
        store(config, *[DEAD] * 4)
        number = given(config, REPLAY)
        with self.hold(postgres, 2, 3):
            carry_on(config.database, number)
        assert row_of(config, number).left_alone == {"held": 2}
        assert carry_on(config.database, number) == Step(1)
        assert carry_on(config.database, number) == Step(0, ended=True)
        assert row_of(config, number).left_alone == {"held": 1}

    def test_one_that_was_changed_meanwhile_is_not_changed_again(self, postgres: Database) -> None:
        config = prepared(postgres)
        store(config, *[DEAD] * 2)
        number = given(config, REPLAY)
        with self.hold(postgres, 1) as other:
            carry_on(config.database, number)
            other.cursor().execute("UPDATE ingest_jobs SET state = 'cancelled' WHERE id = 1")
            other.commit()
        while not carry_on(config.database, number).ended:
            pass
        assert (row_of(config, number).changed, stored(config, "replays")) == (1, [0, 1])
