"""Changes of the target tables: those to publish, and how far each key of a table with deletes has come."""

from __future__ import annotations

import sqlalchemy as sa

from sinks.database.columns import (
    BYTES,
    ID,
    NAME,
    TEXT,
    UUID,
    UtcDateTime,
    about,
    keys,
    metadata,
    names,
    numbers,
    partial_index,
    times,
    within_message,
)

outbox = sa.Table(
    "ingest_outbox",
    metadata,
    sa.Column(
        "id",
        ID,
        primary_key=True,
        autoincrement=True,
        doc="the number of the change; publishers go by it",
    ),
    sa.Column("target", NAME, nullable=False, doc="the label of the table that was changed"),
    sa.Column("key", TEXT, nullable=False, doc="the key of the row, a JSON object"),
    sa.Column(
        "shard",
        sa.SmallInteger,
        nullable=False,
        doc="a number made of the key, by which publishers share the rows",
    ),
    # SQLite cannot change the condition below.
    sa.Column(
        "operation",
        sa.String(6),
        nullable=False,
        doc="insert or update; of a delete, which `deleted` tells, update",
    ),
    *names("source", "partition"),
    *numbers("offset"),
    sa.Column("payload", BYTES, nullable=False, doc="the record, as JSON"),
    *times(created_at="when the change was made"),
    *times(published_at="when it was published; null until then", nullable=True),
    *within_message(),
    sa.Column(
        "deleted",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        doc="whether the row was deleted",
    ),
    sa.CheckConstraint("operation IN ('insert', 'update')", name="ingest_outbox_operation"),
    # By id first: publishers read in that order, be it the rows of one table or of all.
    partial_index(
        "ingest_outbox_unpublished", "id", "target", "shard", where="published_at IS NULL"
    ),
    partial_index("ingest_outbox_published", "published_at", where="published_at IS NOT NULL"),
    info=about("change of a target table that is to be published", "commits with `--outbox`"),
    sqlite_autoincrement=True,  # otherwise the number of a deleted row would be reused
)

positions = sa.Table(
    "ingest_positions",
    metadata,
    sa.Column("key", UUID, primary_key=True, doc="a hash of the target table and the key of a row"),
    *names("target"),
    sa.Column(
        "position",
        sa.BigInteger,
        doc="where the record that was applied last lies in the order of all changes; null if only its "
        "offset tells it",
    ),
    # Empty as long as no record was applied.
    *names("source", "partition"),
    *numbers("offset", element="which of the records of one offset it was"),
    sa.Column("deleted", sa.Boolean, nullable=False, doc="whether that record deleted the row"),
    sa.Column("changed_at", UtcDateTime, nullable=False, doc="when it was applied"),
    # Of columns that seldom change, so that Postgres can update in place (HOT).
    partial_index("ingest_positions_deleted", "target", "key", where="deleted"),
    info=about(
        "key of a table with deletes: the record that was applied to it last",
        "commits with `--on_delete`",
    ),
)

expired = sa.Table(
    "ingest_expired",
    metadata,
    *keys("target", "source", "partition"),
    *numbers(offset="the highest offset of a delete that `ingest_positions` no longer has"),
    *times(changed_at="when a delete was last forgotten"),
    info=about("table and partition of which deletes were forgotten", "`--retain deletes=…`"),
)
