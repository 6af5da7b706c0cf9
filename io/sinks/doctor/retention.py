"""Whether finished jobs and ended runs are kept longer than their pipeline says, or forever.

No index leads to a state. So it looks at the jobs with the lowest numbers, the oldest ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.tables import jobs, runs
from sinks.doctor.item import Item, length
from sinks.doctor.scope import LastRun, Scope
from sinks.jobs.retention import FINISHED, Retention
from transforms.batch.job_states import FINAL_STATES
from transforms.errors import ConfigError

SAMPLE = 10_000
"""How many jobs are looked at, those with the lowest numbers."""

SLACK = timedelta(days=1)
"""How much longer than they should jobs may be kept: a pipeline deletes them while it runs."""

MANY_JOBS = 100_000
"""Jobs below this number may stay forever."""

_CHECK = "retention"

Oldest = Mapping[tuple[str, str], datetime]
"""When the oldest job of a table and a state came into it."""


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


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def check(connection: sa.Connection, scope: Scope) -> Iterator[Item]:
    """Look at the oldest jobs and runs."""
    oldest = _oldest(connection)
    items: list[Item] = []
    for run in scope.runs:
        items += overdue(run, oldest, scope.now)
        items += filter(None, [overdue_runs(run, _oldest_run(connection, run), scope.now)])
    number = dialect_of(connection).about_rows(connection, jobs.name)
    items += filter(None, [unbounded(number, scope.runs)])
    yield from items
    if not items:
        what = f"nothing is overdue among the {SAMPLE:,} oldest of about {number:,} jobs"
        yield Item(_CHECK, "ok", what, figures={"jobs": number})


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


def _oldest_run(connection: sa.Connection, run: LastRun) -> datetime | None:
    mine = (runs.c.pipeline == run.pipeline, runs.c.target == run.target, runs.c.id != run.id)
    end: datetime | None = connection.scalar(sa.select(sa.func.min(runs.c.ended_at)).where(*mine))
    return end
