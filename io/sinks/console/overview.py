"""Every pipeline at a glance: whether it runs, what holds it, what waits, and what has failed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import sqlalchemy as sa

from sinks.console.moment import moment
from sinks.console.sums import TableSums, sums
from sinks.control.requests import WHOLE, Requested, rows_of
from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.tables import pipelines, runs
from sinks.figures.activity import activity
from sinks.figures.sample import Sample

MOST = 500
"""How many pipelines the overview has."""

PipelineState = Literal[
    "running", "lost", "paused", "draining", "completed", "stopped", "failed", "never run"
]


@dataclass(frozen=True, slots=True)
class PipelineRow:
    """A pipeline.

    Attributes:
        name: The name under which its ledger is kept.
        target: The table that it writes.
        state: What is asked of it if that holds it, otherwise how its newest run is or has ended.
        running: How many of its runs go on.
        workers: How many processes are heard.
        asked: What is asked of the whole pipeline; None if nobody has asked for anything.
        held_sources: How many of its sources are held.
        tables: Its records by table.
        lag: Records that its topics have and it has not read; None if no process says so.
        outages: By service that is away: for how many seconds.
        committed_at: When it last committed; None if that is not known.
    """

    name: str
    target: str
    state: PipelineState
    running: int
    workers: int
    asked: Requested | None
    held_sources: int
    tables: Sequence[TableSums]
    lag: int | None
    outages: Mapping[str, float]
    committed_at: datetime | None

    @property
    def records(self) -> int:
        """How many records it has read."""
        return sum(table.counts.records for table in self.tables)

    @property
    def dead(self) -> int:
        """How many dead letters there are of it."""
        return sum(table.dead for table in self.tables)

    @property
    def retrying(self) -> int:
        """How many of its records wait for another attempt."""
        return sum(table.counts.retrying for table in self.tables)


@dataclass(frozen=True, slots=True)
class Overview:
    """All pipelines.

    Attributes:
        at: The database's time.
        pipelines: The first ones by name.
        more: Whether there are others.
    """

    at: datetime
    pipelines: Sequence[PipelineRow]
    more: bool


def overview(database: Database) -> Overview:
    """Every pipeline, as of one moment.

    Raises:
        ConfigError: The tables are missing, or have another version.
        SinkUnavailable: The database cannot be reached.
    """
    with moment(database, "read the overview") as connection:
        now = dialect_of(connection).now(connection)
        named = connection.execute(_NAMES.limit(MOST + 1)).all()
        asked = rows_of(connection)
        tables: dict[str, list[TableSums]] = defaultdict(list)
        for table in sums(connection):
            tables[table.pipeline].append(table)
        outcomes = {row.pipeline: row.outcome for row in connection.execute(_LAST)}
        said = _Said(list(activity(connection)))
    of_pipeline: dict[str, list[Requested]] = defaultdict(list)
    for row in asked:
        of_pipeline[row.pipeline].append(row)
    rows = [
        _row(name, target, of_pipeline[name], tables[name], outcomes.get(name, ""), said)
        for name, target in named[:MOST]
    ]
    return Overview(now, rows, len(named) > MOST)


class _Said:
    """Figures of runs by pipeline."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.runs: dict[tuple[str, str], int] = defaultdict(int)
        self.workers: dict[str, int] = defaultdict(int)
        self.lag: dict[str, int] = {}
        self.outages: dict[str, dict[str, float]] = defaultdict(dict)
        self.committed: dict[str, float] = {}
        for sample in samples:
            name, labels = sample.labels["pipeline"], sample.labels
            match sample.name:
                case "sluice_runs":
                    self.runs[name, labels["state"]] += int(sample.value)
                case "sluice_workers":
                    self.workers[name] += int(sample.value)
                case "sluice_source_lag_records":
                    self.lag[name] = self.lag.get(name, 0) + int(sample.value)
                case "sluice_outage_seconds" if sample.value > 0:
                    longest = self.outages[name].get(labels["service"], 0.0)
                    self.outages[name][labels["service"]] = max(longest, sample.value)
                case "sluice_last_commit_timestamp_seconds":
                    self.committed[name] = max(self.committed.get(name, 0.0), sample.value)


def _row(
    name: str,
    target: str,
    asked: Sequence[Requested],
    tables: Sequence[TableSums],
    outcome: str | None,
    said: _Said,
) -> PipelineRow:
    whole = next((row for row in asked if row.source == WHOLE), None)
    running = said.runs[name, "running"]
    committed = said.committed.get(name)
    return PipelineRow(
        name=name,
        target=target,
        state=_state(whole, running, outcome),
        running=running,
        workers=said.workers[name],
        asked=whole,
        held_sources=sum(row.holds for row in asked if row.source != WHOLE),
        tables=tables,
        lag=said.lag.get(name),
        outages=said.outages.get(name, {}),
        committed_at=None if committed is None else datetime.fromtimestamp(committed, UTC),
    )


def _state(whole: Requested | None, running: int, outcome: str | None) -> PipelineState:
    if whole is not None and whole.state != "running":
        return whole.state
    if running:
        return "running"
    if outcome is None:  # its newest run has not ended, and nobody is heard
        return "lost"
    ended: PipelineState
    for ended in ("completed", "stopped", "failed", "paused"):
        if outcome == ended:
            return ended
    return "never run"


_NAMES = sa.select(pipelines.c.name, pipelines.c.target).order_by(pipelines.c.name)
_NEWEST = (
    sa.select(runs.c.pipeline, sa.func.max(runs.c.started_at).label("started_at"))
    .group_by(runs.c.pipeline)
    .subquery()
)
_LAST = sa.select(runs.c.pipeline, runs.c.outcome).join(
    _NEWEST,
    sa.and_(runs.c.pipeline == _NEWEST.c.pipeline, runs.c.started_at == _NEWEST.c.started_at),
)
