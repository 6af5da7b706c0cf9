"""Tables of programs before version 1 get what they lack."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sinks.database.engine import transaction
from sinks.database.migrations import migrate
from sinks.database.migrations.present import Present
from sinks.database.migrations.to_1 import INDEX
from sinks.jobs.actions import carry_out
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import Order
from sinks.jobs.queue import SqlJobQueue
from sinks.jobs.store import list_jobs
from sinks.sql import SqlSink
from tests.io.sinks.database.migrations.old_tables import create_version_0, restore_version_1, shape
from tests.io.sinks.jobs.queued_jobs import retryable
from tests.io.sinks.tested_database import Database, make_batch
from transforms.batch.job_states import ADOPT
from transforms.batch.splits import BatchLimits
from transforms.steps.pipeline_identity import PipelineIdentity

HIDE = PipelineIdentity(steps=("Hide",))


def indexes(database: Database) -> dict[str, bool]:
    with transaction(database.database, "test", write=False) as connection:
        named = Present(connection).indexes("ingest_queue")
    return {name: complete for name, complete in named.items() if name.startswith("ingest_queue_n")}


def test_the_index_that_claims_use_is_the_new_one_alone(database: Database) -> None:
    create_version_0(database)
    migrate.migrate(database.database, force=False)
    described = shape(database)["ingest_queue"]["indexes"]
    assert described == [(INDEX, ["owner", "due_at"], False)]


@pytest.mark.parametrize("lost", ["ingest_submissions", "ingest_queue"])
def test_a_table_that_is_lacking_is_created(database: Database, lost: str) -> None:
    restore_version_1(database)
    before = shape(database)[lost]
    database.run(f"DROP TABLE {lost}")
    assert migrate.migrate(database.database, force=False) == (0, 2)
    after = shape(database)[lost]
    del before["columns"], after["columns"]  # version 2 has more
    assert after == before


def test_what_an_interrupted_build_of_the_index_has_left_is_built_anew(postgres: Database) -> None:
    create_version_0(postgres)
    postgres.run(
        "ALTER TABLE ingest_queue ADD COLUMN owner uuid",
        f"CREATE INDEX {INDEX} ON ingest_queue (owner)",
        f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{INDEX}'::regclass",
    )
    assert indexes(postgres) == {INDEX: False}
    migrate.migrate(postgres.database, force=False)
    assert indexes(postgres) == {INDEX: True}
    assert shape(postgres)["ingest_queue"]["indexes"] == [(INDEX, ["owner", "due_at"], False)]


def takes(sink: SqlSink, owner: PipelineIdentity) -> list[int]:
    queue = SqlJobQueue(sink.config, pipeline=owner)
    batches = queue.claim(queue.lease(), BatchLimits())
    return [offset for batch in batches for offset in batch.offsets]


def test_jobs_of_before_belong_to_nobody_until_they_are_adopted(database: Database) -> None:
    create_version_0(database)
    sink = replace(database.sink(key=["id"]), pipeline=HIDE)
    assert takes(sink, HIDE) == []
    (left,) = SqlJobQueue(sink.config, pipeline=HIDE).left()
    assert (left.owner, left.jobs) == (None, 1)
    order = Order.of(ADOPT, JobFilter(pipeline=""), adopter=HIDE.named("events"))
    assert carry_out(sink.config.database, order, actor="ann", reason="upgraded").count == 2
    assert takes(sink, HIDE) == [1]


def test_what_fails_after_it_is_stored_beside_what_failed_before(database: Database) -> None:
    create_version_0(database)
    sink = replace(database.sink(key=["id"]), pipeline=HIDE)
    sink.commit([make_batch([{"id": 7}], start=10, failures=[retryable(11)])])
    owners = [(job.failure.origin.offset, job.pipeline) for job in list_jobs(sink.config.database)]
    assert owners == [(11, HIDE.named("events")), (2, None), (1, None)]
