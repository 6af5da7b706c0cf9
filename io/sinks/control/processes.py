"""The processes of a pipeline that are alive, as their heartbeats say, and what each of them reads."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.tables import runs, workers

ALIVE_SECONDS = 30.0
"""How long after its last heartbeat, one of about every 9 s, a process counts as alive."""

MOST_PROCESSES = 10_000

Names = Callable[[str, str], bool]
"""Whether a text, by which a user has named a source, names this one of the ledger."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process that works for a run.

    Attributes:
        name: Of its heartbeat.
        uris: The sources of its run, as they were given; empty if nobody has asked for them.
    """

    name: str
    uris: frozenset[str] = frozenset()


def living(
    connection: sa.Connection, pipeline: str, *, with_sources: bool = False
) -> list[Process]:
    """The processes of a pipeline's runs that have not ended.

    Args:
        connection: In a transaction.
        pipeline: Its name.
        with_sources: Whether it matters what each reads.
    """
    since = dialect_of(connection).now(connection) - timedelta(seconds=ALIVE_SECONDS)
    alive = (
        sa.select(workers.c.name, workers.c.run)
        .join(runs, runs.c.id == workers.c.run)
        .where(
            runs.c.pipeline == pipeline,
            runs.c.outcome.is_(None),
            workers.c.ended_at.is_(None),
            workers.c.heartbeat_at > since,
        )
        .limit(MOST_PROCESSES)
    )
    rows = [(name, run) for name, run in connection.execute(alive)]
    uris: dict[str, frozenset[str]] = {}
    if with_sources:
        for run in {run for _, run in rows}:
            options = connection.scalar(sa.select(runs.c.options).where(runs.c.id == run)) or {}
            uris[run] = frozenset(entry["uri"] for entry in options.get("sources") or ())
    return [Process(name, uris.get(run, frozenset())) for name, run in rows]


def sharing(
    processes: Collection[Process], own: Collection[str], source: str, names: Names = operator.eq
) -> int:
    """How many processes share a limit, this one included.

    Args:
        processes: Those that are alive.
        own: The names of this process among them; it is counted even if it has no heartbeat yet.
        source: Of which the limit is, as a URI or as in the ledger; empty for the whole pipeline.
        names: How users name sources.
    """
    others = (
        process
        for process in processes
        if process.name not in own
        and (
            not source or source in process.uris or any(names(uri, source) for uri in process.uris)
        )
    )
    return 1 + sum(1 for _ in others)
