"""Which runs go on, and what their workers last said."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.tables import runs, workers
from sinks.figures.sample import Sample
from sinks.runs.history import LOST_SECONDS

OPEN_RUNS = 1_000
"""How many runs that have not ended are looked at, the newest first."""


def activity(connection: sa.Connection) -> Iterator[Sample]:
    """Runs and workers by pipeline, the last commit, and what only the workers know."""
    now = dialect_of(connection).now(connection)
    alive = now - timedelta(seconds=LOST_SECONDS)
    rows = connection.execute(_OPEN).all()
    beats: dict[str, list[Any]] = defaultdict(list)
    for start in range(0, len(rows), 500):
        ids = [row.id for row in rows[start : start + 500]]
        for worker in connection.execute(sa.select(workers).where(workers.c.run.in_(ids))):
            beats[worker.run].append(worker)
    last = connection.execute(_LAST).all()
    newest = {(pipeline, target): started for pipeline, target, started, _ in last}
    yield from _runs(rows, beats, alive, newest)
    for pipeline, target, _, committed in last:
        if committed is not None:
            at = committed.timestamp()
            labels = {"pipeline": pipeline, "target": target}
            yield Sample("sluice_last_commit_timestamp_seconds", at, labels)


def _runs(
    rows: Any,
    beats: dict[str, list[Any]],
    alive: datetime,
    newest: dict[tuple[str, str], datetime],
) -> Iterator[Sample]:
    states: Counter[tuple[str, str, str]] = Counter()
    heard: Counter[tuple[str, str]] = Counter()
    figures: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    budgets: dict[tuple[str, str], float] = {}
    for run in rows:
        place = run.pipeline, run.target
        of_run = beats[run.id]
        last = max((worker.heartbeat_at for worker in of_run), default=run.started_at)
        if last >= alive:
            states[*place, "running"] += 1
        else:
            # A later run has gone on where a lost one ended, so that nobody has to care for it.
            states[*place, "lost"] += run.started_at >= newest[place]
        live = [each for each in of_run if each.heartbeat_at >= alive and each.ended_at is None]
        heard[place] += len(live)
        figures[place] += [worker.figures for worker in live]
        budgets.setdefault(place, float(run.options.get("outage_budget") or 0))
    for place in sorted({(pipeline, target) for pipeline, target, _ in states}):
        labels = dict(zip(("pipeline", "target"), place, strict=True))
        for state in ("running", "lost"):
            yield Sample("sluice_runs", states[*place, state], {**labels, "state": state})
        yield Sample("sluice_workers", heard[place], labels)
        if budgets[place]:
            yield Sample("sluice_outage_budget_seconds", budgets[place], labels)
        yield from _said(labels, figures[place])


def _said(labels: dict[str, str], figures: list[dict[str, Any]]) -> Iterator[Sample]:
    """What the workers of a pipeline said: lags add up, and an outage is as long as its longest."""
    lags: Counter[str] = Counter()
    outages: dict[str, float] = {}
    for worker in figures:
        lags.update(worker.get("lag") or {})
        for service, seconds in (worker.get("outage_seconds") or {}).items():
            outages[service] = max(seconds, outages.get(service, 0.0))
    for source, lag in sorted(lags.items()):
        yield Sample("sluice_source_lag_records", lag, {**labels, "source": source})
    for service, seconds in sorted(outages.items()):
        yield Sample("sluice_outage_seconds", seconds, {**labels, "service": service})


_OPEN = (
    sa.select(
        runs.c.id, runs.c.pipeline, runs.c.target, runs.c.options, runs.c.started_at, runs.c.outcome
    )
    .where(runs.c.outcome.is_(None))
    .order_by(runs.c.started_at.desc())
    .limit(OPEN_RUNS)
)
_LAST = (
    sa.select(
        runs.c.pipeline,
        runs.c.target,
        sa.func.max(runs.c.started_at),
        sa.func.max(workers.c.committed_at),
    )
    .select_from(runs.outerjoin(workers, workers.c.run == runs.c.id))
    .group_by(runs.c.pipeline, runs.c.target)
)
