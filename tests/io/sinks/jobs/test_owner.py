"""Whose a job is: a pipeline takes its own, and no program takes those of nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from sinks.database import leases
from sinks.database.engine import transaction
from sinks.database.tables import jobs
from sinks.jobs.actions import carry_out
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import Order
from sinks.jobs.queue import SqlJobQueue
from sinks.sql import SqlSink
from tests.io.sinks import routed
from tests.io.sinks.jobs.queued_jobs import retryable
from tests.io.sinks.jobs.stored_jobs import stored
from tests.io.sinks.routed import NOTES, ORDERS, Steps, batch_of, keyed
from tests.io.sinks.tested_database import Database, make_batch
from transforms.batch.backoff import Backoff
from transforms.batch.job_states import ADOPT
from transforms.batch.record import RecordBatch
from transforms.batch.retry_policy import RetryPolicy
from transforms.batch.splits import BatchLimits
from transforms.errors import SinkFailed
from transforms.route.table_name import UNROUTED
from transforms.steps.pipeline_identity import PipelineIdentity

NOW = RetryPolicy(Backoff(1e-9, 1e-9), max_attempts=3)
PLAIN = PipelineIdentity()
HIDE = PipelineIdentity(steps=("Hide",), version="v1")
OTHER_NAME = PipelineIdentity("others", ("Hide",))
LIMITS = BatchLimits()


def sink_of(database: Database, owner: PipelineIdentity | None, table: str = "events") -> SqlSink:
    database.run(f"CREATE TABLE IF NOT EXISTS {table} (id integer PRIMARY KEY, name text)")
    return replace(database.sink(table, key=["id"]), retry=NOW, pipeline=owner)


def fail(sink: SqlSink, partition: str, count: int) -> None:
    """Have ``count`` records fail that may succeed later."""
    failures = [retryable(offset, partition) for offset in range(count)]
    sink.commit([make_batch([], partition=partition, failures=failures)])


def claimed(sink: SqlSink, owner: PipelineIdentity | None) -> list[RecordBatch]:
    """All that is due for ``owner``; what failed at once is due at once."""
    queue = SqlJobQueue(sink.config, pipeline=owner)
    return list(queue.claim(queue.lease(), LIMITS))


def parsed(batch: RecordBatch) -> RecordBatch:
    return replace(batch, values=[{"id": offset} for offset in batch.offsets])


@pytest.mark.parametrize("other", [PLAIN, OTHER_NAME, PipelineIdentity(steps=("Hide", "More"))])
def test_a_pipeline_takes_its_own_jobs_and_no_others(
    database: Database, other: PipelineIdentity
) -> None:
    sink = sink_of(database, HIDE)
    fail(sink, "p", 3)
    assert claimed(sink, other) == []
    (batch,) = claimed(sink, HIDE)
    assert list(batch.offsets) == [0, 1, 2]


def test_another_version_of_a_pipeline_takes_its_jobs_and_is_recorded(database: Database) -> None:
    sink = sink_of(database, HIDE)
    fail(sink, "p", 2)
    assert stored(sink.config, "pipeline", "steps", "version") == [
        ("events", '["Hide"]', "v1"),
        ("events", '["Hide"]', "v1"),
    ]
    newer = replace(HIDE, version="v2")
    (batch,) = claimed(sink, newer)
    again = batch.keep([0], [{"id": 0}], [retryable(1)])
    replace(sink, pipeline=newer).commit([again])
    assert stored(sink.config, "state", "version") == [("completed", "v2"), ("retryable", "v2")]


def test_jobs_of_a_write_that_was_told_no_pipeline_are_taken_by_nobody(database: Database) -> None:
    sink = sink_of(database, None)
    fail(sink, "p", 2)
    for owner in (None, PLAIN, HIDE):
        queue = SqlJobQueue(sink.config, pipeline=owner)
        assert list(queue.claim(queue.lease(), LIMITS)) == []
        assert queue.due_in() is None
        assert queue.waiting() == (0, None)
    assert stored(sink.config, "pipeline", "steps", "version", "owner") == [(None,) * 4] * 2


def test_a_pipeline_without_a_name_is_called_as_its_table_is_in_the_ledger(
    postgres: Database,
) -> None:
    sink = sink_of(postgres, HIDE)
    fail(sink, "p", 1)
    assert claimed(replace(sink, config=postgres.config("public.events")), HIDE) != []


def test_pipelines_of_one_name_on_two_tables_keep_apart(database: Database) -> None:
    events, others = (sink_of(database, OTHER_NAME, table) for table in ("events", "others"))
    fail(events, "p", 1)
    assert claimed(others, OTHER_NAME) == []
    assert claimed(events, OTHER_NAME) != []


def test_two_pipelines_of_one_table_take_their_own_side_by_side(database: Database) -> None:
    plain, hide = sink_of(database, PLAIN), sink_of(database, HIDE)
    fail(plain, "p", 2)
    fail(hide, "q", 3)
    fail(plain, "r", 4)
    assert {batch.span.partition for batch in claimed(hide, HIDE)} == {"q"}
    assert {batch.span.partition for batch in claimed(plain, PLAIN)} == {"p", "r"}


def test_how_many_wait_for_which_pipeline_is_known(database: Database) -> None:
    for owner, partition, count in ((PLAIN, "a", 1), (HIDE, "b", 3), (None, "c", 2)):
        fail(sink_of(database, owner), partition, count)
    fail(sink_of(database, HIDE, "others"), "d", 4)
    config = database.config(key=["id"])
    (hidden, nobody) = SqlJobQueue(config, pipeline=PLAIN).left()
    assert (hidden.owner, hidden.jobs) == (HIDE.named("events"), 3)
    assert (nobody.owner, nobody.jobs) == (None, 2)
    assert hidden.table == "events"
    assert hidden.program == PLAIN.named("events")
    assert sum(each.jobs for each in SqlJobQueue(config).left()) == 6


def test_what_others_have_is_not_waited_for(database: Database) -> None:
    sink = sink_of(database, HIDE)
    fail(sink, "p", 2)
    plain = SqlJobQueue(sink.config, pipeline=PLAIN)
    assert plain.due_in() is None
    assert claimed(sink, HIDE) != []
    assert plain.lease_ends_in() is None
    assert plain.waiting() == (0, None)
    assert SqlJobQueue(sink.config, pipeline=HIDE).waiting()[0] == 2


def test_jobs_that_a_pipeline_lost_stay_its_own_whoever_rescues_them(database: Database) -> None:
    sink = sink_of(database, HIDE)
    fail(sink, "p", 2)
    assert claimed(sink, HIDE) != []
    leases.release_all()
    plain = SqlJobQueue(sink.config, pipeline=PLAIN)
    assert plain.rescue() == 2
    assert list(plain.claim(plain.lease(), LIMITS)) == []
    assert claimed(sink, HIDE) != []


def test_what_is_given_back_stays_its_own(database: Database) -> None:
    sink = sink_of(database, HIDE)
    fail(sink, "p", 2)
    SqlJobQueue(sink.config, pipeline=HIDE).give_back(claimed(sink, HIDE))
    assert claimed(sink, PLAIN) == []
    assert claimed(sink, HIDE) != []


@pytest.mark.parametrize("writer", [None, PLAIN])
def test_jobs_read_for_one_pipeline_are_not_written_by_another(
    database: Database, writer: PipelineIdentity | None
) -> None:
    sink = sink_of(database, HIDE)
    fail(sink, "p", 1)
    batches = [parsed(batch) for batch in claimed(sink, HIDE)]
    with pytest.raises(SinkFailed, match="another pipeline"):
        replace(sink, pipeline=writer).commit(batches)
    assert database.rows("SELECT * FROM events") == []
    sink.commit(batches)
    assert database.rows("SELECT id FROM events") == [(0,)]


def test_labels_come_back_as_they_were(database: Database) -> None:
    odd = PipelineIdentity('a "b" [c]', ("Verstecken ü", "'; --", "a]b"))
    sink = sink_of(database, odd)
    fail(sink, "p", 1)
    (left,) = SqlJobQueue(sink.config, pipeline=PLAIN).left()
    assert left.owner == odd
    with transaction(sink.config.database, "test", write=False) as connection:
        assert connection.execute(sa.select(jobs.c.pipeline)).scalar_one() == 'a "b" [c]'
    assert claimed(sink, odd) != []


class TestMapping:
    """What was made under a mapping may be hidden by it: no program without one writes it."""

    mapped = replace(HIDE, mapped=True, version="m1")

    def test_a_program_without_a_mapping_leaves_jobs_made_under_one(
        self, database: Database
    ) -> None:
        sink = sink_of(database, self.mapped)
        fail(sink, "p", 2)
        queue = SqlJobQueue(sink.config, pipeline=HIDE)
        assert claimed(sink, HIDE) == []
        assert (queue.due_in(), queue.waiting()[0]) == (None, 0)
        (left,) = queue.left()
        assert (left.owner, left.jobs, left.program) == (
            replace(self.mapped, name="events"),
            2,
            replace(HIDE, name="events"),
        )
        assert claimed(sink, self.mapped) != []

    def test_a_program_with_a_mapping_takes_both_the_longest_due_first(
        self, database: Database
    ) -> None:
        sink = sink_of(database, HIDE)
        fail(sink, "before", 2)
        fail(replace(sink, pipeline=self.mapped), "after", 1)
        database.run("UPDATE ingest_queue SET due_at = '2001-01-01 00:00:00' WHERE job <> 3")
        queue = SqlJobQueue(sink.config, pipeline=self.mapped)
        assert queue.waiting()[0] == 3
        assert queue.left() == []
        lease = queue.lease()
        batches = [queue.claim(lease, LIMITS) for _ in range(3)]
        assert [[batch.span.partition for batch in taken] for taken in batches] == [
            ["before"],
            ["after"],
            [],
        ]

    def test_of_one_owner_that_others_are_taking_it_goes_on_to_the_next(
        self, database: Database
    ) -> None:
        if database.kind != "postgres":
            pytest.skip("elsewhere one transaction at a time takes jobs")
        sink = sink_of(database, HIDE)
        fail(sink, "before", 1)
        fail(replace(sink, pipeline=self.mapped), "after", 1)
        database.run("UPDATE ingest_queue SET due_at = '2001-01-01 00:00:00' WHERE job = 1")
        with transaction(sink.config.database, "test") as connection:
            connection.execute(sa.text("SELECT * FROM ingest_queue WHERE job = 1 FOR UPDATE"))
            (batch,) = claimed(sink, self.mapped)
            assert batch.span.partition == "after"

    def test_what_was_tried_under_a_mapping_is_from_then_on_of_one(
        self, database: Database
    ) -> None:
        sink = sink_of(database, HIDE)
        fail(sink, "p", 2)
        (batch,) = claimed(sink, self.mapped)
        again = batch.keep([0], [{"id": 0}], [retryable(1)])
        replace(sink, pipeline=self.mapped).commit([again])
        assert stored(sink.config, "state", "mapped", "version") == [
            ("completed", True, "m1"),
            ("retryable", True, "m1"),
        ]
        assert claimed(sink, HIDE) == []
        assert claimed(sink, self.mapped) != []

    def test_what_is_given_back_untried_stays_as_it_was(self, database: Database) -> None:
        sink = sink_of(database, HIDE)
        fail(sink, "p", 1)
        taken = claimed(sink, self.mapped)
        SqlJobQueue(sink.config, pipeline=self.mapped).give_back(taken)
        assert claimed(sink, HIDE) != []

    def test_a_write_without_the_mapping_cannot_settle_what_was_read_with_it(
        self, database: Database
    ) -> None:
        sink = sink_of(database, self.mapped)
        fail(sink, "p", 1)
        batches = [parsed(batch) for batch in claimed(sink, self.mapped)]
        with pytest.raises(SinkFailed, match="another pipeline"):
            replace(sink, pipeline=HIDE).commit(batches)


class TestTablesOfRoutes:
    """All jobs of a pipeline have one owner, whatever tables they are meant for."""

    records = batch_of(
        *({"id": 1, "to": ["orders"]}, {"id": 2, "to": ["notes"]}, {"id": 3, "to": ["notes"]})
    )
    steps = Steps(away={1}, late={(2, "notes"), (3, "notes")})

    @pytest.fixture
    def sink(self, database: Database) -> SqlSink:
        database.run(ORDERS, NOTES)
        sink = routed.sink_of(database, *keyed("orders", "notes"))
        sink.commit([self.steps.applied(self.records)])
        return sink

    def test_one_queue_has_them(self, sink: SqlSink) -> None:
        queue = SqlJobQueue(sink.config, pipeline=routed.PIPELINE)
        assert queue.waiting()[0] == 3
        assert queue.left() == []

    def test_those_that_wait_for_other_steps_are_told_by_table(self, sink: SqlSink) -> None:
        changed = replace(routed.PIPELINE, steps=("Changed",))
        queue = SqlJobQueue(sink.config, pipeline=changed)
        assert [(left.table, left.jobs) for left in queue.left()] == [("notes", 2), (UNROUTED, 1)]

    def test_a_pipeline_without_a_table_is_not_told_of_those_of_others(self, sink: SqlSink) -> None:
        other = replace(routed.PIPELINE, name="other")
        replace(sink, pipeline=other).prepare()
        assert SqlJobQueue(sink.config, pipeline=other).left() == []

    def test_adopted_ones_are_taken_by_a_pipeline_that_sends_records_there(
        self, database: Database, sink: SqlSink
    ) -> None:
        changed = replace(routed.PIPELINE, steps=("Changed",))
        order = Order.of(ADOPT, JobFilter(target="notes"), adopter=changed)
        assert carry_out(database.database, order, actor="me", reason="renamed").count == 2
        assert SqlJobQueue(sink.config, pipeline=changed).waiting()[0] == 2

    def test_a_pipeline_of_another_table_does_not_write_what_it_adopts_there(
        self, database: Database, sink: SqlSink
    ) -> None:
        own = replace(database.sink("events", key=["id"]), pipeline=HIDE)
        own.prepare()
        adopter = replace(HIDE, name="events")
        order = Order.of(ADOPT, JobFilter(target="notes"), adopter=adopter)
        carry_out(database.database, order, actor="me", reason="by mistake")
        assert SqlJobQueue(own.config, pipeline=HIDE).waiting()[0] == 0
