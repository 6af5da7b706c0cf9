"""Operations on what runs and was done: runs, the audit trail, the alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta

from pipelines.console.api.operation import Nothing, Operation
from pipelines.console.pages.running import alerts, audit, runs
from pipelines.console.pages.running.asking import check_text, cursor, one_of, place_of, since_of
from pipelines.console.view import View
from sinks.console.alerts import Alerts
from sinks.jobs.audit_trail import Entry, Wanted
from sinks.runs.history import RunRow, WantedRuns

Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Limit = Annotated[int, Meta(ge=1, le=500)]
Text = Annotated[str, Meta(min_length=1, max_length=1_000)]


@dataclass(frozen=True, slots=True)
class RunsAsked:
    """Which runs.

    Attributes:
        state: ``open`` for those that have not ended, otherwise how they ended.
        since: Begun since this time, or how long ago (2h).
        before: Where the page before has ended: its ``before``.
    """

    pipeline: Text | None = None
    target: Text | None = None
    state: Text | None = None
    since: Text | None = None
    before: Text | None = None
    limit: Limit = 50


@dataclass(frozen=True, slots=True)
class OneRun:
    """The id of a run, or its beginning."""

    run: Text


@dataclass(frozen=True, slots=True)
class Worker:
    """A process of a run."""

    name: str
    started_at: datetime
    heartbeat_at: datetime
    committed_at: datetime | None
    ended_at: datetime | None
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Run:
    """A run.

    Attributes:
        counts: What its processes have settled, by outcome.
        tables: The same by table.
        held: What is asked of it, by source; the empty source is the whole pipeline.
    """

    id: str
    pipeline: str
    target: str
    state: str
    runner: str
    program: str
    version: str
    streaming: bool
    job: str | None
    started_at: datetime
    heartbeat_at: datetime | None
    ended_at: datetime | None
    message: str | None
    options: Mapping[str, Any]
    counts: Mapping[str, int]
    tables: Mapping[str, Mapping[str, int]]
    held: Mapping[str, str]
    workers: Sequence[Worker]


@dataclass(frozen=True, slots=True)
class Runs:
    """A page of runs, the newest first; ``before`` goes into the next one."""

    runs: Sequence[Run]
    before: str | None


@dataclass(frozen=True, slots=True)
class AuditAsked:
    """Which entries of the audit trail.

    Attributes:
        since: Made since this time, or how long ago (2h).
        before: Older than the entry with this number.
    """

    action: Text | None = None
    actor: Text | None = None
    since: Text | None = None
    before: Number | None = None
    limit: Limit = 50


@dataclass(frozen=True, slots=True)
class Trail:
    """A page of the audit trail, the newest entry first.

    Attributes:
        before: Goes into the next page, or searches on; null at the end.
        searched: How many entries were looked at where that ended the search.
    """

    entries: Sequence[Entry]
    before: int | None
    searched: int | None


def list_runs(view: View, asked: RunsAsked) -> Runs:
    """Runs."""
    chosen = _given(pipeline=asked.pipeline, target=asked.target, since=asked.since)
    wanted = WantedRuns(
        pipeline=chosen.get("pipeline"),
        target=chosen.get("target"),
        outcome=one_of("state", asked.state, runs.STATES),
        since=since_of(chosen),
    )
    listed = runs.listing(view, wanted, place_of("before", asked.before), asked.limit)
    return Runs([_run(row) for row in listed.runs], cursor(listed.before))


def get_run(view: View, which: OneRun) -> Run:
    """A run."""
    check_text("run", which.run)
    return _run(runs.one(view, which.run))


def list_entries(view: View, asked: AuditAsked) -> Trail:
    """Entries of the audit trail."""
    chosen = _given(action=asked.action, actor=asked.actor, since=asked.since)
    wanted = Wanted(chosen.get("action"), chosen.get("actor"), since_of(chosen))
    listed = audit.listing(view, wanted, asked.before, asked.limit)
    return Trail(listed.entries, listed.before, listed.searched)


def get_alerts(view: View, _: Nothing) -> Alerts:
    """The alerts."""
    return alerts.judged(view)


def _given(**values: str | None) -> dict[str, str]:
    chosen = {name: text for name, text in values.items() if text is not None}
    for name, text in chosen.items():
        check_text(name, text)
    return chosen


def _run(row: RunRow) -> Run:
    return Run(
        id=row.id,
        pipeline=row.pipeline,
        target=row.target,
        state=row.state,
        runner=row.runner,
        program=row.program,
        version=row.version,
        streaming=row.streaming,
        job=row.job,
        started_at=row.started_at,
        heartbeat_at=row.heartbeat_at,
        ended_at=row.ended_at,
        message=row.message,
        options=row.options,
        counts=dict(row.counts),
        tables={table: dict(counts) for table, counts in row.tables.items()},
        held=row.held,
        workers=[
            Worker(
                *(one.name, one.started_at, one.heartbeat_at, one.committed_at, one.ended_at),
                dict(one.counts),
            )
            for one in row.workers[: runs.MOST_WORKERS]
        ],
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", "/runs", "listRuns", "Runs, newest first", list_runs, Runs, RunsAsked),
    Operation("GET", "/runs/{run}", "getRun", "A run and its processes", get_run, Run, OneRun),
    Operation(
        *("GET", "/audit", "listAudit", "The audit trail, newest entry first"),
        list_entries,
        Trail,
        AuditAsked,
    ),
    Operation("GET", "/alerts", "getAlerts", "The alerts as of now", get_alerts, Alerts),
)
