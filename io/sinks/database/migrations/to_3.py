"""Version 3: records of one message, the content of files, runs, and totals that never fall.

Rows of before have one record at each offset and no checksum: nothing of them is rewritten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sinks.database.columns import UtcDateTime
from sinks.database.migrations.migration import Migration, Step
from sinks.database.migrations.present import Present
from sinks.database.migrations.version_1 import COUNTS as EARLIER_COUNTS
from sinks.database.migrations.version_1 import NAME, TEXT

if TYPE_CHECKING:
    from alembic.operations import Operations

_COUNTS = "ingest_counts"

COUNTS = ("read", "expanded", *EARLIER_COUNTS[1:])


def _elements(op: Operations, present: Present) -> None:
    for table in ("ingest_jobs", "ingest_outbox"):
        if not present.has(table, "element"):
            op.add_column(table, sa.Column("element", sa.BigInteger))


def _expansions(op: Operations, present: Present) -> None:
    for table in ("ingest_jobs", "ingest_outbox"):
        if not present.has(table, "expansion"):
            op.add_column(table, sa.Column("expansion", TEXT))


def _expanded(op: Operations, present: Present) -> None:
    for table in ("ingest_progress", _COUNTS):
        if not present.has(table, "expanded"):
            zero = sa.text("0")
            op.add_column(
                table, sa.Column("expanded", sa.BigInteger, nullable=False, server_default=zero)
            )


def _content(op: Operations, present: Present) -> None:
    if not present.has("ingest_progress", "content"):
        op.add_column("ingest_progress", sa.Column("content", sa.String(100)))


def _names(op: Operations, present: Present) -> None:
    name = "ingest_progress_partition"
    if present.has("ingest_progress") and name not in present.indexes("ingest_progress"):
        op.create_index(name, "ingest_progress", ["pipeline", "partition"])


def _totals(op: Operations, present: Present) -> None:
    if not present.has("ingest_progress", "run"):
        op.add_column("ingest_progress", sa.Column("run", sa.String(36)))
    if not present.has(_COUNTS, "dead_letters"):
        zero = sa.text("0")
        op.add_column(
            _COUNTS, sa.Column("dead_letters", sa.BigInteger, nullable=False, server_default=zero)
        )
    # Earlier programs kept no such total: it begins with the dead letters that there are.
    counts = sa.table(_COUNTS, sa.column("dead"), sa.column("dead_letters"))
    begin = sa.update(counts).values(dead_letters=counts.c.dead)
    op.execute(begin.where(counts.c.dead_letters < counts.c.dead))


def _forgotten(op: Operations, present: Present) -> None:
    if not present.has("ingest_forgotten"):
        op.create_table(
            "ingest_forgotten",
            *(sa.Column(name, NAME, primary_key=True) for name in ("pipeline", "target", "source")),
            *(
                sa.Column(name, sa.BigInteger, nullable=False)
                for name in (*COUNTS, "purged", "dead_letters")
            ),
        )


def _runs(op: Operations, present: Present) -> None:
    if not present.has("ingest_runs"):
        op.create_table(
            "ingest_runs",
            sa.Column("id", sa.String(36), primary_key=True),
            sa.Column("pipeline", NAME, nullable=False),
            sa.Column("target", NAME, nullable=False),
            sa.Column("runner", sa.String(32), nullable=False),
            sa.Column("program", NAME, nullable=False),
            sa.Column("version", sa.String(64), nullable=False),
            sa.Column("options", sa.JSON, nullable=False),
            sa.Column("streaming", sa.Boolean, nullable=False),
            sa.Column("job", sa.String(64)),
            sa.Column("started_at", UtcDateTime, nullable=False),
            sa.Column("ended_at", UtcDateTime),
            sa.Column("outcome", sa.String(16)),
            sa.Column("message", TEXT),
            sa.Column("pipeline_version", sa.String(32)),
            sa.Index("ingest_runs_started", "started_at"),
        )


def _workers(op: Operations, present: Present) -> None:
    if not present.has("ingest_workers"):
        op.create_table(
            "ingest_workers",
            sa.Column("name", NAME, primary_key=True),
            sa.Column("run", sa.String(36), nullable=False),
            sa.Column("started_at", UtcDateTime, nullable=False),
            sa.Column("heartbeat_at", UtcDateTime, nullable=False),
            sa.Column("ended_at", UtcDateTime),
            sa.Column("committed_at", UtcDateTime),
            *(sa.Column(name, sa.BigInteger, nullable=False) for name in COUNTS),
            sa.Column("figures", sa.JSON, nullable=False),
            sa.Index("ingest_workers_run", "run"),
        )


def _hidden(op: Operations, present: Present) -> None:
    if not present.has("ingest_pipelines", "hidden"):
        op.add_column("ingest_pipelines", sa.Column("hidden", TEXT))
    if not present.has("ingest_jobs", "mapped"):
        mapped = sa.Column("mapped", sa.Boolean, nullable=False, server_default=sa.false())
        op.add_column("ingest_jobs", mapped)


MIGRATION = Migration(
    version=3,
    summary="records of one message are told apart, files are known by their content, runs are kept",
    steps=(
        Step(_elements),
        Step(_expanded),
        Step(_content),
        Step(_totals, reads=((_COUNTS, 100_000),)),
        Step(_forgotten),
        Step(_runs),
        Step(_workers),
        Step(_expansions),
        Step(_hidden),
        Step(_names, reads=(("ingest_progress", 200_000),)),
    ),
)
