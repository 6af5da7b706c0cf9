"""Whether a pipeline is paused, or none of its processes lives, so that its ledger may change."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection
from datetime import timedelta

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.tables import claims, control, leases, pipelines, progress, runs, workers
from sinks.runs.history import LOST_SECONDS

_HELD = ("paused", "draining")
_CURE = "pause the pipeline first (sluice pause), or stop it"


Names = Callable[[str, str], bool]
"""Whether a text, by which an operator has named a source, names this one of the ledger."""


def obstacle(
    connection: sa.Connection,
    pipeline: str,
    sources: Collection[str],
    names: Names = operator.eq,
) -> str:
    """Why the ledger of a pipeline must not change now; empty if it may.

    It may while an operator holds the whole pipeline, or all of ``sources``. Otherwise no process of it
    may be alive, by heartbeats, leases and claims, nor be about to begin.

    Args:
        connection: In a transaction. If that holds the lock ``("", "prepare")``, no program can begin
            before its end.
        pipeline: Its name.
        sources: Those of which offsets are to be forgotten.
        names: How operators name sources.
    """
    held = sa.select(control.c.source).where(
        control.c.pipeline == pipeline, control.c.state.in_(_HELD)
    )
    holding = set(connection.execute(held).scalars())
    if "" in holding or all(any(names(text, name) for text in holding) for name in sources):
        return ""
    return (
        _heard(connection, pipeline)
        or _began(connection, pipeline)
        or _leased(connection, pipeline)
        or _claimed(connection, pipeline)
    )


def _heard(connection: sa.Connection, pipeline: str) -> str:
    """A process that has been heard within a minute, and has not ended."""
    at = dialect_of(connection).now(connection)
    heard = (
        sa.select(workers.c.name, workers.c.heartbeat_at)
        .join(runs, runs.c.id == workers.c.run)
        .where(
            runs.c.pipeline == pipeline,
            workers.c.ended_at.is_(None),
            workers.c.heartbeat_at > at - timedelta(seconds=LOST_SECONDS),
        )
        .order_by(workers.c.heartbeat_at.desc())
        .limit(1)
    )
    for name, time in connection.execute(heard):
        return (
            f"process {name} of pipeline {pipeline} was heard {_seconds(at - time)} s ago: {_CURE}; "
            f"one that was killed counts as alive for {LOST_SECONDS:.0f} s"
        )
    return ""


def _began(connection: sa.Connection, pipeline: str) -> str:
    """A program that began within a minute, and is not among those that are heard yet."""
    at = dialect_of(connection).now(connection)
    since = at - timedelta(seconds=LOST_SECONDS)
    heard = sa.exists().where(workers.c.run == runs.c.id)
    entered = sa.select(sa.func.max(runs.c.started_at)).where(runs.c.pipeline == pipeline)
    silent = connection.scalar(entered.where(runs.c.outcome.is_(None), sa.not_(heard)))
    prepared = connection.scalar(
        sa.select(pipelines.c.prepared_at).where(pipelines.c.name == pipeline)
    )
    last = connection.scalar(entered)
    if last is None:  # a program that enters no runs: its commits are its only trace
        written = sa.select(sa.func.max(progress.c.updated_at))
        silent = connection.scalar(written.where(progress.c.pipeline == pipeline))
    times = [silent, prepared if last is None or (prepared and prepared > last) else None]
    latest = max((time for time in times if time is not None), default=since)
    if latest <= since:
        return ""
    return (
        f"a program of pipeline {pipeline} began, or wrote, {_seconds(at - latest)} s ago: {_CURE}; "
        f"it counts as alive for {LOST_SECONDS:.0f} s"
    )


def _leased(connection: sa.Connection, pipeline: str) -> str:
    at = dialect_of(connection).now(connection)
    lease = (
        sa.select(leases.c.name, leases.c.expires_at)
        .where(
            leases.c.name.startswith(f"{f'jobs:{pipeline}'[:100]}:", autoescape=True),
            leases.c.expires_at > at,
        )
        .order_by(leases.c.expires_at.desc())
        .limit(1)
    )
    for name, ends in connection.execute(lease):
        return (
            f"a process of pipeline {pipeline} holds the lease {name} for another "
            f"{_seconds(ends - at)} s: {_CURE}"
        )
    return ""


def _claimed(connection: sa.Connection, pipeline: str) -> str:
    number = sa.select(sa.func.coalesce(sa.func.sum(claims.c.count), 0)).where(
        claims.c.pipeline == pipeline
    )
    if claimed := int(connection.execute(number).scalar_one()):
        return f"pipeline {pipeline} is trying {claimed:,} failed records: {_CURE}"
    return ""


def _seconds(length: timedelta) -> str:
    return f"{max(0.0, length.total_seconds()):.0f}"
