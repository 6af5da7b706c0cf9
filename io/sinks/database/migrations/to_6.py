"""Version 6: dead letters by their fingerprint, long orders, and what records were before an edit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sinks.database.columns import ID, UtcDateTime
from sinks.database.migrations.migration import Migration, Step
from sinks.database.migrations.present import Present
from sinks.database.migrations.version_1 import NAME, TEXT

if TYPE_CHECKING:
    from alembic.operations import Operations


def _dead(op: Operations, present: Present) -> None:
    if not present.has("ingest_dead"):
        op.create_table(
            "ingest_dead",
            sa.Column("job", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column("fingerprint", sa.Uuid, nullable=False),
        )
        op.create_index("ingest_dead_fingerprint", "ingest_dead", ["fingerprint", "job"])


def _fingerprints(op: Operations, present: Present) -> None:
    if not present.has("ingest_fingerprints"):
        op.create_table(
            "ingest_fingerprints",
            sa.Column("id", sa.Uuid, primary_key=True),
            *(sa.Column(name, NAME, nullable=False) for name in ("target", "stage", "category")),
            sa.Column("sqlstate", sa.String(5)),
            sa.Column("exception", NAME, nullable=False),
            sa.Column("message", TEXT, nullable=False),
            sa.Column("first_seen", UtcDateTime, nullable=False),
        )


def _orders(op: Operations, present: Present) -> None:
    if not present.has("ingest_orders"):
        op.create_table(
            "ingest_orders",
            sa.Column("id", ID, primary_key=True, autoincrement=True),
            sa.Column("action", sa.String(16), nullable=False),
            sa.Column("which", sa.JSON, nullable=False),
            sa.Column("actor", NAME, nullable=False),
            sa.Column("reason", TEXT, nullable=False),
            sa.Column("state", sa.String(16), nullable=False),
            *(
                sa.Column(name, sa.BigInteger, nullable=False)
                for name in ("expected", "newest", "position", "changed")
            ),
            sa.Column("left_alone", sa.JSON, nullable=False),
            sa.Column("message", TEXT),
            *(
                sa.Column(name, UtcDateTime, nullable=False)
                for name in ("created_at", "changed_at")
            ),
            sa.Column("ended_at", UtcDateTime),
            sa.CheckConstraint(
                "state IN ('available', 'completed', 'cancelled', 'discarded')",
                name="ingest_orders_state",
            ),
        )


def _edits(op: Operations, present: Present) -> None:
    if not present.has("ingest_edits"):
        op.create_table(
            "ingest_edits",
            sa.Column("id", ID, primary_key=True, autoincrement=True),
            sa.Column("job", sa.BigInteger, nullable=False),
            sa.Column("raw", sa.LargeBinary, nullable=False),
            sa.Column("actor", NAME, nullable=False),
            sa.Column("reason", TEXT, nullable=False),
            sa.Column("fields", sa.JSON, nullable=False),
            sa.Column("at", UtcDateTime, nullable=False),
        )
        op.create_index("ingest_edits_job", "ingest_edits", ["job"])


MIGRATION = Migration(
    version=6,
    summary="dead letters are grouped, repaired in long orders, and edited",
    steps=(Step(_dead), Step(_fingerprints), Step(_orders), Step(_edits)),
)
