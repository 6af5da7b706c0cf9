"""Tables that an earlier version made get the columns they lack, and keep what they hold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa

from sinks.database import upgrade
from sinks.database.engine import transaction
from sinks.jobs.actions import carry_out
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import Order
from sinks.jobs.queue import SqlJobQueue
from sinks.jobs.store import list_jobs, origin_of
from sinks.sql import SqlSink
from tests.io.sinks.jobs.queued_jobs import retryable
from tests.io.sinks.tested_database import Database, await_lock, make_batch
from transforms.batch.job_states import ADOPT
from transforms.batch.record import Origin
from transforms.batch.splits import BatchLimits
from transforms.errors import ConfigError
from transforms.steps.pipeline_identity import PipelineIdentity

HIDE = PipelineIdentity(steps=("Hide",))


def old_tables(kind: str) -> list[str]:
    """What the version before pipelines had names made."""
    postgres = kind == "postgres"
    types = {
        "BIGSERIAL": "BIGSERIAL NOT NULL" if postgres else "INTEGER NOT NULL",
        "BYTES": "BYTEA" if postgres else "BLOB",
        "TIME": "TIMESTAMP WITH TIME ZONE" if postgres else "DATETIME",
        "UUID": "UUID" if postgres else "CHAR(32)",
        "REAL": "DOUBLE PRECISION" if postgres else "DOUBLE",
    }
    tables = """
        CREATE TABLE ingest_jobs (
            id <BIGSERIAL>, target TEXT NOT NULL, source TEXT NOT NULL, partition TEXT NOT NULL,
            "offset" BIGINT NOT NULL, state VARCHAR(16) NOT NULL, stage TEXT NOT NULL,
            category TEXT NOT NULL, sqlstate VARCHAR(5), exception TEXT NOT NULL,
            message TEXT NOT NULL, stack TEXT NOT NULL, raw <BYTES> NOT NULL, format TEXT NOT NULL,
            event_time <REAL>, key <BYTES>, headers TEXT, attempt INTEGER NOT NULL,
            max_attempts INTEGER NOT NULL, replays INTEGER NOT NULL, errors JSON NOT NULL,
            run VARCHAR(36) NOT NULL, attempted_by TEXT, inserted_at <TIME> NOT NULL,
            scheduled_at <TIME> NOT NULL, attempted_at <TIME>, completed_at <TIME>,
            cancelled_at <TIME>, discarded_at <TIME>, origin <UUID> NOT NULL,
            PRIMARY KEY (id),
            CONSTRAINT ingest_jobs_state CHECK (state IN ('suspended', 'available', 'scheduled',
                'retryable', 'completed', 'cancelled', 'discarded')),
            UNIQUE (origin)
        );
        CREATE TABLE ingest_queue (
            job BIGINT NOT NULL, target TEXT NOT NULL, bytes BIGINT NOT NULL,
            due_at <TIME> NOT NULL, PRIMARY KEY (job)
        );
        CREATE INDEX ingest_queue_due ON ingest_queue (target, due_at);
        CREATE TABLE ingest_claims (
            id <UUID> NOT NULL, target TEXT NOT NULL, lease TEXT NOT NULL, jobs JSON NOT NULL,
            count INTEGER NOT NULL, attempted_at <TIME> NOT NULL, PRIMARY KEY (id)
        )
    """
    for name, written in types.items():
        tables = tables.replace(f"<{name}>", written)
    return tables.split(";")


def old_job(kind: str, number: int, state: str) -> list[str]:
    """The ``number``th failed record as that version stored it; one that waits is in the queue."""
    origin = origin_of("events", Origin("file:///a", "p", number)).hex
    raw = "'{}'" if kind == "postgres" else "X'7B7D'"
    job = f"""
        INSERT INTO ingest_jobs (target, source, partition, "offset", state, stage, category,
            exception, message, stack, raw, format, attempt, max_attempts, replays, errors, run,
            inserted_at, scheduled_at, origin)
        VALUES ('events', 'file:///a', 'p', {number}, '{state}', 'Hide', 'retry_later',
            'RetryLater', 'away', '', {raw}, '{{"name":"json"}}', 1, 10, 0, '[]', 'run-0',
            '2026-03-01 12:00:00', '2026-03-01 12:00:00', '{origin}')
    """
    queued = f"INSERT INTO ingest_queue VALUES ({number}, 'events', 2, '2026-03-01 12:00:00')"
    return [job] if state == "discarded" else [job, queued]


@pytest.fixture
def old(database: Database) -> Database:
    """A database of the version before, with a retry that is due and a dead letter."""
    database.run(
        "CREATE TABLE events (id integer PRIMARY KEY, name text)",
        *old_tables(database.kind),
        *old_job(database.kind, 1, "retryable"),
        *old_job(database.kind, 2, "discarded"),
    )
    return database


def columns(database: Database, table: str) -> set[str]:
    with transaction(database.database, "test", write=False) as connection:
        return {column["name"] for column in sa.inspect(connection).get_columns(table)}


def takes(sink: SqlSink, owner: PipelineIdentity) -> list[int]:
    queue = SqlJobQueue(sink.config, pipeline=owner)
    batches = queue.claim(queue.lease(), BatchLimits())
    return [offset for batch in batches for offset in batch.offsets]


def test_a_run_that_prepares_adds_the_columns_and_keeps_the_jobs(old: Database) -> None:
    sink = old.sink(key=["id"])
    assert {"pipeline", "steps", "version", "owner"} <= columns(old, "ingest_jobs")
    assert "owner" in columns(old, "ingest_queue")
    assert "owner" in columns(old, "ingest_claims")
    jobs = {job.id: (job.state, job.pipeline) for job in list_jobs(sink.config.database)}
    assert jobs == {1: ("retryable", None), 2: ("discarded", None)}


def test_the_index_that_claims_use_is_the_new_one_alone(old: Database) -> None:
    old.sink(key=["id"])
    with transaction(old.database, "test", write=False) as connection:
        indexes = sa.inspect(connection).get_indexes("ingest_queue")
    assert [index["column_names"] for index in indexes] == [["owner", "due_at"]]


def test_jobs_of_before_belong_to_nobody_until_they_are_adopted(old: Database) -> None:
    sink = replace(old.sink(key=["id"]), pipeline=HIDE)
    assert takes(sink, HIDE) == []
    (left,) = SqlJobQueue(sink.config, pipeline=HIDE).left()
    assert (left.owner, left.jobs) == (None, 1)
    order = Order.of(ADOPT, JobFilter(pipeline=""), adopter=HIDE.named("events"))
    assert carry_out(sink.config.database, order, actor="ann", reason="upgraded").count == 2
    assert takes(sink, HIDE) == [1]


def test_what_fails_after_it_is_stored_beside_what_failed_before(old: Database) -> None:
    sink = replace(old.sink(key=["id"]), pipeline=HIDE)
    sink.commit([make_batch([{"id": 7}], start=10, failures=[retryable(11)])])
    owners = [(job.failure.origin.offset, job.pipeline) for job in list_jobs(sink.config.database)]
    assert owners == [(11, HIDE.named("events")), (2, None), (1, None)]


def test_preparing_again_changes_nothing(old: Database) -> None:
    for _ in range(3):
        old.sink(key=["id"])
    assert len(list_jobs(old.database)) == 2


def test_programs_that_prepare_at_the_same_time_do_not_meet(old: Database) -> None:
    with ThreadPoolExecutor(6) as threads:
        config = old.config(key=["id"])
        for done in [threads.submit(SqlSink(config).prepare) for _ in range(6)]:
            done.result(60)
    assert "owner" in columns(old, "ingest_queue")


def test_tables_are_altered_while_a_program_of_before_is_at_work(postgres: Database) -> None:
    """Its locks and those of the ALTER close a ring, which the database breaks."""
    postgres.run(
        "CREATE TABLE events (id integer PRIMARY KEY, name text)", *old_tables(postgres.kind)
    )
    with ThreadPoolExecutor() as threads, closing(postgres.connect()) as other:
        cursor = other.cursor()
        cursor.execute("DELETE FROM ingest_queue")
        preparing = threads.submit(SqlSink(postgres.config(key=["id"])).prepare)
        await_lock(postgres)
        with suppress(psycopg2.errors.DeadlockDetected):
            cursor.execute("SELECT count(*) FROM ingest_jobs")
        other.rollback()
        preparing.result(60)
    assert "owner" in columns(postgres, "ingest_queue")


def test_actions_by_hand_bring_the_tables_up_to_date_and_lists_ask_for_it(old: Database) -> None:
    with pytest.raises(ConfigError, match=r"earlier version.*run an ingest"):
        list_jobs(old.database)
    upgrade.prepare(old.database)
    assert [job.id for job in list_jobs(old.database)] == [2, 1]


def test_a_database_without_tables_stays_so(database: Database) -> None:
    upgrade.prepare(database.database)
    with transaction(database.database, "test", write=False) as connection:
        assert sa.inspect(connection).get_table_names() == []


@pytest.mark.parametrize("lost", ["stage", "replays"])
def test_a_table_that_lacks_another_column_is_refused(database: Database, lost: str) -> None:
    statements: list[str] = [
        text.replace(f"{lost} TEXT NOT NULL,", "").replace(f"{lost} INTEGER NOT NULL,", "")
        for text in old_tables(database.kind)
    ]
    database.run(*statements)
    config: Any = database.config(key=["id"])
    with pytest.raises(ConfigError, match=rf"ingest_jobs has no column .*{lost}"):
        SqlSink(config).prepare()
