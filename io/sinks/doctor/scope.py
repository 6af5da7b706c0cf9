"""What all checks look at: the time, the pipelines with their last runs and live processes, tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.label import is_table
from sinks.database.tables import counts, jobs, pipelines, queue, runs, targets, workers
from sinks.runs.history import LOST_SECONDS

MOST_RUNS = 500
"""How many last runs, one for each pipeline and table, are looked at, the newest first."""

MOST_TABLES = 100
"""How many target tables are looked at."""

MOST_OWNERS = 200
"""How many owners of waiting jobs are looked at."""

MOST_COUNTED = 100_000
"""Waiting jobs, or changes, are counted up to this number."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    Attributes:
        pipeline: Only of this pipeline, as far as a check is about pipelines; None for all.
        role: The role that ingests; empty for the one that asks.
        program: The version of this program.
    """

    pipeline: str | None = None
    role: str = ""
    program: str = ""


@dataclass(frozen=True, slots=True)
class LastRun:
    """The newest run of a pipeline into a table of its own.

    Attributes:
        id: The run.
        pipeline: Whose run it is.
        target: Its own table.
        options: The options that were given.
        streaming: Whether it goes on forever.
        started_at: When it began.
        outcome: How it ended; None if nobody has noted an end.
        heard_at: When one of its processes was last heard; None if none ever was.
        lag: What it had not read when it was last heard, in records.
    """

    id: str
    pipeline: str
    target: str
    options: Mapping[str, Any]
    streaming: bool
    started_at: datetime
    outcome: str | None
    heard_at: datetime | None = None
    lag: float = 0.0


@dataclass(frozen=True, slots=True)
class Queue:
    """The waiting jobs of one owner.

    Attributes:
        pipeline: Who may take them; None for nobody.
        target: A table that they are meant for.
        job: The number of the first.
        number: How many there are, up to ``MOST_COUNTED``.
        due_at: When the first is due.
    """

    pipeline: str | None
    target: str
    job: int
    number: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Scope:
    """What there is to look at.

    Attributes:
        question: What is asked.
        now: The time of the database.
        skew: How far the clock of this machine is ahead of the database's.
        doubt: How far off ``skew`` may be: half of the time that the question took.
        names: Every pipeline that has ever begun.
        runs: The last runs.
        live: How many live processes each pipeline has.
        tables: Labels of the target tables.
        queues: The waiting jobs by owner.
    """

    question: Question
    now: datetime
    skew: timedelta = timedelta(0)
    doubt: timedelta = timedelta(0)
    names: Sequence[str] = ()
    runs: Sequence[LastRun] = ()
    live: Mapping[str, int] = field(default_factory=dict)
    tables: Sequence[str] = ()
    queues: Sequence[Queue] = ()

    def asks(self, pipeline: str | None) -> bool:
        """Whether the question is about ``pipeline``, or about all."""
        return self.question.pipeline in (None, pipeline)


def time_of(connection: sa.Connection, question: Question) -> Scope:
    """A scope with nothing but the time."""
    before = datetime.now(UTC)
    now = dialect_of(connection).now(connection)
    after = datetime.now(UTC)
    doubt = (after - before) / 2
    return Scope(question, now, before + doubt - now, doubt)


def scope_of(connection: sa.Connection, question: Question) -> Scope:
    """What there is to look at, as of now."""
    empty = time_of(connection, question)
    last = _last_runs(connection, question)
    return Scope(
        *(question, empty.now, empty.skew, empty.doubt),
        names=list(connection.scalars(sa.select(pipelines.c.name).order_by(pipelines.c.name))),
        runs=_heard(connection, last),
        live=_live(connection, empty.now),
        tables=_tables(connection, question),
        queues=[each for each in _queues(connection) if empty.asks(each.pipeline)],
    )


def _last_runs(connection: sa.Connection, question: Question) -> list[LastRun]:
    newest = (
        sa.select(
            runs.c.pipeline, runs.c.target, sa.func.max(runs.c.started_at).label("started_at")
        )
        .group_by(runs.c.pipeline, runs.c.target)
        .subquery()
    )
    columns = ("id", "pipeline", "target", "options", "streaming", "started_at", "outcome")
    same = (runs.c[name] == newest.c[name] for name in ("pipeline", "target", "started_at"))
    query = sa.select(*(runs.c[name] for name in columns)).join(newest, sa.and_(*same))
    if question.pipeline is not None:
        query = query.where(runs.c.pipeline == question.pipeline)
    rows = connection.execute(query.order_by(runs.c.started_at.desc(), runs.c.id).limit(MOST_RUNS))
    return [LastRun(*row) for row in rows]


def _heard(connection: sa.Connection, last: Sequence[LastRun]) -> list[LastRun]:
    """The runs with what their workers have said last."""
    beats: dict[str, tuple[datetime, float]] = {}
    query = sa.select(workers.c.run, workers.c.heartbeat_at, workers.c.figures)
    for run, at, figures in connection.execute(
        query.where(workers.c.run.in_([run.id for run in last])).limit(10 * MOST_RUNS)
    ):
        before = beats.get(run, (at, 0.0))
        lag = sum((figures.get("lag") or {}).values())
        beats[run] = max(before[0], at), before[1] + lag
    return [
        LastRun(
            *(run.id, run.pipeline, run.target, run.options, run.streaming, run.started_at),
            run.outcome,
            *beats.get(run.id, (None, 0.0)),
        )
        for run in last
    ]


def _live(connection: sa.Connection, now: datetime) -> dict[str, int]:
    alive = now - timedelta(seconds=LOST_SECONDS)
    query = (
        sa.select(runs.c.pipeline)
        .join(workers, workers.c.run == runs.c.id)
        .where(workers.c.heartbeat_at >= alive, workers.c.ended_at.is_(None))
        .limit(MOST_COUNTED)
    )
    return dict(Counter(connection.scalars(query)))


def _tables(connection: sa.Connection, question: Question) -> list[str]:
    query = sa.select(targets.c.target)
    if question.pipeline is not None:
        counted = sa.exists().where(
            counts.c.pipeline == question.pipeline, counts.c.target == targets.c.target
        )
        own = sa.exists().where(
            pipelines.c.name == question.pipeline, pipelines.c.target == targets.c.target
        )
        query = query.where(sa.or_(counted, own))
    labels = connection.scalars(query.order_by(targets.c.target).limit(MOST_TABLES))
    return [label for label in labels if is_table(label)]


def _queues(connection: sa.Connection) -> list[Queue]:
    """By the index on owner and time: a step to each owner, and its first job."""
    queues = []
    for owner in [None, *_owners(connection)]:
        of_owner = queue.c.owner.is_(None) if owner is None else queue.c.owner == owner
        first = sa.select(queue.c.job, queue.c.target, queue.c.due_at).where(of_owner)
        row = connection.execute(first.order_by(queue.c.due_at).limit(1)).one_or_none()
        if row is None:
            continue
        some = sa.select(queue.c.job).where(of_owner).limit(MOST_COUNTED).subquery()
        number = connection.scalar(sa.select(sa.func.count()).select_from(some)) or 0
        name = connection.scalar(sa.select(jobs.c.pipeline).where(jobs.c.id == row.job))
        pipeline = None if owner is None else name
        queues.append(Queue(pipeline, row.target, row.job, number, row.due_at))
    return queues


def _owners(connection: sa.Connection) -> list[Any]:
    owners: list[Any] = []
    while len(owners) < MOST_OWNERS:
        after = queue.c.owner.is_not(None) if not owners else queue.c.owner > owners[-1]
        query = sa.select(queue.c.owner).where(after).order_by(queue.c.owner).limit(1)
        owner = connection.scalar(query)
        if owner is None:
            break
        owners.append(owner)
    return owners
