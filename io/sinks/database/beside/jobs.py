"""Failed records: the jobs, which of them wait, which are being tried, and what was done to them by hand."""

from __future__ import annotations

import sqlalchemy as sa

from sinks.database.columns import (
    BYTES,
    ID,
    NAME,
    TEXT,
    UUID,
    UUID_TEXT,
    UtcDateTime,
    about,
    is_one_of,
    metadata,
    names,
    numbers,
    times,
    within_message,
)
from transforms.batch.job_states import EXECUTING, JOB_STATES

jobs = sa.Table(
    "ingest_jobs",
    metadata,
    sa.Column("id", ID, primary_key=True, autoincrement=True, doc="the number of the job"),
    *names("target", "source", "partition"),
    *numbers("offset"),
    sa.Column(
        "state",
        sa.String(16),
        nullable=False,
        doc="available, scheduled, retryable, completed, cancelled, discarded (a dead letter) or suspended",
    ),
    *names("stage", "category"),
    sa.Column("sqlstate", sa.String(5), doc="the database's code of the error, if it gave one"),
    sa.Column("exception", NAME, nullable=False, doc="the class of the error"),
    sa.Column("message", TEXT, nullable=False, doc="what the error says"),
    sa.Column("stack", TEXT, nullable=False, doc="where in the code it was raised; may be empty"),
    sa.Column("raw", BYTES, nullable=False, doc="the record as it was read"),
    sa.Column(
        "format",
        TEXT,
        nullable=False,
        doc="how the bytes are parsed: the format, and the header of a CSV file",
    ),
    sa.Column(
        "event_time", sa.Double, doc="seconds since 1970 of the record, where its source says so"
    ),
    sa.Column("key", BYTES, doc="the key of the message"),
    sa.Column("headers", TEXT, doc="the headers of the message, as JSON"),
    sa.Column("attempt", sa.Integer, nullable=False, doc="attempts since the last replay"),
    sa.Column("max_attempts", sa.Integer, nullable=False, doc="how many attempts it has"),
    sa.Column("replays", sa.Integer, nullable=False, doc="how often it was replayed by hand"),
    sa.Column(
        "errors", sa.JSON, nullable=False, doc="the error of each attempt, the newest of them"
    ),
    sa.Column("run", sa.String(36), nullable=False, doc="the run whose counts have it as retrying"),
    sa.Column("attempted_by", NAME, doc="the lease under which it was last tried"),
    *times(
        inserted_at="when it failed first",
        scheduled_at="when its next attempt is due",
    ),
    *times(
        attempted_at="when it was last tried",
        completed_at="when it was written after all",
        cancelled_at="when it was cancelled",
        discarded_at="when it became a dead letter",
        nullable=True,
    ),
    # An index over the texts would cost more than everything else in the updates of a job.
    sa.Column(
        "origin",
        UUID,
        nullable=False,
        unique=True,
        doc="a hash of read_by, source, partition, offset, element and expansion",
    ),
    sa.Column(
        "pipeline",
        NAME,
        doc="the pipeline that may try it; null means that nobody may, until it is adopted",
    ),
    sa.Column("steps", TEXT, doc="the labels of the steps of the pipeline, as JSON"),
    sa.Column("version", sa.String(32), doc="the version of the pipeline that last tried it"),
    sa.Column("owner", UUID, doc="a hash of target, pipeline, steps and mapped"),
    sa.Column(
        "read_by",
        NAME,
        doc="the pipeline that read the record, whose ledger counts it; null stands for the target's name",
    ),
    *within_message(),
    sa.Column(
        "mapped",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        doc="whether the pipeline has a mapping; a program without one must not take the job",
    ),
    sa.CheckConstraint(
        is_one_of(state for state in JOB_STATES if state != EXECUTING),
        name="ingest_jobs_state",
    ),
    info=about("failed record", "the commit that settles its batch or its attempt"),
    # No index covers what an attempt changes, so that Postgres can update in place (HOT), for which
    # pages keep room; the queue is a table of its own.
    postgresql_with={"fillfactor": 50},
)

queue = sa.Table(
    "ingest_queue",
    metadata,
    sa.Column(
        "job", sa.BigInteger, primary_key=True, autoincrement=False, doc="the number of the job"
    ),
    sa.Column("target", NAME, nullable=False, doc="the label of the target table"),
    *numbers(bytes="the length of the record"),
    *times(due_at="when the job may be tried"),
    sa.Column("owner", UUID, doc="as in the job"),
    sa.Index("ingest_queue_next", "owner", "due_at"),
    info=about(
        "job that waits for an attempt",
        "the commit that stores the job, claims, and actions by hand",
    ),
)

claims = sa.Table(
    "ingest_claims",
    metadata,
    sa.Column("id", UUID_TEXT, primary_key=True, doc="the id of the claim"),
    sa.Column("pipeline", NAME, nullable=False, doc="the pipeline that has claimed the jobs"),
    sa.Column("lease", NAME, nullable=False, doc="the lease under which the jobs are being tried"),
    sa.Column("jobs", sa.JSON, nullable=False, doc="the numbers of the jobs"),
    sa.Column("count", sa.Integer, nullable=False, doc="how many jobs it has"),
    *times(attempted_at="when they were claimed"),
    sa.Column("owner", UUID, doc="as in its jobs"),
    info=about(
        "batch of jobs that are being tried", "claims; the commit of the attempt deletes it"
    ),
)

leases = sa.Table(
    "ingest_leases",
    metadata,
    sa.Column("name", NAME, primary_key=True, doc="what the lease is for"),
    sa.Column("holder", NAME, nullable=False, doc="the process that holds it"),
    *times(expires_at="when it runs out unless the holder renews it"),
    info=about(
        "lease of a process with jobs or a part of the outbox",
        "its holder, three times in the length of the lease",
    ),
)

audit = sa.Table(
    "ingest_audit",
    metadata,
    sa.Column("id", ID, primary_key=True, autoincrement=True, doc="the number of the entry"),
    sa.Column("at", UtcDateTime, nullable=False, doc="when it was done"),
    sa.Column(
        "action",
        sa.String(16),
        nullable=False,
        doc="what was done, such as replay, purge, pause, rewind or evolve",
    ),
    *names("actor"),
    sa.Column("reason", TEXT, nullable=False, doc="why"),
    sa.Column("filter", sa.JSON, nullable=False, doc="which jobs, objects or pipelines were meant"),
    *numbers(count="how many of them the transaction changed, or showed"),
    info=about(
        "transaction of an action by hand",
        "`sluice dead-letters`, `compact`, `ledger`, `pause` and its like, the console, `--retain`, `--evolve`",
    ),
)
