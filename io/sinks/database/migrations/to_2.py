"""Version 2: the ledger, claims and jobs name their pipeline, and counts are kept for each table.

A pipeline's name was that of its table, so that columns are renamed and nothing is rewritten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sinks.database.columns import UtcDateTime
from sinks.database.migrations.migration import Migration, Step
from sinks.database.migrations.present import Present
from sinks.database.migrations.version_1 import COUNTS, NAME

if TYPE_CHECKING:
    from alembic.operations import Operations

_PROGRESS = "ingest_progress"
_JOBS = "ingest_jobs"


def _rename(op: Operations, present: Present) -> None:
    for table in (_PROGRESS, "ingest_claims"):
        if not present.has(table, "pipeline"):
            op.alter_column(
                table,
                "target",
                new_column_name="pipeline",
                existing_type=NAME,
                existing_nullable=False,
            )


def _add(op: Operations, present: Present) -> None:
    for table, name in (("ingest_jobs", "read_by"), ("ingest_submissions", "pipeline")):
        if not present.has(table, name):
            op.add_column(table, sa.Column(name, NAME))


def _pipelines(op: Operations, present: Present) -> None:
    if not present.has("ingest_pipelines"):
        op.create_table(
            "ingest_pipelines",
            sa.Column("name", NAME, primary_key=True),
            sa.Column("target", NAME, nullable=False),
            sa.Column("prepared_at", UtcDateTime),
        )
    pipelines = sa.table("ingest_pipelines", sa.column("name"), sa.column("target"))
    pipeline = sa.table(_PROGRESS, sa.column("pipeline")).c.pipeline
    names = sa.select(pipeline, pipeline.label("target")).distinct()
    op.execute(sa.insert(pipelines).from_select(["name", "target"], names))


def _counts(op: Operations, present: Present) -> None:
    if not present.has("ingest_counts"):
        op.create_table(
            "ingest_counts",
            *(
                sa.Column(name, NAME, primary_key=True)
                for name in ("pipeline", "target", "source", "partition")
            ),
            *(sa.Column(name, sa.BigInteger, nullable=False) for name in (*COUNTS, "purged")),
        )
    place = ("pipeline", "source", "partition")
    progress = sa.table(_PROGRESS, *map(sa.column, (*place, *COUNTS))).c
    columns = ["pipeline", "target", "source", "partition", *COUNTS, "purged"]
    counts = sa.table("ingest_counts", *map(sa.column, columns))
    sums = (
        sa.select(
            *(progress[name] for name in place),
            *(sa.func.sum(progress[name]).label(name) for name in COUNTS),
        )
        .group_by(*(progress[name] for name in place))
        .subquery("sums")
    )
    dead = _dead_letters()
    here = (sums.c.pipeline == dead.c.target, *(sums.c[n] == dead.c[n] for n in place[1:]))
    rows = sa.select(
        sums.c.pipeline,
        sums.c.pipeline.label("target"),
        sums.c.source,
        sums.c.partition,
        *(sums.c[name] for name in COUNTS),
        # What the ledger counts as dead and no job shows was deleted by hand.
        (sums.c.dead - sa.func.coalesce(dead.c.number, 0)).label("purged"),
    ).select_from(sums.outerjoin(dead, sa.and_(*here)))
    op.execute(sa.insert(counts).from_select(columns, rows))


def _dead_letters() -> sa.Subquery:
    """How many dead letters of each partition there are."""
    jobs = sa.table(_JOBS, *map(sa.column, ("target", "source", "partition", "state"))).c
    place = (jobs.target, jobs.source, jobs.partition)
    # As text: a parameter cannot stand in a script for a person to run.
    states: list[sa.ColumnElement[str]] = [
        sa.literal_column(f"'{state}'") for state in ("cancelled", "discarded")
    ]
    return (
        sa.select(*place, sa.func.count().label("number"))
        .where(jobs.state.in_(states))
        .group_by(*place)
        .subquery("dead_letters")
    )


MIGRATION = Migration(
    version=2,
    summary="the ledger, claims and jobs name their pipeline, and counts are kept for each table",
    steps=(
        Step(_rename),
        Step(_add),
        Step(_pipelines),
        Step(_counts, reads=((_PROGRESS, 100_000), (_JOBS, 200_000))),
    ),
)
