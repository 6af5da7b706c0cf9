"""Version 4: objects as a sink, what is being written there, and their manifests.

The tables are new: no row of before is read or written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sinks.database.columns import UtcDateTime
from sinks.database.migrations.migration import Migration, Step
from sinks.database.migrations.present import Present
from sinks.database.migrations.version_1 import ID, NAME, TEXT

if TYPE_CHECKING:
    from alembic.operations import Operations


def _intents(op: Operations, present: Present) -> None:
    if not present.has("ingest_intents"):
        op.create_table(
            "ingest_intents",
            *(
                sa.Column(name, NAME, primary_key=True)
                for name in ("pipeline", "source", "partition")
            ),
            sa.Column("start_offset", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column("end_offset", sa.BigInteger, nullable=False),
            sa.Column("id", sa.String(12), nullable=False),
            sa.Column("fence", sa.BigInteger, nullable=False),
            sa.Column("objects", sa.JSON, nullable=False),
            sa.Column("created_at", UtcDateTime, nullable=False),
            sa.Column("updated_at", UtcDateTime, nullable=False),
        )


def _objects(op: Operations, present: Present) -> None:
    if not present.has("ingest_objects"):
        op.create_table(
            "ingest_objects",
            sa.Column("id", ID, primary_key=True, autoincrement=True),
            sa.Column("sink", NAME, nullable=False),
            sa.Column("target", NAME, nullable=False),
            sa.Column("name", TEXT, nullable=False),
            *(
                sa.Column(name, NAME, nullable=False)
                for name in ("pipeline", "source", "partition")
            ),
            *(
                sa.Column(name, sa.BigInteger, nullable=False)
                for name in ("start_offset", "end_offset", "rows", "bytes")
            ),
            sa.Column("etag", TEXT, nullable=False),
            sa.Column("state", sa.String(16), nullable=False),
            sa.Column("pending", sa.Boolean, nullable=False),
            sa.Column("published", sa.BigInteger),
            sa.Column("created_at", UtcDateTime, nullable=False),
            sa.Column("changed_at", UtcDateTime, nullable=False),
            sa.Column("deleted_at", UtcDateTime),
            sa.CheckConstraint(
                "state IN ('settled', 'replaced', 'orphan')", name="ingest_objects_state"
            ),
        )
    indexes = present.indexes("ingest_objects")
    if "ingest_objects_target" not in indexes:
        op.create_index("ingest_objects_target", "ingest_objects", ["sink", "target", "state"])
    if "ingest_objects_pending" not in indexes:
        pending = sa.text("pending")
        op.create_index(
            "ingest_objects_pending",
            "ingest_objects",
            ["sink", "pending"],
            postgresql_where=pending,
            sqlite_where=pending,
        )


def _manifests(op: Operations, present: Present) -> None:
    if not present.has("ingest_manifests"):
        op.create_table(
            "ingest_manifests",
            sa.Column("sink", NAME, primary_key=True),
            sa.Column("id", sa.String(32), nullable=False),
            sa.Column("number", sa.BigInteger, nullable=False),
            sa.Column("created_at", UtcDateTime, nullable=False),
            sa.Column("published_at", UtcDateTime),
        )


MIGRATION = Migration(
    version=4,
    summary="objects in buckets and folders can be a sink",
    steps=(Step(_intents), Step(_objects), Step(_manifests)),
)
