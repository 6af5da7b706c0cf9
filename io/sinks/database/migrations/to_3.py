"""Version 3: the ledger keeps a checksum of what was read, by which a file is recognised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sinks.database.migrations.migration import Migration, Step
from sinks.database.migrations.present import Present

if TYPE_CHECKING:
    from alembic.operations import Operations

_PROGRESS = "ingest_progress"


def _add(op: Operations, present: Present) -> None:
    if not present.has(_PROGRESS, "content"):
        op.add_column(_PROGRESS, sa.Column("content", sa.String(100)))


MIGRATION = Migration(
    version=3,
    summary="the ledger keeps a checksum of what was read",
    steps=(Step(_add),),
)
