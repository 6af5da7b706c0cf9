"""How fast pipelines, and their sources, may be read: what operators say, otherwise the options of their runs."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from sinks.database.tables import control, pipelines, runs
from sinks.figures.sample import Sample

MOST = 1_000
"""How many rows of operators, and how many runs, become figures."""

_UNITS = {"max_rate": "records", "max_bytes_rate": "bytes"}


def limits(connection: sa.Connection) -> Iterator[Sample]:
    """A figure for each limit that is in force: an operator's takes the place of the options'."""
    series: dict[tuple[str, str, str, str], float] = {}
    for pipeline, target, *rates in connection.execute(_OPTIONS):
        for unit, rate in zip(_UNITS.values(), rates, strict=True):
            if rate is not None:
                series.setdefault((pipeline, target, "", unit), float(rate))
    for pipeline, target, source, *rates in connection.execute(_ASKED):
        for unit, rate in zip(_UNITS.values(), rates, strict=True):
            if rate is not None:
                series[pipeline, target, source, unit] = float(rate)
    for labels, rate in sorted(series.items()):
        names = ("pipeline", "target", "source", "unit")
        yield Sample("sluice_rate_limit", rate, dict(zip(names, labels, strict=True)))


_OPTIONS = (
    sa.select(runs.c.pipeline, runs.c.target, *(runs.c.options[name].as_float() for name in _UNITS))
    .where(runs.c.outcome.is_(None))
    .order_by(runs.c.started_at.desc())
    .limit(MOST)
)
_ASKED = (
    sa.select(
        control.c.pipeline,
        pipelines.c.target,
        control.c.source,
        *(control.c[name] for name in _UNITS),
    )
    .join(pipelines, pipelines.c.name == control.c.pipeline)
    .where(sa.or_(*(control.c[name].is_not(None) for name in _UNITS)))
    .order_by(control.c.pipeline, control.c.source)
    .limit(MOST)
)
