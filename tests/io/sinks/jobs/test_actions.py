"""Replay, cancel and purge: what they change, what they leave alone, and their trail."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sinks.jobs import audit_trail
from sinks.jobs import chunks as job_chunks
from sinks.jobs.actions import Outcome, carry_out, oldest, preview
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import Order
from sinks.jobs.owner import columns_of
from sinks.jobs.queue import SqlJobQueue
from sinks.table.config import SqlConfig
from tests.io.sinks.jobs.stored_jobs import (
    DEAD,
    FAILED_AT,
    WHO,
    act,
    counted,
    prepared,
    refuse_audit,
    store,
    stored,
    trail,
)
from tests.io.sinks.tested_database import Database, await_lock
from transforms.batch.job_states import ADOPT, CANCEL, FINAL_STATES, JOB_STATES, PURGE, REPLAY
from transforms.batch.splits import BatchLimits
from transforms.errors import SinkFailed
from transforms.steps.pipeline_identity import PipelineIdentity

HIDE = PipelineIdentity("people", ("Hide",))
CONCEAL = PipelineIdentity("people", ("Conceal",))
UNDER_A_MAPPING = columns_of("events", replace(HIDE, mapped=True))
NOBODYS = JobFilter(pipeline="")


def owned(config: SqlConfig) -> list[Any]:
    """The steps of the pipeline that each job is of, None where it is nobody's."""
    return [steps for (_, steps) in stored(config, "pipeline", "steps")]


def takes(config: SqlConfig, owner: PipelineIdentity) -> int:
    """How many jobs a program of this pipeline claims."""
    queue = SqlJobQueue(config, pipeline=owner)
    return sum(batch.read for batch in queue.claim(queue.lease(), BatchLimits()))


class TestAdopt:
    def test_jobs_of_nobody_are_given_to_a_pipeline_whatever_their_state(
        self, database: Database
    ) -> None:
        config = prepared(database)
        store(config, *({"state": state} for state in JOB_STATES))
        before = counted(config)
        states = [state for state in JOB_STATES if state not in ("completed", "executing")]
        assert act(config, ADOPT, NOBODYS, adopter=HIDE) == Outcome(len(states), {"executing": 1})
        assert owned(config) == [
            None if state in ("completed", "executing") else '["Hide"]' for state in JOB_STATES
        ]
        assert stored(config, "state") == list(JOB_STATES)
        assert counted(config) == before
        assert trail(config) == [("adopt", len(states))]

    def test_those_that_wait_are_taken_by_the_adopter_alone(self, database: Database) -> None:
        config = prepared(database)
        store(config, {"state": "available"}, {"state": "retryable"}, {"state": "discarded"})
        assert takes(config, HIDE) == 0
        assert act(config, ADOPT, NOBODYS, adopter=HIDE).count == 3
        assert takes(config, CONCEAL) == 0
        assert takes(config, HIDE) == 2

    def test_a_dead_letter_is_replayed_into_the_pipeline_that_adopted_it(
        self, database: Database
    ) -> None:
        config = prepared(database)
        store(config, {})
        act(config, ADOPT, NOBODYS, adopter=HIDE)
        assert act(config, REPLAY).owners == {HIDE: 1}
        assert takes(config, CONCEAL) == 0
        assert takes(config, HIDE) == 1

    def test_jobs_of_another_pipeline_are_given_on_only_when_it_is_named(
        self, database: Database
    ) -> None:
        config = prepared(database)
        store(config, {"state": "retryable"}, {"state": "discarded"})
        act(config, ADOPT, NOBODYS, adopter=HIDE)
        assert act(config, ADOPT, NOBODYS, adopter=CONCEAL).count == 0
        assert act(config, ADOPT, JobFilter(pipeline="others"), adopter=CONCEAL).count == 0
        other_steps = JobFilter(pipeline="people", steps=())
        assert act(config, ADOPT, other_steps, adopter=CONCEAL).count == 0
        assert owned(config) == ['["Hide"]'] * 2
        renamed = JobFilter(pipeline="people", steps=("Hide",))
        assert act(config, ADOPT, renamed, adopter=CONCEAL).count == 2
        assert owned(config) == ['["Conceal"]'] * 2
        assert act(config, ADOPT, JobFilter(pipeline="people"), adopter=CONCEAL).count == 0
        assert takes(config, CONCEAL) == 1

    def test_the_filters_and_the_limit_of_the_other_actions_hold(self, database: Database) -> None:
        config = prepared(database)
        store(config, {"stage": "Hide"}, {"stage": "Hide"}, {"stage": "parse"})
        order = Order.of(ADOPT, replace(NOBODYS, stage="Hide"), limit=1, adopter=HIDE)
        assert preview(config.database, order).count == 1
        assert owned(config) == [None] * 3
        assert carry_out(config.database, order, **WHO).count == 1
        assert owned(config) == ['["Hide"]', None, None]

    def test_jobs_of_two_tables_stay_jobs_of_two_tables(self, database: Database) -> None:
        config, other = prepared(database), prepared(database, "others")
        store(config, {"state": "available"})
        store(other, {"state": "available"}, {"state": "available"}, target="others")
        assert act(config, ADOPT, NOBODYS, adopter=HIDE).count == 3
        assert takes(config, HIDE) == 1
        assert takes(other, HIDE) == 2

    def test_a_job_that_is_taken_at_the_same_time_is_left(self, postgres: Database) -> None:
        config = prepared(postgres)
        first, _ = store(config, {"state": "available"}, {"state": "available"})
        with ThreadPoolExecutor() as threads, closing(postgres.connect()) as other:
            other.cursor().execute(f"DELETE FROM ingest_queue WHERE job = {first}")
            adopting = threads.submit(act, config, ADOPT, NOBODYS, adopter=HIDE)
            await_lock(postgres)
            other.commit()
            assert adopting.result(30).count == 1
        assert owned(config) == [None, '["Hide"]']

    @pytest.mark.parametrize("unmapped", [False, True])
    def test_jobs_of_a_mapping_stay_so_unless_the_order_says_otherwise(
        self, database: Database, unmapped: bool
    ) -> None:
        config = prepared(database)
        store(
            config, *({"state": state, **UNDER_A_MAPPING} for state in ("available", "discarded"))
        )
        order = Order.of(
            ADOPT, JobFilter(pipeline="people"), every_state=True, adopter=HIDE, unmapped=unmapped
        )
        count = 2 if unmapped else 0
        assert carry_out(config.database, order, **WHO).count == count
        assert takes(config, HIDE) == (1 if unmapped else 0)
        (entry,) = audit_trail.entries(config.database) if unmapped else [None]
        if entry is not None:
            to = {"pipeline": "people", "steps": ["Hide"], "mapped": False}
            assert (entry.filter["to"], entry.count) == (to, 2)

    def test_a_pipeline_that_is_renamed_keeps_its_mapping(self, database: Database) -> None:
        config = prepared(database)
        store(config, {"state": "available", **UNDER_A_MAPPING})
        renamed = JobFilter(pipeline="people")
        others = PipelineIdentity("others", ("Hide",))
        assert act(config, ADOPT, renamed, adopter=others).count == 1
        assert takes(config, others) == 0
        assert takes(config, replace(others, mapped=True)) == 1

    def test_nothing_is_adopted_without_its_trail(self, database: Database) -> None:
        config = prepared(database)
        store(config, {"state": "available"})
        refuse_audit(database)
        with pytest.raises(SinkFailed, match="not today"):
            act(config, ADOPT, NOBODYS, adopter=HIDE)
        assert owned(config) == [None]
        assert takes(config, HIDE) == 0


class TestReplay:
    def test_a_dead_letter_becomes_available_now(self, database: Database) -> None:
        config = prepared(database)
        store(config, {"attempt": 10, "replays": 2, "attempted_by": "gone"})
        before = datetime.now(UTC) - timedelta(seconds=5)
        assert act(config, REPLAY) == Outcome(1, {})
        ((scheduled_at, *rest),) = stored(
            config,
            *("scheduled_at", "state", "attempt", "replays", "run", "attempted_by"),
            *("completed_at", "cancelled_at", "discarded_at", "errors", "inserted_at"),
        )
        assert before < scheduled_at < datetime.now(UTC) + timedelta(seconds=5)
        assert rest[:8] == ["available", 0, 3, "", "gone", None, None, None]
        assert [error["error"] for error in rest[8]] == ["no"]
        assert rest[9] == FAILED_AT
        assert counted(config) == (0, 1)

    def test_only_discarded_ones_unless_cancelled_ones_are_named(self, database: Database) -> None:
        config = prepared(database)
        store(config, *({"state": state} for state in JOB_STATES))
        others = [state for state in JOB_STATES if state not in ("discarded", "cancelled")]
        dead, retrying = counted(config)
        assert act(config, REPLAY).count == 1
        assert stored(config, "state") == [*others, "cancelled", "available"]
        assert act(config, REPLAY, JobFilter(state="cancelled")).count == 1
        assert stored(config, "state") == [*others, "available", "available"]
        assert stored(config, "cancelled_at", "discarded_at")[-2:] == [(None, None)] * 2
        assert counted(config) == (dead - 2, retrying + 2)
        assert act(config, REPLAY, every_state=True) == Outcome(0, {})

    def test_what_was_replayed_often_or_is_not_whole_is_left_alone(
        self, database: Database
    ) -> None:
        config = prepared(database)
        kinds: list[dict[str, Any]] = [
            {"replays": 5},
            {"replays": 4},
            {"stage": "read", "raw": b"", "replays": 9},
            {"stage": "read", "raw": b"x"},
            {"stage": "parse", "raw": b""},
            {"stage": "read", "raw": b"x", "exception": "RecordTooLarge", "replays": 9},
            {"stage": "read", "raw": b"", "exception": "RecordTooLarge"},
            {"stage": "parse", "raw": b"x" * 65_536, "exception": "RecordTooLarge"},
            {"stage": "parse", "raw": b"x" * 65_537, "exception": "RecordTooLarge"},
        ]
        store(config, *kinds)
        order = Order.of(REPLAY, JobFilter())
        left = {"max_replays": 1, "no_bytes": 1, "head_only": 3}
        assert preview(config.database, order) == Outcome(4, left)
        assert act(config, REPLAY) == Outcome(4, left)
        dead, again = "discarded", "available"
        assert stored(config, "state", "replays") == [
            (dead, 5),
            (again, 5),
            (dead, 9),
            (again, 1),
            (again, 1),
            (dead, 9),
            (dead, 0),
            (dead, 0),
            (again, 1),
        ]
        assert act(config, REPLAY, max_replays=6).count == 1

    def test_two_replays_at_once_count_every_letter_once(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(job_chunks, "CHUNK", 7)
        config = prepared(database)
        store(config, *[DEAD] * 60)
        store(config, *[DEAD] * 40, source="file:///b")
        start = threading.Barrier(2)

        def replay(_: int) -> int:
            start.wait(timeout=30)
            return act(config, REPLAY).count

        with ThreadPoolExecutor(2) as pool:
            counts = list(pool.map(replay, range(2)))
        # What one skipped because the other held it, the other has changed.
        assert sum(counts) == 100
        assert stored(config, "state", "replays") == [("available", 1)] * 100
        assert counted(config) == (0, 100)
        assert sum(count for _, count in trail(config)) == 100

    def test_a_letter_that_somebody_holds_is_not_waited_for(self, postgres: Database) -> None:
        config = prepared(postgres)
        config = replace(config, database=replace(config.database, statement_timeout=5))
        first, *_ = store(config, *[DEAD] * 3)
        with closing(postgres.connect()) as other:
            other.cursor().execute(f"SELECT 1 FROM ingest_jobs WHERE id = {first} FOR UPDATE")
            assert act(config, REPLAY).count == 2
        assert stored(config, "state") == ["discarded", "available", "available"]
        assert counted(config) == (1, 2)


class TestCancel:
    def test_waiting_ones_are_cancelled_and_executing_ones_are_left_to_finish(
        self, database: Database
    ) -> None:
        config = prepared(database)
        store(config, *({"state": state} for state in JOB_STATES))
        assert counted(config) == (2, 5)
        assert act(config, CANCEL) == Outcome(3, {"executing": 1})
        became = {
            state: "cancelled" if state in ("available", "scheduled", "retryable") else state
            for state in JOB_STATES
        }
        assert stored(config, "state") == list(became.values())
        assert all(
            at is not None
            for state, at in stored(config, "state", "cancelled_at")
            if state == "cancelled"
        )
        assert counted(config) == (5, 2)

    def test_a_job_that_is_taken_in_this_moment_is_left_to_finish(self, postgres: Database) -> None:
        config = prepared(postgres)
        first, _ = store(config, {"state": "retryable"}, {"state": "retryable"})
        with closing(postgres.connect()) as other, ThreadPoolExecutor(1) as pool:
            other.cursor().execute(f"DELETE FROM ingest_queue WHERE job = {first}")
            cancelled = pool.submit(act, config, CANCEL)
            await_lock(postgres)
            other.commit()
            assert cancelled.result().count == 1
        assert stored(config, "state") == ["executing", "cancelled"]
        assert counted(config) == (1, 1)
        assert trail(config) == [("cancel", 1)]

    def test_a_state_can_be_named(self, database: Database) -> None:
        config = prepared(database)
        store(config, {"state": "scheduled"}, {"state": "retryable"}, {"state": "executing"})
        assert act(config, CANCEL, JobFilter(state="retryable")) == Outcome(1, {})
        assert stored(config, "state") == ["scheduled", "cancelled", "executing"]

    def test_what_was_cancelled_can_be_replayed(self, database: Database) -> None:
        config = prepared(database)
        store(config, {"state": "retryable"})
        act(config, CANCEL)
        assert counted(config) == (1, 0)
        act(config, REPLAY, JobFilter(state="cancelled"))
        assert counted(config) == (0, 1)


class TestPurge:
    def test_rows_go_and_the_ledger_stays(self, database: Database) -> None:
        config = prepared(database)
        store(config, *({"state": state} for state in JOB_STATES))
        before = counted(config)
        assert act(config, PURGE) == Outcome(1, {})
        assert stored(config, "state") == [each for each in JOB_STATES if each != "discarded"]
        assert act(config, PURGE, every_state=True).count == 2
        assert stored(config, "state") == [e for e in JOB_STATES if e not in FINAL_STATES]
        assert counted(config) == before


class TestEveryAction:
    def test_the_filter_and_the_bound_hold_oldest_first(self, database: Database) -> None:
        config = prepared(database)
        kinds = [{"category": "data"}, DEAD, DEAD, {"category": "data"}, DEAD]
        store(config, *kinds)
        which = JobFilter(category="constraint")
        assert act(config, REPLAY, which, limit=2).count == 2
        assert stored(config, "state") == [
            *("discarded", "available", "available", "discarded", "discarded")
        ]
        assert act(config, PURGE, which).count == 1
        assert stored(config, "category") == ["data", "constraint", "constraint", "data"]

    def test_a_preview_changes_nothing(self, database: Database) -> None:
        config = prepared(database)
        ids = store(config, DEAD, {"category": "data"}, DEAD, DEAD)
        everything = stored(config, "state", "replays", "scheduled_at", "run", "discarded_at")
        order = Order.of(REPLAY, JobFilter(category="constraint"))
        assert preview(config.database, order) == Outcome(3, {})
        assert preview(config.database, replace(order, limit=2)) == Outcome(2, {})
        assert oldest(config.database, order, 2) == [ids[0], ids[2]]
        assert oldest(config.database, replace(order, limit=1), 2) == [ids[0]]
        after = stored(config, "state", "replays", "scheduled_at", "run", "discarded_at")
        assert after == everything
        assert trail(config) == []

    def test_several_targets_and_partitions_are_moved_each(self, database: Database) -> None:
        config = prepared(database)
        database.sink("others", key=["id"])
        store(config, DEAD, DEAD)
        store(config, DEAD, partition="q")
        store(config, DEAD, target="others")
        assert act(config, REPLAY).count == 4
        assert counted(config) == (0, 4)

    def test_a_job_whose_partition_the_ledger_lacks_is_changed_all_the_same(
        self, database: Database
    ) -> None:
        config = prepared(database)
        store(config, DEAD)
        database.run("DELETE FROM ingest_progress")
        assert act(config, REPLAY).count == 1
        assert stored(config, "state") == ["available"]

    def test_without_the_tables_there_is_nothing_to_do(self, database: Database) -> None:
        config = database.config(key=["id"])
        assert act(config, REPLAY) == Outcome(0, {})
        assert preview(config.database, Order.of(PURGE, JobFilter())) == Outcome(0, {})
        assert oldest(config.database, Order.of(PURGE, JobFilter()), 5) == []
        assert audit_trail.entries(config.database) == []
