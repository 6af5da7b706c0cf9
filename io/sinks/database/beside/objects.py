"""Objects of buckets and folders: those that are being written, those that there are, and their manifests."""

from __future__ import annotations

import sqlalchemy as sa

from sinks.database.columns import (
    ID,
    NAME,
    TEXT,
    about,
    is_one_of,
    keys,
    metadata,
    names,
    numbers,
    partial_index,
    times,
)

intents = sa.Table(
    "ingest_intents",
    metadata,
    *keys(
        "pipeline",
        source="the URI as it was given, or the topic; empty for jobs",
        partition="the version of an object, or the partition of a topic; of jobs, the id of their claim",
    ),
    sa.Column(
        "start_offset",
        sa.BigInteger,
        primary_key=True,
        autoincrement=False,
        doc="the first offset of the range",
    ),
    *numbers(end_offset="the offset behind the last of the range"),
    sa.Column("id", sa.String(12), nullable=False, doc="a part of the names of its objects"),
    *numbers(fence="one more whenever another process takes the range over"),
    sa.Column(
        "objects", sa.JSON, nullable=False, doc="sink, target and name of each of its objects"
    ),
    *times(created_at="when it was entered", updated_at="when it last changed"),
    info=about(
        "range of offsets, or claim, whose objects are being written",
        "commits of objects, before and after they write; the ends of bundles give up those that are over",
    ),
)

objects = sa.Table(
    "ingest_objects",
    metadata,
    sa.Column("id", ID, primary_key=True, autoincrement=True, doc="the number of the object"),
    *names(
        sink="the bucket and prefix, or the folder",
        target="the label of the dataset that it is part of",
    ),
    sa.Column("name", TEXT, nullable=False, doc="its name within the sink"),
    *names(
        pipeline="the pipeline that read its records; empty for an object that was made of others",
        source="the source of its records; empty for jobs, and for an object that was made of others",
        partition="the partition of its records; empty where the source is",
    ),
    *numbers(
        start_offset="the first offset of its records",
        end_offset="the offset behind the last of them",
        rows="how many rows it has",
        bytes="its size",
    ),
    sa.Column("etag", TEXT, nullable=False, doc="what the store calls this version of the object"),
    sa.Column(
        "state",
        sa.String(16),
        nullable=False,
        doc="settled (part of its dataset), replaced (merged into another object) or orphan (never part of "
        "it)",
    ),
    sa.Column(
        "pending", sa.Boolean, nullable=False, doc="whether the manifest does not say so yet"
    ),
    sa.Column(
        "published", sa.BigInteger, doc="the number of the manifest that says so; null until then"
    ),
    *times(created_at="when it was entered", changed_at="when it came into its state"),
    *times(deleted_at="when it was deleted from the sink; null until then", nullable=True),
    sa.CheckConstraint(is_one_of(("settled", "replaced", "orphan")), name="ingest_objects_state"),
    sa.Index("ingest_objects_target", "sink", "target", "state"),
    partial_index("ingest_objects_pending", "sink", "pending", where="pending"),
    info=about(
        "object that was settled, replaced or given up", "commits of objects, and `sluice compact`"
    ),
)

manifests = sa.Table(
    "ingest_manifests",
    metadata,
    sa.Column("sink", NAME, primary_key=True, doc="the bucket and prefix, or the folder"),
    sa.Column("id", sa.String(32), nullable=False, doc="an id that the manifest has too"),
    *numbers(number="the number of the last manifest that was published"),
    *times(created_at="when it was first written into"),
    *times(published_at="when the last manifest was published", nullable=True),
    info=about(
        "bucket and prefix, or folder, with the id that its manifest has too",
        "the first run into it; whoever publishes",
    ),
)
