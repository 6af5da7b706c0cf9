"""The tables that serve those who repair dead letters: groups of them, long orders, and edits.

``ingest_dead`` has a narrow row for each dead letter, and ``ingest_fingerprints`` says what those of one
kind have in common. ``ingest_orders`` has actions on many jobs that are carried out in chunks, and
``ingest_edits`` the records as they were before they were edited.
"""

from __future__ import annotations

import sqlalchemy as sa

from sinks.database.columns import (
    BYTES,
    ID,
    NAME,
    TEXT,
    UUID,
    UtcDateTime,
    is_one_of,
    metadata,
    names,
    numbers,
    times,
)

dead = sa.Table(
    "ingest_dead",
    metadata,
    # Of a job that is ``discarded``. The row comes and goes with that state, so that no index covers
    # what an attempt changes in the job.
    sa.Column("job", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("fingerprint", UUID, nullable=False),
    sa.Index("ingest_dead_fingerprint", "fingerprint", "job"),
)

fingerprints = sa.Table(
    "ingest_fingerprints",
    metadata,
    # A hash of the columns below up to the message. A row is written once and never updated.
    sa.Column("id", UUID, primary_key=True),
    *names("target", "stage", "category"),
    sa.Column("sqlstate", sa.String(5)),
    sa.Column("exception", NAME, nullable=False),
    sa.Column("message", TEXT, nullable=False),  # without what differs from record to record
    *times("first_seen"),
)

orders = sa.Table(
    "ingest_orders",
    metadata,
    sa.Column("id", ID, primary_key=True, autoincrement=True),
    sa.Column("action", sa.String(16), nullable=False),
    sa.Column("which", sa.JSON, nullable=False),  # as ``sinks.jobs.orders`` reads and writes it
    *names("actor"),
    sa.Column("reason", TEXT, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    # The jobs that it was about when it was given, the newest of them, and the last that was looked at.
    *numbers("expected", "newest", "position"),
    *numbers("changed"),  # so far
    sa.Column("left_alone", sa.JSON, nullable=False),  # as ``sinks.bulk.chunk`` writes it
    sa.Column("message", TEXT),  # of the error that held it up last, or ended it
    *times("created_at", "changed_at"),
    sa.Column("ended_at", UtcDateTime),
    sa.CheckConstraint(
        is_one_of(("available", "completed", "cancelled", "discarded")), name="ingest_orders_state"
    ),
)

edits = sa.Table(
    "ingest_edits",
    metadata,
    sa.Column("id", ID, primary_key=True, autoincrement=True),
    sa.Column("job", sa.BigInteger, nullable=False),
    # What the job had before: the first row of a job has the record as it was read.
    sa.Column("raw", BYTES, nullable=False),
    *names("actor"),
    sa.Column("reason", TEXT, nullable=False),
    sa.Column("fields", sa.JSON, nullable=False),  # the names of what was changed
    *times("at"),
    sa.Index("ingest_edits_job", "job"),
)
