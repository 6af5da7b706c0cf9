"""What serves those who repair dead letters: groups of them, long orders, and edits."""

from __future__ import annotations

import sqlalchemy as sa

from sinks.database.columns import (
    BYTES,
    ID,
    NAME,
    TEXT,
    UUID,
    about,
    is_one_of,
    metadata,
    names,
    numbers,
    times,
)

dead = sa.Table(
    "ingest_dead",
    metadata,
    # The row comes and goes with the state ``discarded``, so that no index covers what an attempt
    # changes in the job.
    sa.Column(
        "job",
        sa.BigInteger,
        primary_key=True,
        autoincrement=False,
        doc="the number of a job in state discarded",
    ),
    sa.Column("fingerprint", UUID, nullable=False, doc="the group that it belongs to"),
    sa.Index("ingest_dead_fingerprint", "fingerprint", "job"),
    info=about(
        "dead letter, with its fingerprint",
        "whatever makes a job a dead letter or ends that, in the same transaction",
    ),
)

fingerprints = sa.Table(
    "ingest_fingerprints",
    metadata,
    # A row is written once and never updated.
    sa.Column("id", UUID, primary_key=True, doc="a hash of the other columns but the time"),
    *names("target", "stage", "category"),
    sa.Column("sqlstate", sa.String(5), doc="the database's code of the error, if it gave one"),
    sa.Column("exception", NAME, nullable=False, doc="the class of the error"),
    sa.Column(
        "message",
        TEXT,
        nullable=False,
        doc="what the error says, without what differs from record to record",
    ),
    *times(first_seen="when there first was such a dead letter"),
    info=about("group of dead letters that are alike", "the first dead letter of its kind"),
)

orders = sa.Table(
    "ingest_orders",
    metadata,
    sa.Column("id", ID, primary_key=True, autoincrement=True, doc="the number of the order"),
    sa.Column(
        "action", sa.String(16), nullable=False, doc="what is done to jobs, such as replay or purge"
    ),
    sa.Column(
        "which", sa.JSON, nullable=False, doc="which jobs are meant"
    ),  # as ``sinks.bulk.long_orders`` reads and writes it
    *names("actor"),
    sa.Column("reason", TEXT, nullable=False, doc="why"),
    sa.Column(
        "state", sa.String(16), nullable=False, doc="available, completed, cancelled or discarded"
    ),
    *numbers(
        expected="how many jobs it was about when it was given",
        newest="the newest job at that time; later ones are left alone",
        position="the last job that was looked at",
        changed="how many jobs it has changed so far",
    ),
    sa.Column(
        "left_alone", sa.JSON, nullable=False, doc="how many jobs were left as they were, and why"
    ),  # as ``sinks.bulk.chunk`` writes it
    sa.Column("message", TEXT, doc="what the error says that held it up last, or ended it"),
    *times(created_at="when it was given", changed_at="when a chunk was last carried out"),
    *times(ended_at="when it ended; null until then", nullable=True),
    sa.CheckConstraint(
        is_one_of(("available", "completed", "cancelled", "discarded")), name="ingest_orders_state"
    ),
    info=about(
        "long order: an action on many jobs, carried out in chunks",
        "`sluice dead-letters … --background` and the console; whoever carries it out",
    ),
)

edits = sa.Table(
    "ingest_edits",
    metadata,
    sa.Column("id", ID, primary_key=True, autoincrement=True, doc="the number of the edit"),
    sa.Column("job", sa.BigInteger, nullable=False, doc="the number of the job"),
    sa.Column(
        "raw",
        BYTES,
        nullable=False,
        doc="the record before the edit; the first edit of a job has it as it was read",
    ),
    *names("actor"),
    sa.Column("reason", TEXT, nullable=False, doc="why"),
    sa.Column("fields", sa.JSON, nullable=False, doc="the names of the fields that were changed"),
    *times(at="when it was edited"),
    sa.Index("ingest_edits_job", "job"),
    info=about("edit of a failed record by hand", "`sluice dead-letters edit` and the console"),
)
