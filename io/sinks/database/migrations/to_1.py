"""Version 1: jobs belong to pipelines, and the queue is read by owner.

Programs before version 1 wrote no version. Which of the tables and columns they made differs, so each
is added where it is lacking. All columns may be null: jobs of before belong to nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sinks.database.migrations import version_1
from sinks.database.migrations.migration import Migration, Step
from sinks.database.migrations.present import Present

if TYPE_CHECKING:
    from alembic.operations import Operations

ADDED = {
    "ingest_jobs": ("pipeline", "steps", "version", "owner"),
    "ingest_queue": ("owner",),
    "ingest_claims": ("owner",),
}
"""Columns that tables of before may lack."""

INDEX = "ingest_queue_next"
_OLD_INDEX = "ingest_queue_due"
_QUEUE = "ingest_queue"


def _add(op: Operations, present: Present) -> None:
    for table in version_1.metadata.sorted_tables:
        if not present.has(table.name):
            op.execute(sa.schema.CreateTable(table))
            for index in sorted(table.indexes, key=lambda index: str(index.name)):
                op.execute(sa.schema.CreateIndex(index))
            continue
        for name in ADDED.get(table.name, ()):
            if not present.has(table.name, name):
                op.add_column(table.name, sa.Column(name, table.c[name].type))
    if _OLD_INDEX in present.indexes(_QUEUE):
        op.drop_index(_OLD_INDEX, table_name=_QUEUE)


def _index(op: Operations, present: Present) -> None:
    indexes = present.indexes(_QUEUE)
    if not present.has(_QUEUE) or indexes.get(INDEX, False):
        return
    if INDEX in indexes:  # what an interrupted build has left
        op.drop_index(INDEX, table_name=_QUEUE, postgresql_concurrently=True)
    op.create_index(INDEX, _QUEUE, ["owner", "due_at"], postgresql_concurrently=True)


MIGRATION = Migration(
    version=1,
    summary="jobs belong to pipelines, and the queue is read by owner",
    steps=(
        Step(_add),
        Step(_index, reads=((_QUEUE, 200_000),), beside=True),
    ),
)
