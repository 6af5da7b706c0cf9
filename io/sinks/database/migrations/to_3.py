"""Version 3: records of one message are told apart and counted, and files are known by their content.

Rows of before have one record at each offset and no checksum: nothing of them is rewritten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sinks.database.migrations.migration import Migration, Step
from sinks.database.migrations.present import Present

if TYPE_CHECKING:
    from alembic.operations import Operations


def _elements(op: Operations, present: Present) -> None:
    for table in ("ingest_jobs", "ingest_outbox"):
        if not present.has(table, "element"):
            op.add_column(table, sa.Column("element", sa.BigInteger))


def _expanded(op: Operations, present: Present) -> None:
    for table in ("ingest_progress", "ingest_counts"):
        if not present.has(table, "expanded"):
            zero = sa.text("0")
            op.add_column(
                table, sa.Column("expanded", sa.BigInteger, nullable=False, server_default=zero)
            )


def _content(op: Operations, present: Present) -> None:
    if not present.has("ingest_progress", "content"):
        op.add_column("ingest_progress", sa.Column("content", sa.String(100)))


MIGRATION = Migration(
    version=3,
    summary="records of one message are told apart and counted, and files are known by their content",
    steps=(Step(_elements), Step(_expanded), Step(_content)),
)
