"""The tables beside the target tables: the ledger, failed records, runs, and whatever else is kept.

They are in the database's default schema, so that one ledger serves every target table. Their columns
are in ``sinks.database.beside``, and docs/tables.md says what each means.
"""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa

from sinks.database.beside.changes import expired, outbox, positions
from sinks.database.beside.jobs import audit, claims, jobs, leases, queue
from sinks.database.beside.ledger import (
    counts,
    forgotten,
    pipelines,
    progress,
    targets,
    versions,
)
from sinks.database.beside.objects import intents, manifests, objects
from sinks.database.beside.repairs import dead, edits, fingerprints, orders
from sinks.database.beside.runs import control, runs, submissions, workers
from sinks.database.columns import metadata

__all__ = [
    "GONE",
    "OPERATION",
    "READ_BY",
    "SHARDS",
    "VERSION",
    "Operation",
    "audit",
    "claims",
    "control",
    "counts",
    "dead",
    "edits",
    "expired",
    "fingerprints",
    "forgotten",
    "intents",
    "jobs",
    "leases",
    "manifests",
    "metadata",
    "objects",
    "orders",
    "outbox",
    "pipelines",
    "positions",
    "progress",
    "queue",
    "runs",
    "submissions",
    "targets",
    "versions",
    "workers",
]

VERSION = 7
"""Of the tables. Whoever changes one adds the migration to it."""

READ_BY = sa.func.coalesce(jobs.c.read_by, jobs.c.target)
"""The pipeline that has read the record of a job."""

Operation = Literal["insert", "update", "delete"]
"""What a record did to a row."""

SHARDS = 64
"""The number of shards over which rows of the outbox are spread, by key."""

OPERATION: sa.ColumnElement[str] = sa.case(
    (outbox.c.deleted, sa.literal_column("'delete'")), else_=outbox.c.operation
)
"""What a record of the outbox did to its row, as ``Operation``."""

GONE = sa.text("ingest_positions.deleted")
"""Whether a row of ``positions`` is of a key that is gone, in the words of the index."""
