"""What operators ask of pipelines: which of them, and of their sources, are held."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from sinks.database.tables import control, pipelines
from sinks.figures.sample import Sample

MOST = 1_000
"""How many rows become figures: each was written by hand, or for a stream."""


def asked(connection: sa.Connection) -> Iterator[Sample]:
    """A figure for each row: 1 while it holds a pipeline or a source, otherwise 0."""
    query = (
        sa.select(control.c.pipeline, pipelines.c.target, control.c.source, control.c.state)
        .join(pipelines, pipelines.c.name == control.c.pipeline)
        .order_by(control.c.pipeline, control.c.source)
        .limit(MOST)
    )
    for pipeline, target, source, state in connection.execute(query):
        labels = {"pipeline": pipeline, "target": target, "source": source}
        yield Sample("sluice_paused", float(state != "running"), labels)
