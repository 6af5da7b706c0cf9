"""What is asked of each pipeline and of its sources, table ``ingest_control``: written by hand, audited.

The row of an empty source is of the whole pipeline. A pipeline or a source without a row runs, without a limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import retried, transaction
from sinks.database.tables import control, counts, pipelines, runs
from sinks.jobs import audit_trail
from sinks.jobs.audit_trail import ACTOR_LIMIT, REASON_LIMIT
from sinks.text.encoding import clean
from transforms.errors import ConfigError
from transforms.read.control import State

WHOLE = ""
"""The source of the row that is about the whole pipeline."""

MOST_NAMED = 20
"""How many pipelines or sources a message names."""

_RUNS = 20
"""How many of the last runs say what a pipeline reads."""

_ACTIONS: dict[State, str] = {"paused": "pause", "draining": "drain", "running": "resume"}
"""For each state that is asked for, the action in the audit trail."""


@dataclass(frozen=True, slots=True)
class Requested:
    """A row: what is asked of one source of a pipeline.

    Attributes:
        pipeline: The name under which its ledger is kept.
        source: As in the ledger, or as the run was given it; empty for the whole pipeline.
        state: What it should do.
        max_rate: Records per second of all its processes; None for what their options say.
        max_bytes_rate: Bytes per second, likewise.
        generation: How often offsets of the pipeline were forgotten.
        actor: Who asked for the state.
        reason: Why.
        changed_at: When.
        resumed_at: When it was resumed last; None if it never was.
    """

    pipeline: str
    source: str
    state: State
    max_rate: float | None
    max_bytes_rate: float | None
    generation: int
    actor: str
    reason: str
    changed_at: datetime
    resumed_at: datetime | None

    @property
    def holds(self) -> bool:
        """Whether nothing more is to be read of it."""
        return self.state != "running"

    def __str__(self) -> str:
        """Its state in words: ``pipeline P is paused since T by A: REASON``."""
        since = f"{self.changed_at:%Y-%m-%d %H:%M:%S}Z"
        return f"{self._subject} is {self.state} since {since} by {self.actor}: {self.reason}"

    @property
    def limits_in_words(self) -> str:
        """How fast it may be read: ``pipeline P may read 500 records per second``."""
        rates = [
            f"{rate:g} {unit} per second"
            for rate, unit in ((self.max_rate, "records"), (self.max_bytes_rate, "bytes"))
            if rate is not None
        ]
        return f"{self._subject} may read {' and '.join(rates) or 'as fast as its options say'}"

    @property
    def _subject(self) -> str:
        of_source = f"source {self.source} of " if self.source else ""
        return f"{of_source}pipeline {self.pipeline}"


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that are asked for.

    Attributes:
        max_rate: Records per second; None leaves it as it is.
        max_bytes_rate: Bytes per second, likewise.
        none: Forget both limits first.
    """

    max_rate: float | None = None
    max_bytes_rate: float | None = None
    none: bool = False


def ask(
    database: Database,
    pipeline: str,
    sources: Sequence[str],
    state: State,
    *,
    actor: str,
    reason: str,
) -> list[Requested]:
    """Ask for a state, with an entry in the audit trail for each source.

    Args:
        database: Where the pipeline keeps its ledger.
        pipeline: Its name.
        sources: Of which; ``WHOLE`` stands for the whole pipeline.
        state: What it should do.
        actor: Who asks.
        reason: Why.

    Returns:
        The rows as they are now.

    Raises:
        ConfigError: There is no such pipeline; the message names those that there are.
        SinkUnavailable: The database cannot be reached; or ``Contention``, ``SinkFailed``.
    """

    def changed(row: Requested, now: datetime) -> Requested:
        resumed = now if state == "running" else row.resumed_at
        row = replace(row, actor=actor, reason=reason, changed_at=now)
        return replace(row, state=state, resumed_at=resumed)

    action = _ACTIONS[state]
    return _change(database, pipeline, sources, changed, _Entry(action, actor, reason, {}))


def limit(
    database: Database,
    pipeline: str,
    sources: Sequence[str],
    limits: Limits,
    *,
    actor: str,
    reason: str,
) -> list[Requested]:
    """Ask for limits, as ``ask`` does for a state. Who has paused a source, and why, stays as it is."""

    def changed(row: Requested, now: datetime) -> Requested:
        if limits.none:
            row = replace(row, max_rate=None, max_bytes_rate=None)
        if limits.max_rate is not None:
            row = replace(row, max_rate=limits.max_rate)
        if limits.max_bytes_rate is not None:
            row = replace(row, max_bytes_rate=limits.max_bytes_rate)
        return row if row.holds else replace(row, actor=actor, reason=reason, changed_at=now)

    values = {"max_rate": limits.max_rate, "max_bytes_rate": limits.max_bytes_rate}
    return _change(database, pipeline, sources, changed, _Entry("rate", actor, reason, values))


def pause_unless_held(database: Database, pipeline: str, *, actor: str, reason: str) -> bool:
    """Pause a pipeline that runs; returns False if somebody holds it already, and changes nothing then.

    Raises:
        SluiceError: As ``ask``.
    """
    paused = False

    def changed(row: Requested, now: datetime) -> Requested | None:
        nonlocal paused
        paused = not row.holds
        if row.holds:
            return None
        return replace(row, state="paused", actor=actor, reason=reason, changed_at=now)

    entry = _Entry("pause", actor, reason, {})
    _change(database, pipeline, [WHOLE], changed, entry, registered=False)
    return paused


def rows_of(
    connection: sa.Connection,
    pipeline: str | None = None,
    *,
    which: sa.ColumnElement[bool] | None = None,
    limit: int | None = None,
) -> list[Requested]:
    """What is asked of a pipeline, or of all: the whole pipeline first, then its sources by name.

    Args:
        connection: To the database.
        pipeline: Only of this one.
        which: Only rows for which this holds.
        limit: At most so many.
    """
    query = sa.select(*(control.c[name] for name in _NAMES)).order_by(
        control.c.pipeline, control.c.source
    )
    if pipeline is not None:
        query = query.where(control.c.pipeline == pipeline)
    if which is not None:
        query = query.where(which)
    return [Requested(*row) for row in connection.execute(query.limit(limit))]


def requested(database: Database, pipeline: str | None = None) -> list[Requested]:
    """As ``rows_of``, in a transaction of its own.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(database, "read what is asked of pipelines", write=False) as connection:
        return rows_of(connection, pipeline)


@dataclass(frozen=True, slots=True)
class Read:
    """What a pipeline reads, as far as the database knows.

    Attributes:
        uris: The sources of its last runs, as they were given.
        names: The sources that its ledger counts.
    """

    uris: Sequence[str]
    names: frozenset[str]


def read_by(database: Database, pipeline: str) -> Read:
    """What a pipeline reads.

    Raises:
        ConfigError: There is no such pipeline; the message names those that there are.
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(database, "read the sources of a pipeline", write=False) as connection:
        require_pipeline(connection, pipeline)
        last = sa.select(runs.c.options).where(runs.c.pipeline == pipeline)
        last = last.order_by(runs.c.started_at.desc()).limit(_RUNS)
        uris = [
            entry["uri"]
            for options in connection.scalars(last)
            for entry in options.get("sources") or ()
        ]
        named = sa.select(counts.c.source).where(counts.c.pipeline == pipeline).distinct()
        return Read(list(dict.fromkeys(uris)), frozenset(connection.scalars(named)))


def require_pipeline(connection: sa.Connection, pipeline: str) -> None:
    """Refuse a pipeline that has never run.

    Raises:
        ConfigError: It names those that have.
    """
    if connection.scalar(sa.select(pipelines.c.name).where(pipelines.c.name == pipeline)):
        return
    query = sa.select(pipelines.c.name).order_by(pipelines.c.name).limit(MOST_NAMED + 1)
    there = list(connection.scalars(query))
    raise ConfigError(
        f"there is no pipeline {pipeline!r}; there "
        + (f"are: {named(there)}" if there else "are none yet")
    )


def named(names: Iterable[str]) -> str:
    """The first names of a list, for a message."""
    every = list(names)
    return ", ".join(every[:MOST_NAMED]) + (" and others" if len(every) > MOST_NAMED else "")


@dataclass(frozen=True, slots=True)
class _Entry:
    """What the audit trail says of a change, apart from its source."""

    action: str
    actor: str
    reason: str
    values: dict[str, Any]


def _change(
    database: Database,
    pipeline: str,
    sources: Sequence[str],
    changed: Callable[[Requested, datetime], Requested | None],
    entry: _Entry,
    *,
    registered: bool = True,
) -> list[Requested]:
    """Replace rows by what ``changed`` makes of them, and enter that; None leaves a row alone."""

    def work() -> list[Requested]:
        with transaction(database, f"{entry.action} a pipeline") as connection:
            dialect = dialect_of(connection)
            dialect.lock(connection, [(pipeline, "control")])
            if registered:
                require_pipeline(connection, pipeline)
            now = dialect.now(connection)
            rows = {row.source: row for row in rows_of(connection, pipeline)}
            results = []
            for source in sources:
                row = changed(rows.get(source) or _unasked(pipeline, source, now), now)
                if row is None:
                    continue
                row = replace(
                    row,
                    actor=clean(row.actor, ACTOR_LIMIT),
                    reason=clean(row.reason, REASON_LIMIT),
                )
                dialect.upsert(connection, control, [asdict(row)])
                which = {"pipeline": pipeline, "source": source, **entry.values}
                audit_trail.enter(
                    connection,
                    entry.action,
                    actor=entry.actor,
                    reason=entry.reason,
                    which=which,
                    count=0,
                )
                results.append(row)
            return results

    return retried(work)


def _unasked(pipeline: str, source: str, now: datetime) -> Requested:
    """The row of what nobody has asked anything of."""
    return Requested(pipeline, source, "running", None, None, 0, "", "", now, None)


_NAMES = tuple(Requested.__dataclass_fields__)
