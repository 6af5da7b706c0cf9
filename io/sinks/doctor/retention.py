"""Whether finished jobs, ended runs and deletes are kept longer than their pipeline says, or forever.

No index leads to a state. So it looks at the jobs with the lowest numbers, the oldest ones, and at as many
deletes of each table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.tables import GONE, jobs, positions, runs
from sinks.doctor.item import Item, length
from sinks.doctor.scope import LastRun, Scope
from sinks.expiry.bound import bound_of
from sinks.jobs.retention import FINISHED, Kept, Retention
from transforms.batch.job_states import FINAL_STATES
from transforms.errors import ConfigError

SAMPLE = 10_000
"""How many jobs are looked at, those with the lowest numbers."""

SLACK = timedelta(days=1)
"""How much longer than they should jobs may be kept: a pipeline deletes them while it runs."""

MANY_JOBS = 100_000
"""Jobs, and deletes, below this number may stay forever."""

_CHECK = "retention"

Oldest = Mapping[tuple[str, str], datetime]
"""When the oldest job of a table and a state came into it."""


@dataclass(frozen=True, slots=True)
class Deletes:
    """What is remembered of the deletes of a table.

    Attributes:
        target: The table.
        number: How many, up to ``MANY_JOBS``.
        oldest: When the oldest one of the sample was written.
        job: The failed record that keeps them from being forgotten; None if none does.
    """

    target: str
    number: int
    oldest: datetime
    job: int | None = None


def retention_of(run: LastRun) -> Retention | None:
    """What the last run says; None if it says nothing that this program can read."""
    texts = run.options.get("retain")
    if not isinstance(texts, list) or not texts:
        return None
    try:
        return Retention.parse(map(str, texts))
    except ConfigError:
        return None


def overdue(run: LastRun, oldest: Oldest, now: datetime) -> Iterator[Item]:
    """The verdicts on the jobs of a run's own table."""
    rules = retention_of(run)
    for state, period in () if rules is None else rules.periods:
        end = oldest.get((run.target, state))
        over = timedelta(0) if end is None else now - end - period
        if over > SLACK:
            what = f"{state} jobs are kept {length(over)} longer than --retain says"
            todo = (
                f"run pipeline {run.pipeline} again, or: sluice dead-letters prune --table "
                f"{run.target} --retain {state}={int(period.total_seconds())}s"
            )
            figures = {"state": state, "overdue_seconds": over.total_seconds()}
            yield Item(_CHECK, "warning", what, run.target, todo, figures)


def overdue_runs(run: LastRun, oldest: datetime | None, now: datetime) -> Item | None:
    """The verdict on the oldest run of a pipeline that is not its newest; None if it may stay."""
    rules = retention_of(run)
    if rules is None or rules.runs is None or oldest is None:
        return None
    over = now - oldest - rules.runs
    if over <= SLACK:
        return None
    what = f"ended runs of {run.pipeline} are kept {length(over)} longer than --retain says"
    todo = f"run pipeline {run.pipeline} again"
    figures = {"state": "runs", "overdue_seconds": over.total_seconds()}
    return Item(_CHECK, "warning", what, "ingest_runs", todo, figures)


def unbounded(number: int, last: Iterable[LastRun]) -> Item | None:
    """The verdict on about ``number`` jobs that are kept forever; None if they are few, or are not."""
    without = sorted({run.pipeline for run in last if retention_of(run) is None})
    if number < MANY_JOBS or not without:
        return None
    what = f"there are about {number:,} jobs, and nothing ever deletes those of {_some(without)}"
    todo = "give their ingests --retain completed=7d --retain discarded=90d"
    figures = {"jobs": number, "pipelines": without}
    return Item(_CHECK, "warning", what, jobs.name, todo, figures)


def overdue_deletes(run: LastRun, deletes: Deletes, now: datetime) -> Item | None:
    """The verdict on the deletes of a table that a pipeline writes; None if they may stay."""
    rules = retention_of(run)
    figures: dict[str, object] = {"state": "deletes", "deletes": deletes.number}
    if rules is None or rules.deletes is None:
        if deletes.number < MANY_JOBS:
            return None
        what = f"{deletes.number:,} deletes or more are remembered, and nothing ever forgets them"
        todo = f"give pipeline {run.pipeline} --retain deletes=90d, or as long as an older change may come"
        return Item(_CHECK, "warning", what, deletes.target, todo, figures)
    over = now - deletes.oldest - rules.deletes
    if over <= SLACK:
        return None
    what = f"deletes are remembered {length(over)} longer than --retain says"
    todo = f"run pipeline {run.pipeline} again, and see that its sources are read without a gap"
    if deletes.job is not None:
        what += f": failed record {deletes.job} may be older"
        todo = f"replay it, or purge it: sluice dead-letters show {deletes.job}"
        figures["job"] = deletes.job
    figures["overdue_seconds"] = over.total_seconds()
    return Item(_CHECK, "warning", what, deletes.target, todo, figures)


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def check(connection: sa.Connection, scope: Scope) -> Iterator[Item]:
    """Look at the oldest jobs and runs."""
    oldest = _oldest(connection)
    items: list[Item] = []
    for run in scope.runs:
        items += overdue(run, oldest, scope.now)
        items += filter(None, [overdue_runs(run, _oldest_run(connection, run), scope.now)])
    remembered: dict[str, int] = {}
    for run in scope.runs:
        for deletes in _deletes(connection, run):
            remembered[deletes.target] = deletes.number
            items += filter(None, [overdue_deletes(run, deletes, scope.now)])
    number = dialect_of(connection).about_rows(connection, jobs.name)
    items += filter(None, [unbounded(number, scope.runs)])
    yield from items
    if not items:
        what = f"nothing is overdue among the {SAMPLE:,} oldest of about {number:,} jobs"
        if remembered:
            what += f"; {sum(remembered.values()):,} deletes are remembered"
        yield Item(_CHECK, "ok", what, figures={"jobs": number, "deletes": remembered})


def _oldest(connection: sa.Connection) -> dict[tuple[str, str], datetime]:
    ends = tuple(FINISHED.values())
    sample = sa.select(jobs.c.target, jobs.c.state, *ends).order_by(jobs.c.id).limit(SAMPLE)
    of = sample.subquery()
    mins = (sa.func.min(of.c[end.name]) for end in ends)
    query = sa.select(of.c.target, of.c.state, *mins).where(of.c.state.in_(FINAL_STATES))
    result = {}
    for target, state, *firsts in connection.execute(query.group_by(of.c.target, of.c.state)):
        end = dict(zip(FINISHED, firsts, strict=True))[state]
        if end is not None:
            result[target, state] = end
    return result


def _deletes(connection: sa.Connection, run: LastRun) -> Iterator[Deletes]:
    """What is remembered of each table that the pipeline writes, as far as it is anything."""
    rules = retention_of(run)
    kept = None if rules is None else rules.deletes
    for target in Kept(run.target, run.pipeline).tables(connection):
        gone = sa.select(positions.c.changed_at).where(GONE, positions.c.target == target)
        some = gone.limit(MANY_JOBS).subquery()
        sample = gone.limit(SAMPLE).subquery()
        number = connection.scalar(sa.select(sa.func.count()).select_from(some)) or 0
        oldest = connection.scalar(sa.select(sa.func.min(sample.c.changed_at)))
        if oldest is not None:
            job = None if kept is None else bound_of(connection, target, kept).job
            yield Deletes(target, number, oldest, job)


def _oldest_run(connection: sa.Connection, run: LastRun) -> datetime | None:
    mine = (runs.c.pipeline == run.pipeline, runs.c.target == run.target, runs.c.id != run.id)
    end: datetime | None = connection.scalar(sa.select(sa.func.min(runs.c.ended_at)).where(*mine))
    return end
