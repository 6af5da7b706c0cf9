"""The tables of version 1, as they were: what migrations start from. Nothing here ever changes."""

from __future__ import annotations

import sqlalchemy as sa

from sinks.database.columns import UtcDateTime
from sinks.text.stored_text import StoredText

NAME = StoredText().with_variant(sa.String(255), "mysql", "mariadb")
TEXT = StoredText()
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

COUNTS = ("read", "inserted", "updated", "duplicates", "filtered", "dead", "retrying")

metadata = sa.MetaData()

progress = sa.Table(
    "ingest_progress",
    metadata,
    sa.Column("target", NAME, primary_key=True),
    sa.Column("source", NAME, primary_key=True),
    sa.Column("partition", NAME, primary_key=True),
    sa.Column("start_offset", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("end_offset", sa.BigInteger, nullable=False),
    sa.Column("final", sa.Boolean, nullable=False),
    *(sa.Column(name, sa.BigInteger, nullable=False) for name in COUNTS),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.CheckConstraint("end_offset >= start_offset", name="ingest_progress_range"),
)

targets = sa.Table(
    "ingest_targets",
    metadata,
    sa.Column("target", NAME, primary_key=True),
    sa.Column("layout", sa.String(16), nullable=False),
    sa.Column("columns", TEXT, nullable=False),
    sa.Column("since", UtcDateTime, nullable=False),
    sa.CheckConstraint("layout IN ('fields', 'record')", name="ingest_targets_layout"),
)

jobs = sa.Table(
    "ingest_jobs",
    metadata,
    sa.Column("id", ID, primary_key=True, autoincrement=True),
    sa.Column("target", NAME, nullable=False),
    sa.Column("source", NAME, nullable=False),
    sa.Column("partition", NAME, nullable=False),
    sa.Column("offset", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("stage", NAME, nullable=False),
    sa.Column("category", NAME, nullable=False),
    sa.Column("sqlstate", sa.String(5)),
    sa.Column("exception", NAME, nullable=False),
    sa.Column("message", TEXT, nullable=False),
    sa.Column("stack", TEXT, nullable=False),
    sa.Column("raw", sa.LargeBinary, nullable=False),
    sa.Column("format", TEXT, nullable=False),
    sa.Column("event_time", sa.Double),
    sa.Column("key", sa.LargeBinary),
    sa.Column("headers", TEXT),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("max_attempts", sa.Integer, nullable=False),
    sa.Column("replays", sa.Integer, nullable=False),
    sa.Column("errors", sa.JSON, nullable=False),
    sa.Column("run", sa.String(36), nullable=False),
    sa.Column("attempted_by", NAME),
    sa.Column("inserted_at", UtcDateTime, nullable=False),
    sa.Column("scheduled_at", UtcDateTime, nullable=False),
    sa.Column("attempted_at", UtcDateTime),
    sa.Column("completed_at", UtcDateTime),
    sa.Column("cancelled_at", UtcDateTime),
    sa.Column("discarded_at", UtcDateTime),
    sa.Column("origin", sa.Uuid, nullable=False, unique=True),
    sa.Column("pipeline", NAME),
    sa.Column("steps", TEXT),
    sa.Column("version", sa.String(32)),
    sa.Column("owner", sa.Uuid),
    sa.CheckConstraint(
        "state IN ('suspended', 'available', 'scheduled', 'retryable', 'completed', 'cancelled', "
        "'discarded')",
        name="ingest_jobs_state",
    ),
    postgresql_with={"fillfactor": 50},
)

queue = sa.Table(
    "ingest_queue",
    metadata,
    sa.Column("job", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("target", NAME, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("due_at", UtcDateTime, nullable=False),
    sa.Column("owner", sa.Uuid),
    sa.Index("ingest_queue_next", "owner", "due_at"),
)

claims = sa.Table(
    "ingest_claims",
    metadata,
    sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("target", NAME, nullable=False),
    sa.Column("lease", NAME, nullable=False),
    sa.Column("jobs", sa.JSON, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("attempted_at", UtcDateTime, nullable=False),
    sa.Column("owner", sa.Uuid),
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
    sa.Column("action", sa.String(16), nullable=False),
    sa.Column("actor", NAME, nullable=False),
    sa.Column("reason", TEXT, nullable=False),
    sa.Column("filter", sa.JSON, nullable=False),
    sa.Column("count", sa.BigInteger, nullable=False),
)

submissions = sa.Table(
    "ingest_submissions",
    metadata,
    sa.Column("job", sa.String(64), primary_key=True),
    sa.Column("target", NAME, nullable=False),
    sa.Column("sources", sa.JSON, nullable=False),
    sa.Column("submitted_at", UtcDateTime, nullable=False),
)

outbox = sa.Table(
    "ingest_outbox",
    metadata,
    sa.Column("id", ID, primary_key=True, autoincrement=True),
    sa.Column("target", NAME, nullable=False),
    sa.Column("key", TEXT, nullable=False),
    sa.Column("shard", sa.SmallInteger, nullable=False),
    sa.Column("operation", sa.String(6), nullable=False),
    sa.Column("source", NAME, nullable=False),
    sa.Column("partition", NAME, nullable=False),
    sa.Column("offset", sa.BigInteger, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("published_at", UtcDateTime),
    sa.CheckConstraint("operation IN ('insert', 'update')", name="ingest_outbox_operation"),
    sa.Index(
        "ingest_outbox_unpublished",
        "id",
        "target",
        "shard",
        postgresql_where=sa.text("published_at IS NULL"),
        sqlite_where=sa.text("published_at IS NULL"),
    ),
    sa.Index(
        "ingest_outbox_published",
        "published_at",
        postgresql_where=sa.text("published_at IS NOT NULL"),
        sqlite_where=sa.text("published_at IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)
