"""The tables beside the target tables.

``ingest_pipelines`` names the pipelines. ``ingest_progress`` is their ledger, ``ingest_counts`` has
its counts for each table, ``ingest_forgotten`` those of ledgers that are gone, and ``ingest_targets``
says what the columns of each target are.
``ingest_jobs`` has the failed records, ``ingest_queue`` those that wait for an attempt, and
``ingest_claims`` those that are being tried. ``ingest_leases`` says which processes are alive.
``ingest_audit`` has what was done to jobs by hand, ``ingest_outbox`` the changes to publish,
``ingest_positions`` how far each key of a table with deletes has come, ``ingest_expired`` what it has
forgotten of deletes, and ``ingest_submissions`` the jobs that were submitted to a cluster. ``ingest_runs`` has the runs of
pipelines, and ``ingest_workers`` the processes that work for them. ``ingest_intents`` has the objects
that are being written into buckets and folders, ``ingest_objects`` those that were, and
``ingest_manifests`` names the buckets and folders. ``ingest_control`` has what operators ask of
pipelines. ``ingest_schema`` says which version
of these tables a database has. The tables of repairs are in ``repair_tables``. All of them are in the
database's default schema, so that one ledger serves every target table.
"""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa

import sinks.database.repair_tables  # noqa: F401 - the rest of ``metadata``
from sinks.database.columns import (
    BYTES,
    ID,
    NAME,
    TEXT,
    UUID,
    UUID_TEXT,
    UtcDateTime,
    is_one_of,
    keys,
    late_count,
    name_type,
    names,
    numbers,
    partial_index,
    times,
)
from sinks.database.columns import metadata as metadata  # noqa: PLC0414 - with all tables
from transforms.batch.counts import COUNTS
from transforms.batch.job_states import EXECUTING, JOB_STATES

VERSION = 7
"""Of the tables here and in ``repair_tables``. Whoever changes one adds the migration to it."""


_COUNTS_OF_3 = tuple(name for name in COUNTS if name not in ("rewound", "deleted"))
_FIRST_COUNTS = tuple(name for name in _COUNTS_OF_3 if name != "expanded")


versions = sa.Table(
    "ingest_schema",
    metadata,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),  # in its only row
    sa.Column("migrated_at", UtcDateTime, nullable=False),
)

pipelines = sa.Table(
    "ingest_pipelines",
    metadata,
    sa.Column("name", NAME, primary_key=True),
    sa.Column("target", NAME, nullable=False),  # the table that it writes
    # When a program of this name last started; null if none has since version 1, where a ledger
    # belonged to its table.
    sa.Column("prepared_at", UtcDateTime),
    # Every path in a record that a mapping of it has ever hidden, as JSON; null for none.
    sa.Column("hidden", TEXT),
)

progress = sa.Table(
    "ingest_progress",
    metadata,
    *keys("pipeline", "source", "partition"),
    sa.Column("start_offset", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("end_offset", sa.BigInteger, nullable=False),
    sa.Column("final", sa.Boolean, nullable=False),
    *numbers(*_FIRST_COUNTS),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    late_count("expanded"),
    # Of the bytes of the range, as ``transforms.batch.content`` writes it; null if not known.
    sa.Column("content", sa.String(100)),
    sa.Column("run", sa.String(36)),  # that wrote the row last; null if it was before version 3
    late_count("rewound"),
    late_count("deleted"),
    sa.CheckConstraint("end_offset >= start_offset", name="ingest_progress_range"),
    # A file that was renamed is looked for by the name of its partition.
    sa.Index("ingest_progress_partition", "pipeline", "partition"),
)

counts = sa.Table(
    "ingest_counts",
    metadata,
    *keys("pipeline", "target", "source", "partition"),
    *numbers(*_FIRST_COUNTS),
    sa.Column("purged", sa.BigInteger, nullable=False),  # dead letters that were deleted by hand
    late_count("expanded"),
    # All that there ever were, also those that were replayed since.
    sa.Column("dead_letters", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    late_count("rewound"),
    late_count("deleted"),
)

forgotten = sa.Table(
    "ingest_forgotten",
    metadata,
    *keys("pipeline", "target", "source"),
    *numbers(*_COUNTS_OF_3, "purged", "dead_letters"),
    late_count("rewound"),
    late_count("deleted"),
)

targets = sa.Table(
    "ingest_targets",
    metadata,
    sa.Column("target", NAME, primary_key=True),
    sa.Column("layout", sa.String(16), nullable=False),
    sa.Column(
        "columns", TEXT, nullable=False
    ),  # if this program created the table, otherwise empty
    sa.Column("since", UtcDateTime, nullable=False),
    sa.CheckConstraint("layout IN ('fields', 'record')", name="ingest_targets_layout"),
)

jobs = sa.Table(
    "ingest_jobs",
    metadata,
    sa.Column("id", ID, primary_key=True, autoincrement=True),
    *names("target", "source", "partition"),
    sa.Column("offset", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    *names("stage", "category"),
    sa.Column("sqlstate", sa.String(5)),
    sa.Column("exception", NAME, nullable=False),
    sa.Column("message", TEXT, nullable=False),
    sa.Column("stack", TEXT, nullable=False),
    sa.Column("raw", BYTES, nullable=False),
    sa.Column("format", TEXT, nullable=False),
    sa.Column("event_time", sa.Double),
    sa.Column("key", BYTES),
    sa.Column("headers", TEXT),
    sa.Column("attempt", sa.Integer, nullable=False),  # since the last replay
    sa.Column("max_attempts", sa.Integer, nullable=False),
    sa.Column("replays", sa.Integer, nullable=False),
    sa.Column("errors", sa.JSON, nullable=False),
    sa.Column("run", sa.String(36), nullable=False),  # the run whose counts have it as retrying
    sa.Column("attempted_by", NAME),  # the lease under which it was last tried
    *times("inserted_at", "scheduled_at"),
    *times("attempted_at", "completed_at", "cancelled_at", "discarded_at", nullable=True),
    # A hash of read_by, source, partition, offset, element and expansion: an index over the texts would
    # cost more than everything else in the updates of a job.
    sa.Column("origin", UUID, nullable=False, unique=True),
    # The pipeline that may try it; null means nobody, see ``sinks.jobs.owner``.
    sa.Column("pipeline", NAME),
    sa.Column("steps", TEXT),  # labels, as JSON
    sa.Column("version", sa.String(32)),  # of the pipeline that last tried it
    sa.Column("owner", UUID),  # a hash of target, pipeline, steps and mapped
    # The pipeline that read the record, whose ledger counts it; null stands for the target's name.
    sa.Column("read_by", NAME),
    sa.Column("element", sa.BigInteger),  # of a message that holds several records
    sa.Column("expansion", TEXT),  # of a record of which steps made several
    # Whether the pipeline has a mapping; a program without one must not take the job.
    sa.Column("mapped", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.CheckConstraint(
        is_one_of(state for state in JOB_STATES if state != EXECUTING),
        name="ingest_jobs_state",
    ),
    # No index covers what an attempt changes, so that Postgres can update in place (HOT), for which
    # pages keep room; the queue is a table of its own.
    postgresql_with={"fillfactor": 50},
)

READ_BY = sa.func.coalesce(jobs.c.read_by, jobs.c.target)
"""The pipeline that has read the record of a job."""

queue = sa.Table(
    "ingest_queue",
    metadata,
    sa.Column("job", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("target", NAME, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),  # of the record
    sa.Column("due_at", UtcDateTime, nullable=False),
    sa.Column("owner", UUID),  # as in the job
    sa.Index("ingest_queue_next", "owner", "due_at"),
)

claims = sa.Table(
    "ingest_claims",
    metadata,
    sa.Column("id", UUID_TEXT, primary_key=True),
    sa.Column("pipeline", NAME, nullable=False),  # that has claimed them
    sa.Column("lease", NAME, nullable=False),  # under which its jobs are executing
    sa.Column("jobs", sa.JSON, nullable=False),  # their numbers
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("attempted_at", UtcDateTime, nullable=False),
    sa.Column("owner", UUID),  # as in its jobs
)

leases = sa.Table(
    "ingest_leases",
    metadata,
    sa.Column("name", NAME, primary_key=True),
    sa.Column("holder", NAME, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
)

audit = sa.Table(
    "ingest_audit",
    metadata,
    sa.Column("id", ID, primary_key=True, autoincrement=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("action", sa.String(16), nullable=False),  # as in ``sinks.jobs.audit_trail.Entry``
    *names("actor"),
    sa.Column("reason", TEXT, nullable=False),
    sa.Column("filter", sa.JSON, nullable=False),
    sa.Column("count", sa.BigInteger, nullable=False),
)

submissions = sa.Table(
    "ingest_submissions",
    metadata,
    sa.Column("job", sa.String(64), primary_key=True),  # its id in the cluster
    sa.Column("target", NAME, nullable=False),
    sa.Column("sources", sa.JSON, nullable=False),  # their URIs
    sa.Column("submitted_at", UtcDateTime, nullable=False),
    sa.Column("pipeline", NAME),  # null if a ledger belonged to its table then
)

runs = sa.Table(
    "ingest_runs",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("pipeline", NAME, nullable=False),
    sa.Column("target", NAME, nullable=False),
    sa.Column("runner", sa.String(32), nullable=False),
    sa.Column("program", NAME, nullable=False),  # user, host and process that started it
    sa.Column("version", sa.String(64), nullable=False),  # of this program
    sa.Column("options", sa.JSON, nullable=False),  # by name, without secrets
    sa.Column("streaming", sa.Boolean, nullable=False),
    sa.Column("job", sa.String(64)),  # its id in the cluster
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("outcome", sa.String(16)),  # null until it has ended
    sa.Column("message", TEXT),  # of the error that ended it
    # Of the pipeline: a hash of its steps, mapping and options.
    sa.Column("pipeline_version", sa.String(32)),
    sa.Index("ingest_runs_started", "started_at"),
)

workers = sa.Table(
    "ingest_workers",
    metadata,
    sa.Column("name", NAME, primary_key=True),
    sa.Column("run", sa.String(36), nullable=False),
    *times("started_at", "heartbeat_at"),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("committed_at", UtcDateTime),  # its last commit
    *numbers(*_COUNTS_OF_3),  # as of the heartbeat
    sa.Column("figures", sa.JSON, nullable=False),  # what only the process knows, e.g. its lag
    late_count("rewound"),
    late_count("deleted"),
    sa.Index("ingest_workers_run", "run"),
)

Operation = Literal["insert", "update", "delete"]
"""What a record did to a row."""

SHARDS = 64
"""The number of shards over which rows of the outbox are spread, by key."""

outbox = sa.Table(
    "ingest_outbox",
    metadata,
    sa.Column("id", ID, primary_key=True, autoincrement=True),
    sa.Column("target", NAME, nullable=False),
    sa.Column("key", TEXT, nullable=False),  # a JSON object
    sa.Column("shard", sa.SmallInteger, nullable=False),  # of the key
    # Of a delete, which ``deleted`` tells, ``update``: SQLite cannot change the condition below.
    sa.Column("operation", sa.String(6), nullable=False),
    *names("source", "partition"),
    sa.Column("offset", sa.BigInteger, nullable=False),
    sa.Column("payload", BYTES, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("published_at", UtcDateTime),
    sa.Column("element", sa.BigInteger),  # of a message that holds several records
    sa.Column("expansion", TEXT),  # of a record of which steps made several
    sa.Column("deleted", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.CheckConstraint("operation IN ('insert', 'update')", name="ingest_outbox_operation"),
    # By id first: publishers read in that order, be it the rows of one table or of all.
    partial_index(
        "ingest_outbox_unpublished", "id", "target", "shard", where="published_at IS NULL"
    ),
    partial_index("ingest_outbox_published", "published_at", where="published_at IS NOT NULL"),
    sqlite_autoincrement=True,  # otherwise the number of a deleted row would be reused
)

OPERATION: sa.ColumnElement[str] = sa.case(
    (outbox.c.deleted, sa.literal_column("'delete'")), else_=outbox.c.operation
)
"""What a record of the outbox did to its row, as ``Operation``."""

positions = sa.Table(
    "ingest_positions",
    metadata,
    sa.Column("key", UUID, primary_key=True),  # a hash of the target and the key of a row
    *names("target"),
    # Of the record that was applied last; null if only its offset tells it.
    sa.Column("position", sa.BigInteger),
    # Where that record was from; empty as long as none was applied.
    *names("source", "partition"),
    # The element counts the records of one offset.
    *numbers("offset", "element"),
    sa.Column("deleted", sa.Boolean, nullable=False),  # by that record
    sa.Column("changed_at", UtcDateTime, nullable=False),
    # Of columns that seldom change, so that Postgres can update in place (HOT).
    partial_index("ingest_positions_deleted", "target", "key", where="deleted"),
)

GONE = sa.text("ingest_positions.deleted")
"""Whether a row of ``positions`` is of a key that is gone, in the words of the index."""

expired = sa.Table(
    "ingest_expired",
    metadata,
    *keys("target", "source", "partition"),
    *numbers("offset"),  # the highest one of a delete that ``positions`` no longer has
    sa.Column("changed_at", UtcDateTime, nullable=False),
)

intents = sa.Table(
    "ingest_intents",
    metadata,
    sa.Column("pipeline", NAME, primary_key=True),
    # Of jobs, the source is empty, and the partition the id of their claim.
    sa.Column("source", name_type("source"), primary_key=True),
    sa.Column("partition", name_type("partition"), primary_key=True),
    sa.Column("start_offset", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("end_offset", sa.BigInteger, nullable=False),
    sa.Column("id", sa.String(12), nullable=False),  # a part of the names of its objects
    sa.Column("fence", sa.BigInteger, nullable=False),  # one more whenever it is taken over
    sa.Column("objects", sa.JSON, nullable=False),  # for each: sink, target, name
    *times("created_at", "updated_at"),
)

objects = sa.Table(
    "ingest_objects",
    metadata,
    sa.Column("id", ID, primary_key=True, autoincrement=True),
    *names("sink", "target"),  # the dataset's label
    sa.Column("name", TEXT, nullable=False),  # within the sink
    # The records in it; empty for jobs, and for an object that was made of others.
    *names("pipeline", "source", "partition"),
    *numbers("start_offset", "end_offset", "rows", "bytes"),
    sa.Column("etag", TEXT, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("pending", sa.Boolean, nullable=False),  # whether the manifest does not say so yet
    sa.Column("published", sa.BigInteger),  # the number of the manifest that says so
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("changed_at", UtcDateTime, nullable=False),  # when it came into its state
    sa.Column("deleted_at", UtcDateTime),  # when it was deleted from the sink
    # Part of its dataset, merged into another object, or never part of it.
    sa.CheckConstraint(is_one_of(("settled", "replaced", "orphan")), name="ingest_objects_state"),
    sa.Index("ingest_objects_target", "sink", "target", "state"),
    partial_index("ingest_objects_pending", "sink", "pending", where="pending"),
)

manifests = sa.Table(
    "ingest_manifests",
    metadata,
    sa.Column("sink", NAME, primary_key=True),
    sa.Column("id", sa.String(32), nullable=False),  # which the manifest has too
    sa.Column("number", sa.BigInteger, nullable=False),  # the last that is known
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("published_at", UtcDateTime),
)

control = sa.Table(
    "ingest_control",
    metadata,
    # An empty source stands for all of them, and for retries.
    *keys("pipeline", "source"),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("max_rate", sa.Double),  # records per second, of all its processes; null for no limit
    sa.Column("max_bytes_rate", sa.Double),
    # One more with each rewind; a position that was noted under an earlier one is not to be trusted.
    sa.Column("generation", sa.BigInteger, nullable=False),
    *names("actor"),
    sa.Column("reason", TEXT, nullable=False),
    *times("changed_at"),
    sa.Column("resumed_at", UtcDateTime),  # last; failures of before do not pause a stream again
    sa.CheckConstraint(is_one_of(("running", "paused", "draining")), name="ingest_control_state"),
)
