"""Forget offsets: the ledger, the jobs and the generation change together, and no sum falls."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from sinks.database.dialects import dialect_of
from sinks.database.engine import dispose_engines, engine_of, transaction
from sinks.database.tables import intents, objects, progress
from sinks.expiry import marks
from sinks.expiry.removal import remove
from sinks.jobs.actions import carry_out as act
from sinks.jobs.audit_trail import entries
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import Order
from sinks.jobs.store import list_jobs
from sinks.ledger import pipelines
from sinks.rewind.order import Rewind
from sinks.rewind.rewind import carry_out, preview
from tests.io.sinks.expiry.gone_keys import forget_later
from tests.io.sinks.jobs.queued_jobs import Queue, retryable
from tests.io.sinks.rewind.settled import (
    SOURCE,
    WHO,
    accounts_of,
    batch,
    pause,
    rewound,
    sink_of,
    soon,
)
from tests.io.sinks.tested_database import Database, await_lock
from transforms.batch.counts import Counts
from transforms.batch.job_states import CANCEL, PURGE, REPLAY
from transforms.errors import ConfigError


def covered(database: Database, partition: str = "0") -> list[tuple[int, int]]:
    ranges = accounts_of(database)[partition].progress.coverage.ranges
    return [(low, high) for low, high in ranges if low < high]


def counts(database: Database, partition: str = "0") -> Counts:
    return accounts_of(database)[partition].progress.counts


def test_what_follows_an_offset_is_read_again_and_counts_as_read_again(database: Database) -> None:
    sink = sink_of(database)
    sink.commit([batch(0, 100, dead={10, 60, 61}, retrying={20, 70})])
    pause(database)
    outcome = rewound(database, 50)
    assert [part.ranges for part in outcome.forgotten] == [((50, 100),)]
    assert outcome.forgotten[0].states == {"discarded": 2, "retryable": 1}
    assert covered(database) == [(0, 50)]
    assert counts(database) == Counts(read=100, inserted=95, dead=1, retrying=1, rewound=3)
    sink.commit([batch(0, 100, dead={60})])
    assert covered(database) == [(0, 100)]
    assert counts(database) == Counts(
        read=150, inserted=97, duplicates=47, dead=2, retrying=1, rewound=3
    )
    assert database.rows("SELECT count(*) FROM events") == [(97,)]
    assert sorted(job.failure.origin.offset for job in list_jobs(database.database)) == [10, 20, 60]


def test_a_range_in_the_middle_is_read_again(database: Database) -> None:
    sink = sink_of(database)
    sink.commit([batch(0, 100, dead={10, 60, 80})])
    pause(database)
    rewound(database, 50, 70)
    assert covered(database) == [(0, 50), (70, 100)]
    assert counts(database) == Counts(read=100, inserted=97, dead=2, rewound=1)
    (settled,) = sink.commit([batch(0, 100)])
    assert settled.counts == Counts(read=20, inserted=1, duplicates=19)
    assert covered(database) == [(0, 100)]


def test_where_all_is_forgotten_the_ledger_says_where_reading_begins(database: Database) -> None:
    sink = sink_of(database)
    sink.commit([batch(500, 600, dead={555})])
    pause(database)
    rewound(database, 300)
    coverage = accounts_of(database)["0"].progress.coverage
    assert (coverage.ranges, coverage.end) == (((300, 300),), None)
    assert counts(database) == Counts(read=100, inserted=99, rewound=1)


def test_other_partitions_and_pipelines_keep_their_jobs_and_ranges(database: Database) -> None:
    sink = sink_of(database)
    sink.commit([batch(0, 10, dead={5}), batch(0, 10, dead={5}, partition="1")])
    sink.commit([batch(0, 10, dead={5}, partition="2")])
    pause(database)
    rewound(database, 0, None, "0", "2")
    assert [covered(database, name) for name in "012"] == [[], [(0, 10)], []]
    assert [job.failure.origin.partition for job in list_jobs(database.database)] == ["1"]
    with pytest.raises(ConfigError, match="pipeline other has nothing from offset 0"):
        rewound(database, 0, pipeline="other")


def test_each_table_counts_the_records_that_were_meant_for_it(database: Database) -> None:
    sink = sink_of(database)
    sink.commit([batch(0, 10, dead={3, 7}, retrying={8}, elsewhere={7, 8})])
    pause(database)
    rewound(database, 5)
    account = accounts_of(database)["0"]
    assert account.tables["events"] == Counts(read=8, inserted=7, dead=1)
    assert account.tables["others"] == Counts(read=2, rewound=2)


def test_jobs_leave_the_queue_and_completed_ones_do_not_hide_a_new_failure(
    database: Database,
) -> None:
    sink = sink_of(database)
    sink.commit([batch(0, 10, dead={4}, retrying={5, 6})])
    database.run("UPDATE ingest_jobs SET state = 'completed' WHERE state = 'discarded'")
    database.run(
        "UPDATE ingest_progress SET dead = 0, inserted = inserted + 1",
        "UPDATE ingest_counts SET dead = 0, inserted = inserted + 1",
    )
    pause(database)
    rewound(database, 0)
    assert list_jobs(database.database) == []
    assert database.rows("SELECT count(*) FROM ingest_queue") == [(0,)]
    assert counts(database) == Counts(read=10, inserted=8, rewound=2)
    sink.commit([batch(0, 10, dead={4})])
    (job,) = list_jobs(database.database)
    assert (job.failure.origin.offset, job.state) == (4, "discarded")
    assert counts(database).dead == 1


def test_dead_letters_that_were_deleted_by_hand_stay_counted_as_dead(database: Database) -> None:
    sink = sink_of(database)
    sink.commit([batch(0, 10, dead={4, 5})])
    act(database.database, Order.of(PURGE, JobFilter(), limit=1), **WHO)
    pause(database)
    rewound(database, 0)
    assert counts(database) == Counts(read=10, inserted=8, dead=1, rewound=1)
    assert accounts_of(database)["0"].purged == 1


def test_the_audit_trail_and_the_generation_tell_of_it(database: Database) -> None:
    sink_of(database).commit([batch(0, 10, dead={4}, retrying={5})])
    pause(database)
    assert rewound(database, 2).generation == 1
    assert rewound(database, 1).generation == 2
    second, first = entries(database.database)
    assert (first.action, first.actor, first.reason, first.count) == ("rewind", *WHO.values(), 2)
    assert first.filter == {
        "pipeline": "events",
        "source": SOURCE,
        "partition": "0",
        "from_offset": 2,
        "to_offset": None,
        "ranges": [[2, 10]],
        "jobs": {"discarded": 1, "retryable": 1},
        "generation": 1,
    }
    assert (second.filter["ranges"], second.count) == ([[1, 2]], 0)
    control = "SELECT state, generation, actor, reason FROM ingest_control"
    assert database.rows(control) == [("paused", 2, "ann", "to look")]


def test_of_a_stopped_pipeline_of_which_nothing_was_asked_the_generation_is_kept_too(
    database: Database,
) -> None:
    sink_of(database).commit([batch(0, 10)])
    rest(database)
    rewound(database, 5)
    control = "SELECT source, state, generation, actor FROM ingest_control"
    assert database.rows(control) == [("", "running", 1, "ann")]


def rest(database: Database) -> None:
    """As if nothing had happened for an hour."""
    database.run(
        "UPDATE ingest_pipelines SET prepared_at = '2026-01-01 00:00:00'",
        "UPDATE ingest_progress SET updated_at = '2026-01-01 00:00:00'",
    )


def test_a_pipeline_at_work_is_refused_and_nothing_is_changed(database: Database) -> None:
    sink_of(database).commit([batch(0, 10, dead={4})])
    with pytest.raises(ConfigError, match=r"pipeline events began, or wrote, 0 s ago: pause"):
        rewound(database, 5)
    rewind = Rewind("events", ((SOURCE, "0"),), 5)
    assert "pause the pipeline first" in preview(database.database, rewind).obstacle
    assert covered(database) == [(0, 10)]
    assert database.rows("SELECT count(*) FROM ingest_control") == [(0,)]
    assert database.rows("SELECT count(*) FROM ingest_audit") == [(0,)]


def test_a_preview_changes_nothing(database: Database) -> None:
    sink_of(database).commit([batch(0, 10, dead={4, 6})])
    pause(database)
    outcome = preview(database.database, Rewind("events", ((SOURCE, "0"), (SOURCE, "9")), 5))
    (part,) = outcome.forgotten
    assert (part.place, part.ranges, part.states) == ((SOURCE, "0"), ((5, 10),), {"discarded": 1})
    assert (part.counts, outcome.generation, outcome.obstacle) == (
        Counts(read=10, inserted=8, dead=2),
        0,
        "",
    )
    assert covered(database) == [(0, 10)]
    assert len(list_jobs(database.database)) == 2


def test_below_a_forgotten_delete_nothing_is_read_again(database: Database) -> None:
    sink_of(database).commit([batch(0, 10), batch(0, 10, partition="1")])
    pause(database)
    with transaction(database.database, "test") as connection:
        marks.enter(connection, "events", {(SOURCE, "0"): 6})
        marks.enter(connection, "theirs", {(SOURCE, "0"): 8})
    refusal = r"up to offset 6 are forgotten .* of table events back: give --from_offset 7 or more"
    for end in (None, 5):
        with pytest.raises(ConfigError, match=refusal):
            rewound(database, 3, end)
        with pytest.raises(ConfigError, match=refusal):
            preview(database.database, Rewind("events", ((SOURCE, "0"),), 6, None))
    assert covered(database) == [(0, 10)]
    rewound(database, 7)
    rewound(database, 0, None, "1")
    assert (covered(database), covered(database, "1")) == ([(0, 7)], [])


def test_who_forgets_deletes_waits_for_a_rewind_and_sees_its_gap(postgres: Database) -> None:
    sink_of(postgres).commit([batch(0, 10)])
    pause(postgres)
    forget_later(postgres, 5, source=SOURCE)
    month = timedelta(days=30)
    removed: list[int] = []

    def forget() -> None:
        removed.append(remove(postgres.database, "events", month, lambda *_: None))

    thread = threading.Thread(target=forget)
    with transaction(postgres.database, "test") as connection:
        dialect_of(connection).lock(connection, [marks.LOCK])
        thread.start()
        await_lock(postgres)
        connection.execute(sa.update(progress).values(end_offset=3))
    thread.join()
    assert removed == [0]


def test_nothing_to_forget_is_a_mistake(database: Database) -> None:
    sink_of(database).commit([batch(0, 10)])
    pause(database)
    with pytest.raises(ConfigError, match=r"nothing from offset 10 of kafka://orders \(0\)"):
        rewound(database, 10)


def test_jobs_at_an_attempt_are_waited_for(database: Database) -> None:
    jobs = Queue(database, retryable(0), retryable(1))
    pause(database, "people")
    (claimed,) = jobs.claim()
    rewind = Rewind("people", (("file:///a", "p"),), 0)
    with pytest.raises(ConfigError, match="is being tried at this moment"):
        carry_out(database.database, rewind, **WHO)
    assert "is being tried" in preview(database.database, rewind).obstacle
    jobs.queue.give_back([claimed])
    (part,) = carry_out(database.database, rewind, **WHO).forgotten
    assert part.removed == 2
    assert accounts_of(database)["p"].progress.counts == Counts(read=2, rewound=2)


def test_what_a_lost_process_was_trying_is_forgotten_too(database: Database) -> None:
    jobs = Queue(database, retryable(0))
    pause(database, "people")
    jobs.claim()
    database.run("UPDATE ingest_leases SET expires_at = '2026-01-01 00:00:00'")
    carry_out(database.database, Rewind("people", (("file:///a", "p"),), 0), **WHO)
    assert database.rows("SELECT count(*) FROM ingest_claims") == [(0,)]
    assert accounts_of(database)["p"].progress.counts == Counts(read=1, rewound=1)


def test_an_attempt_whose_job_was_forgotten_meanwhile_changes_nothing(database: Database) -> None:
    jobs = Queue(database, retryable(0))
    pause(database, "people")
    (claimed,) = jobs.claim()
    database.run("UPDATE ingest_leases SET expires_at = '2026-01-01 00:00:00'")
    carry_out(database.database, Rewind("people", (("file:///a", "p"),), 0), **WHO)
    (settled,) = jobs.sink.commit([replace(claimed, values=[{"id": 0, "name": "late"}])])
    assert settled.counts == Counts()
    assert database.rows("SELECT count(*) FROM events") == [(0,)]
    assert accounts_of(database)["p"].progress.counts == Counts(read=1, rewound=1)


def test_a_commit_that_was_under_way_is_settled_as_read_again(database: Database) -> None:
    sink = sink_of(database)
    sink.commit([batch(0, 10)])
    pause(database)
    late = [batch(5, 20)]
    rewound(database, 8)
    sink.commit(late)
    assert covered(database) == [(0, 20)]
    assert counts(database) == Counts(read=22, inserted=20, duplicates=2)


@pytest.mark.parametrize("table", ["objects", "intents"])
def test_a_pipeline_that_writes_objects_is_refused(database: Database, table: str) -> None:
    sink_of(database).commit([batch(0, 10)])
    pause(database)
    at = soon()
    place = {"pipeline": "events", "source": SOURCE, "partition": "0"}
    row: dict[str, Any] = {"start_offset": 0, "end_offset": 10, **place}
    with transaction(database.database, "write") as connection:
        if table == "intents":
            row |= {"id": "a", "fence": 0, "objects": [], "created_at": at, "updated_at": at}
            connection.execute(sa.insert(intents), row)
        else:
            row |= {"sink": "s3://lake", "target": "s3://lake", "name": "a", "rows": 1, "bytes": 1}
            row |= {"etag": "e", "state": "settled", "pending": False}
            connection.execute(sa.insert(objects), {**row, "created_at": at, "changed_at": at})
    with pytest.raises(ConfigError, match="writes objects"):
        rewound(database, 0)


@pytest.mark.slow
def test_a_kill_at_any_statement_leaves_all_of_it_or_nothing(database: Database) -> None:
    sink = sink_of(database)
    sink.commit([batch(0, 10, dead={2, 6}, retrying={7})])
    pause(database)
    before = _state(database)
    for number in itertools.count(1):
        killed = _killed_at(database, number)
        after = _state(database)
        if not killed:
            assert after != before
            break
        assert after == before, f"killed before statement {number}"
        accounts_of(database)
    assert number > 10
    assert counts(database) == Counts(read=10, inserted=7, dead=0, rewound=3)


def _state(database: Database) -> list[Any]:
    tables = ("progress", "counts", "jobs", "queue", "control", "audit")
    return [sorted(map(_text, database.rows(f"SELECT * FROM ingest_{name}"))) for name in tables]


def _text(row: tuple[Any, ...]) -> str:
    return repr([bytes(cell) if isinstance(cell, memoryview) else cell for cell in row])


def _killed_at(database: Database, number: int) -> bool:
    """Let a process forget offsets, and kill it before a statement; False if it has come to its end."""
    dispose_engines()
    child = os.fork()
    if child == 0:
        try:
            left = iter(range(number))

            def before(*_: Any) -> None:
                if next(left, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)

            engine = engine_of(database.database)
            sa.event.listen(engine, "before_cursor_execute", before)
            sa.event.listen(engine, "commit", before)
            rewound(database, 0)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.integration
class TestAtTheSameTime:
    """On PostgreSQL, others wait for the end of a rewind, and it for theirs."""

    @pytest.fixture
    def postgres(self, postgres_url: str) -> Iterator[Database]:
        yield Database("postgres", postgres_url)
        dispose_engines()

    @contextmanager
    def before_its_commit(self, database: Database) -> Iterator[Future[Any]]:
        """Stop a rewind before its commit while the block runs; yields what becomes of it."""
        audited, reached, goes_on = (threading.Event() for _ in range(3))

        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if statement.startswith("INSERT INTO ingest_audit"):
                audited.set()

        def stop(_: object) -> None:
            if audited.is_set() and not reached.is_set():
                reached.set()
                assert goes_on.wait(60)

        engine = engine_of(database.database)
        sa.event.listen(engine, "before_cursor_execute", note)
        sa.event.listen(engine, "commit", stop)
        with ThreadPoolExecutor(1, thread_name_prefix="rewind") as pool:
            future = pool.submit(rewound, database, 5)
            try:
                assert reached.wait(60), future
                yield future
            finally:
                goes_on.set()

    def test_a_program_that_begins_waits_and_sees_what_was_forgotten(
        self, postgres: Database
    ) -> None:
        sink = sink_of(postgres)
        sink.commit([batch(0, 10)])
        pause(postgres)
        with ThreadPoolExecutor(1) as pool:
            with self.before_its_commit(postgres) as future:
                begins = pool.submit(pipelines.register, sink.config, "events")
                await_lock(postgres)
                assert not begins.done()
            begins.result(60)
        assert future.result(60).generation == 1
        assert covered(postgres) == [(0, 5)]

    def test_a_commit_waits_and_its_records_count_as_read_again(self, postgres: Database) -> None:
        sink = sink_of(postgres)
        sink.commit([batch(0, 10, dead={7})])
        pause(postgres)
        with ThreadPoolExecutor(1) as pool:
            with self.before_its_commit(postgres) as future:
                commits = pool.submit(sink.commit, [batch(8, 20, dead={12})])
                await_lock(postgres)
                assert not commits.done()
            (settled,) = commits.result(60)
        future.result(60)
        assert settled.counts.read == 12, (
            "the first two were settled when it began, and are not any more"
        )
        assert covered(postgres) == [(0, 5), (8, 20)]
        assert counts(postgres).rewound == 1

    def test_an_operator_waits(self, postgres: Database) -> None:
        sink_of(postgres).commit([batch(0, 10)])
        pause(postgres)
        resume = "UPDATE ingest_control SET state = 'running', resumed_at = now()"
        with ThreadPoolExecutor(1) as pool:
            with self.before_its_commit(postgres):
                resumes = pool.submit(postgres.run, resume)
                await_lock(postgres)
                assert not resumes.done()
            resumes.result(60)
        assert postgres.rows("SELECT state, generation FROM ingest_control") == [("running", 1)]


class Rewinding(RuleBasedStateMachine):
    """Commits, actions by hand and rewinds in any order, over one partition of 40 offsets."""

    folder: Path

    @initialize()
    def begin(self) -> None:
        for path in self.folder.glob("machine.db*"):
            path.unlink()
        self.database = Database("sqlite", f"sqlite:///{self.folder}/machine.db")
        self.sink = sink_of(self.database)
        pause(self.database)
        self.settled: set[int] = set()
        self.rows: set[int] = set()
        self.read = self.rewound = 0

    @rule(
        start=st.integers(0, 39),
        length=st.integers(1, 15),
        dead=st.sets(st.integers(0, 54), max_size=8),
        retrying=st.sets(st.integers(0, 54), max_size=8),
        elsewhere=st.sets(st.integers(0, 54), max_size=8),
    )
    def commit(
        self, start: int, length: int, dead: set[int], retrying: set[int], elsewhere: set[int]
    ) -> None:
        one = batch(start, start + length, dead, retrying, elsewhere=elsewhere)
        self.sink.commit([one])
        new = set(range(start, start + length)) - self.settled
        self.read += len(new)
        self.rows |= new - dead - retrying
        self.settled |= new

    @rule(start=st.integers(0, 54), length=st.one_of(st.none(), st.integers(1, 20)))
    def forget(self, start: int, length: int | None) -> None:
        end = None if length is None else start + length
        gone = {at for at in self.settled if at >= start and (end is None or at < end)}
        if not gone:
            return
        listed = list_jobs(self.database.database, JobFilter(), limit=1_000)
        unfinished = [job for job in listed if job.failure.origin.offset in gone]
        outcome = rewound(self.database, start, end)
        (part,) = outcome.forgotten
        assert part.offsets == len(gone)
        assert part.removed == len(unfinished)
        self.settled -= gone
        self.rewound += len(unfinished)

    @rule(action=st.sampled_from([REPLAY, CANCEL, PURGE]), limit=st.integers(1, 5))
    def act(self, action: Any, limit: int) -> None:
        act(self.database.database, Order.of(action, JobFilter(), limit=limit), **WHO)

    @invariant()
    def the_law_holds_and_exactly_what_was_forgotten_is_not_settled(self) -> None:
        listed = accounts_of(self.database)
        if not listed:
            return
        progress = listed["0"].progress
        ranges = progress.coverage.ranges
        assert {at for low, high in ranges for at in range(low, high)} == self.settled
        assert (progress.counts.read, progress.counts.rewound) == (self.read, self.rewound)
        assert self.database.rows("SELECT count(*) FROM events") == [(len(self.rows),)]

    def teardown(self) -> None:
        dispose_engines()


@pytest.mark.slow
def test_the_law_holds_whatever_is_forgotten_in_any_order(tmp_path: Path) -> None:
    machine = type("Machine", (Rewinding,), {"folder": tmp_path})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=15, stateful_step_count=10, deadline=None)
    )
