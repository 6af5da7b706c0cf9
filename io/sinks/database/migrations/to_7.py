"""Version 7: deletes are counted and published, and the order of the records of a key is kept.

Nothing of before is rewritten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sinks.database.columns import UtcDateTime
from sinks.database.migrations.migration import Migration, Step
from sinks.database.migrations.present import Present
from sinks.database.migrations.version_1 import NAME

if TYPE_CHECKING:
    from alembic.operations import Operations

_COUNTED = ("ingest_progress", "ingest_counts", "ingest_forgotten", "ingest_workers")


def _deleted(op: Operations, present: Present) -> None:
    for table in _COUNTED:
        if not present.has(table, "deleted"):
            zero = sa.text("0")
            op.add_column(
                table, sa.Column("deleted", sa.BigInteger, nullable=False, server_default=zero)
            )


def _published(op: Operations, present: Present) -> None:
    # A column of its own: SQLite cannot change the condition on ``operation``.
    if not present.has("ingest_outbox", "deleted"):
        op.add_column(
            "ingest_outbox",
            sa.Column("deleted", sa.Boolean, nullable=False, server_default=sa.false()),
        )


def _positions(op: Operations, present: Present) -> None:
    if not present.has("ingest_positions"):
        op.create_table(
            "ingest_positions",
            sa.Column("key", sa.Uuid, primary_key=True),
            sa.Column("target", NAME, nullable=False),
            sa.Column("position", sa.BigInteger),
            *(sa.Column(name, NAME, nullable=False) for name in ("source", "partition")),
            *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("offset", "element")),
            sa.Column("deleted", sa.Boolean, nullable=False),
            sa.Column("changed_at", UtcDateTime, nullable=False),
        )
    if "ingest_positions_deleted" not in present.indexes("ingest_positions"):
        op.create_index(
            "ingest_positions_deleted",
            "ingest_positions",
            ["target", "key"],
            postgresql_where=sa.text("deleted"),
            sqlite_where=sa.text("deleted"),
        )


def _expired(op: Operations, present: Present) -> None:
    if not present.has("ingest_expired"):
        op.create_table(
            "ingest_expired",
            *(
                sa.Column(name, NAME, primary_key=True)
                for name in ("target", "source", "partition")
            ),
            sa.Column("offset", sa.BigInteger, nullable=False),
            sa.Column("changed_at", UtcDateTime, nullable=False),
        )


MIGRATION = Migration(
    version=7,
    summary="deletes are an outcome, and the order of the records of a key is kept",
    steps=(Step(_deleted), Step(_published), Step(_positions), Step(_expired)),
)
