"""What the tables say of runs: which go on, which have ended, and which are lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.tables import control, runs, workers
from transforms.batch.counts import COUNTS, Counts, by_table
from transforms.errors import ConfigError

LOST_SECONDS = 60.0
"""A run of which no process has been heard for this long is lost."""

RunState = Literal["running", "lost", "completed", "stopped", "failed", "paused"]


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A process that works, or has worked, for a run.

    Attributes:
        name: Its lease's name: host, number of the process, and a random part.
        started_at: When it began.
        heartbeat_at: When it was last heard.
        ended_at: When it ended, or None.
        committed_at: When it last committed, or None.
        counts: What it has settled, as of its heartbeat.
        figures: What only the process knew, by name.
    """

    name: str
    started_at: datetime
    heartbeat_at: datetime
    ended_at: datetime | None
    committed_at: datetime | None
    counts: Counts
    figures: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run and its workers.

    Attributes:
        id: The run.
        pipeline: Whose run it is.
        target: The table that it writes.
        runner: The runner's name.
        program: Who started it: ``user@host:pid``.
        version: Of the program.
        options: The options that the user gave, by name, without secrets.
        streaming: Whether it goes on after everything has been read.
        job: The job's id in a cluster, or None.
        started_at: When it began.
        ended_at: When it ended, or None.
        message: The error that ended it, or None.
        state: How it is, or how it ended. A run is lost when it has not ended and none of its
            processes has been heard for a minute.
        workers: Its processes, the first one first.
        pipeline_version: A hash of the pipeline's steps, mapping and options; None if not known.
        held: What is asked of a run that goes on, if it is not to read: by source, ``paused`` or
            ``draining``; the empty source stands for the whole pipeline.
    """

    id: str
    pipeline: str
    target: str
    runner: str
    program: str
    version: str
    options: Mapping[str, Any]
    streaming: bool
    job: str | None
    started_at: datetime
    ended_at: datetime | None
    message: str | None
    state: RunState
    workers: Sequence[WorkerRow]
    pipeline_version: str | None = None
    held: Mapping[str, str] = field(default_factory=dict)

    @property
    def counts(self) -> Counts:
        """What all its processes have settled, as of their heartbeats."""
        return sum((worker.counts for worker in self.workers), Counts())

    @property
    def tables(self) -> dict[str, Counts]:
        """The same by table, in the order of their names."""
        tables: dict[str, Counts] = {}
        for worker in self.workers:
            for table, numbers in (worker.figures.get("tables") or {}).items():
                tables[table] = tables.get(table, Counts()) + Counts(**numbers)
        return by_table(self.counts, tables, self.target)

    @property
    def heartbeat_at(self) -> datetime | None:
        """When one of its processes was last heard; None if none ever was."""
        return max((worker.heartbeat_at for worker in self.workers), default=None)


def list_runs(database: Database, pipeline: str | None = None, limit: int = 50) -> list[RunRow]:
    """The last runs, the newest first.

    Args:
        database: Where they were written.
        pipeline: Only those of this pipeline.
        limit: At most so many.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    query = sa.select(runs).order_by(runs.c.started_at.desc(), runs.c.id).limit(limit)
    if pipeline is not None:
        query = query.where(runs.c.pipeline == pipeline)
    return _read(database, query)


@dataclass(frozen=True, slots=True)
class WantedRuns:
    """Which runs a page shows; None stands for all.

    Attributes:
        pipeline: Of this pipeline.
        target: Those that write this table.
        outcome: ``open`` for those that have not ended, otherwise how they ended.
        since: That began at this time or later.
    """

    pipeline: str | None = None
    target: str | None = None
    outcome: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class RunsPage:
    """A page of runs, the newest first.

    Attributes:
        runs: The runs.
        before: Goes into ``before`` for the next page: when the last one began, and its id; None at the end.
    """

    runs: Sequence[RunRow]
    before: tuple[datetime, str] | None


def page(
    database: Database,
    wanted: WantedRuns,
    *,
    before: tuple[datetime, str] | None = None,
    limit: int = 50,
) -> RunsPage:
    """A page of runs; as many as are kept of each pipeline bound what is read.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    query = sa.select(runs).order_by(runs.c.started_at.desc(), runs.c.id).limit(limit + 1)
    for name in ("pipeline", "target"):
        if (value := getattr(wanted, name)) is not None:
            query = query.where(runs.c[name] == value)
    if wanted.outcome == "open":
        query = query.where(runs.c.outcome.is_(None))
    elif wanted.outcome is not None:
        query = query.where(runs.c.outcome == wanted.outcome)
    if wanted.since is not None:
        query = query.where(runs.c.started_at >= wanted.since)
    if before is not None:
        began, run = before
        older = sa.or_(runs.c.started_at < began, runs.c.id > run)
        query = query.where(runs.c.started_at <= began, older)
    rows = _read(database, query)
    shown = rows[:limit]
    last = shown[-1] if len(rows) > limit else None
    return RunsPage(shown, None if last is None else (last.started_at, last.id))


def run_called(database: Database, beginning: str) -> RunRow:
    """The run whose id begins with ``beginning``.

    Raises:
        ConfigError: There is none, or there are several.
        SinkUnavailable: The database cannot be reached.
    """
    named = runs.c.id.startswith(beginning, autoescape=True)
    chosen = _read(database, sa.select(runs).where(named).limit(2))
    if len(chosen) != 1:
        number = "several runs begin" if chosen else "no run begins"
        raise ConfigError(f"{number} with {beginning!r}; `sluice runs list` shows them")
    return chosen[0]


def _read(database: Database, query: sa.Select[Any]) -> list[RunRow]:
    with transaction(database, "read the runs", write=False) as connection:
        now = dialect_of(connection).now(connection)
        rows = connection.execute(query).all()
        of_runs = sa.select(workers).where(workers.c.run.in_([row.id for row in rows]))
        by_run: dict[str, list[WorkerRow]] = defaultdict(list)
        for row in connection.execute(of_runs.order_by(workers.c.started_at, workers.c.name)):
            by_run[row.run].append(_worker(row))
        asked = sa.select(control.c.pipeline, control.c.source, control.c.state)
        asked = asked.where(control.c.pipeline.in_({row.pipeline for row in rows}))
        held: dict[str, dict[str, str]] = defaultdict(dict)
        for row in connection.execute(asked.where(control.c.state != "running")):
            held[row.pipeline][row.source] = row.state
    return [_run(row, by_run[row.id], now, held[row.pipeline]) for row in rows]


def _worker(row: Any) -> WorkerRow:
    return WorkerRow(
        name=row.name,
        started_at=row.started_at,
        heartbeat_at=row.heartbeat_at,
        ended_at=row.ended_at,
        committed_at=row.committed_at,
        counts=Counts(*(getattr(row, name) for name in COUNTS)),
        figures=row.figures,
    )


def _run(row: Any, of_run: Sequence[WorkerRow], now: datetime, held: Mapping[str, str]) -> RunRow:
    columns = row._asdict()
    outcome = columns.pop("outcome")
    heard = max((worker.heartbeat_at for worker in of_run), default=row.started_at)
    silent = (now - heard).total_seconds() > LOST_SECONDS
    state: RunState = outcome or ("lost" if silent else "running")
    asked = held if state == "running" else {}
    return RunRow(**columns, state=state, workers=of_run, held=asked)
