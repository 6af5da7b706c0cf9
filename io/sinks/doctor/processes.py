"""Whether somebody does the work: runs that are lost, jobs and lag without a process, dead leases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import sqlalchemy as sa

from sinks.database.tables import claims, control, leases
from sinks.doctor.item import Item, Level, length
from sinks.doctor.scope import MOST_COUNTED, LastRun, Queue, Scope
from sinks.runs.history import LOST_SECONDS

LATE = timedelta(minutes=1)
"""Jobs that are due for less time wait for nobody."""

VERY_LATE = timedelta(hours=1)
"""Jobs that are due for longer, although a process of their pipeline lives, are not for that process."""

_CHECK = "processes"


def lost(run: LastRun, now: datetime) -> Item | None:
    """The verdict on a run without an end; None if it is heard, or has ended."""
    heard = run.heard_at or run.started_at
    silent = now - heard
    if run.outcome is not None or silent <= timedelta(seconds=LOST_SECONDS):
        return None
    level: Level = "error" if run.streaming else "warning"
    kind = "stream" if run.streaming else "run"
    what = f"{kind} {run.id[:8]} is lost: it has not ended, and was last heard {length(silent)} ago"
    todo = "see its log, and start it again: it goes on where the ledger ends"
    figures = {"run": run.id, "silent_seconds": silent.total_seconds()}
    return Item(_CHECK, level, what, run.pipeline, todo, figures)


def waiting(of: Queue, live: int, held: bool, now: datetime) -> Item | None:
    """The verdict on the waiting jobs of a pipeline; None if they are not late.

    Args:
        of: The jobs.
        live: How many live processes their pipeline has.
        held: Whether it is paused, so that they wait on purpose.
        now: The time of the database.
    """
    late = now - of.due_at
    if of.pipeline is None or held or late <= (VERY_LATE if live else LATE):
        return None
    number = f"{of.number:,}" + (" or more" if of.number >= MOST_COUNTED else "")
    what = f"{number} jobs wait, the first due {length(late)} ago, and "
    if live:
        what += f"{live} live processes of the pipeline leave them"
        todo = (
            "its steps may have changed: compare `sluice dead-letters show --id "
            f"{of.job}` with the pipeline, and adopt them"
        )
    else:
        what += "no process of the pipeline lives"
        todo = f"start an ingest of pipeline {of.pipeline}"
    figures = {"jobs": of.number, "late_seconds": late.total_seconds(), "processes": live}
    return Item(_CHECK, "warning", what, of.pipeline, todo, figures)


def lagging(run: LastRun, live: int) -> Item | None:
    """The verdict on what a stream had left to read; None if nothing, or if somebody reads."""
    if not run.streaming or live or run.lag <= 0:
        return None
    what = f"{run.lag:,.0f} records were left to read when its stream was last heard, and no process lives"
    todo = f"start pipeline {run.pipeline} again"
    return Item(_CHECK, "warning", what, run.pipeline, todo, {"lag": run.lag})


def expired(number: int, jobs: int, since: datetime, now: datetime) -> Item | None:
    """The verdict on claims whose lease has run out.

    Args:
        number: How many there are.
        jobs: How many jobs they have.
        since: When the first of the leases ran out, or the first claim was made without one.
        now: The time of the database.
    """
    if not number or now - since <= LATE:
        return None
    what = f"{jobs:,} jobs are at an attempt of a process that is gone for {length(now - since)}"
    todo = "start an ingest with this database: it makes them due again"
    figures = {"claims": number, "jobs": jobs, "since": since.isoformat()}
    return Item("leases", "warning", what, "ingest_claims", todo, figures)


def check(connection: sa.Connection, scope: Scope) -> Iterator[Item]:
    """Look at the last runs, the queue and the claims."""
    held = set(
        connection.scalars(
            sa.select(control.c.pipeline).where(control.c.state == "paused", control.c.source == "")
        )
    )
    items: list[Item | None] = [lost(run, scope.now) for run in scope.runs]
    items += [lagging(run, scope.live.get(run.pipeline, 0)) for run in scope.runs]
    for of in scope.queues:
        name = of.pipeline or ""
        items.append(waiting(of, scope.live.get(name, 0), name in held, scope.now))
    seen = [item for item in items if item is not None]
    yield from seen
    if not seen:
        live = sum(scope.live.values())
        what = f"{live} live processes; no run is lost, and no job is late"
        yield Item(_CHECK, "ok", what, figures={"processes": live})
    yield _leases(connection, scope)


def _leases(connection: sa.Connection, scope: Scope) -> Item:
    over = sa.or_(leases.c.name.is_(None), leases.c.expires_at <= scope.now)
    ended = sa.func.coalesce(leases.c.expires_at, claims.c.attempted_at)
    query = (
        sa.select(
            sa.func.count(), sa.func.coalesce(sa.func.sum(claims.c.count), 0), sa.func.min(ended)
        )
        .select_from(claims.outerjoin(leases, leases.c.name == claims.c.lease))
        .where(over)
    )
    if scope.question.pipeline is not None:
        query = query.where(claims.c.pipeline == scope.question.pipeline)
    number, jobs, since = connection.execute(query).one()
    item = expired(number, int(jobs), since or scope.now, scope.now)
    return item or Item("leases", "ok", "no job is at an attempt of a process that is gone")
