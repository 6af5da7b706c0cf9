"""How many jobs of each kind exist, and the age of the oldest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.tables import jobs
from sinks.jobs.filter import JobFilter
from sinks.jobs.owner import owner_of
from sinks.jobs.state import CURRENT
from sinks.jobs.store import exists
from transforms.steps.pipeline_identity import PipelineIdentity


@dataclass(frozen=True, slots=True)
class Group:
    """Jobs of one kind.

    Attributes:
        target: The table that the records were meant for.
        state: The state of the jobs.
        stage: The step that failed.
        category: The kind of failure.
        pipeline: The pipeline that may try them again, or None.
        count: How many jobs there are.
        oldest: When the first of them was stored.
    """

    target: str
    state: str
    stage: str
    category: str
    pipeline: PipelineIdentity | None
    count: int
    oldest: datetime


def groups(database: Database, which: JobFilter) -> list[Group]:
    """The jobs that match ``which``, grouped by table, state, stage, category and pipeline.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(database, "read failed records", write=False) as connection:
        if not exists(connection):
            return []
        owner = (jobs.c.pipeline, jobs.c.steps, jobs.c.mapped)
        matching = (
            sa.select(
                jobs.c.target, CURRENT, jobs.c.stage, jobs.c.category, *owner, jobs.c.inserted_at
            )
            .where(which.where(dialect_of(connection)))
            .subquery()
        )
        names = ("target", "state", "stage", "category", "pipeline", "steps", "mapped")
        kind = tuple(matching.c[name] for name in names)
        count = sa.func.count().label("jobs")
        first = sa.func.min(matching.c.inserted_at).label("first")
        query = sa.select(*kind, count, first).group_by(*kind).order_by(*kind)
        return [
            Group(
                target=row.target,
                state=row.state,
                stage=row.stage,
                category=row.category,
                pipeline=owner_of(row.pipeline, row.steps, None, row.mapped),
                count=row.jobs,
                oldest=row.first,
            )
            for row in connection.execute(query)
        ]
