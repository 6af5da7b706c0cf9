"""How long finished jobs, ended runs and deletes are kept, and the end of those kept longer."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import retried, transaction
from sinks.database.tables import READ_BY, counts, jobs, runs, workers
from sinks.dead import upkeep
from sinks.expiry import removal
from sinks.jobs import audit_trail
from sinks.jobs.chunks import Change, Picked, Where, change_in_chunks
from sinks.jobs.store import exists
from sinks.ledger import moves as ledger_moves
from transforms.batch.job_states import DEAD_STATES, FINAL_STATES
from transforms.errors import ConfigError, Contention
from transforms.route.table_name import UNROUTED

LONGEST = timedelta(days=36_500)
RUNS = "runs"
"""What ``Retention`` calls runs, beside the states of jobs."""

DELETES = "deletes"
"""What it calls the deletes that are remembered, so that nothing older brings a row back."""

RUN_CHUNK = 500
"""Runs a transaction deletes."""

TURN = 50
"""Transactions in which a running pipeline looks for old deletes at a time, of one table."""

SILENT = timedelta(days=1)
"""A run without an end has ended if none of its processes was heard for this long, and its period."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"([0-9]{1,12})([smhd])")
FINISHED = {
    "completed": jobs.c.completed_at,
    "cancelled": jobs.c.cancelled_at,
    "discarded": jobs.c.discarded_at,
}


def duration(text: str) -> timedelta:
    """Read a duration such as ``30s``, ``15m``, ``12h`` or ``7d``; a hundred years at most.

    Raises:
        ConfigError: It is none.

    >>> duration("90m")
    datetime.timedelta(seconds=5400)
    """
    match = _DURATION.fullmatch(text)
    if match is not None:
        seconds = int(match[1]) * int(timedelta(**{_UNITS[match[2]]: 1}).total_seconds())
        if seconds <= LONGEST.total_seconds():
            return timedelta(seconds=seconds)
    raise ConfigError(
        f"a duration is written 30s, 15m, 12h or 7d (100 years at most), got {text!r}"
    )


@dataclass(frozen=True, slots=True)
class Retention:
    """How long to keep finished jobs, ended runs and deletes; what is not named is kept forever.

    Attributes:
        periods: Final states, each with how long to keep a job after it got there.
        runs: How long to keep a run, with its workers, after it ended; None for as long as there
            are not too many of them (``sinks.runs.runs.KEPT``).
        deletes: How long to remember that a key is gone; None forever.
    """

    periods: tuple[tuple[str, timedelta], ...] = ()
    runs: timedelta | None = None
    deletes: timedelta | None = None

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Retention:
        """Read ``STATE=DURATION`` entries, e.g. ``completed=12h``, ``runs=90d``, ``deletes=60d``.

        Raises:
            ConfigError: An entry cannot be read, names no final state and neither ``runs`` nor
                ``deletes``, or what another one has named before; or deletes are kept too briefly.
        """
        periods: dict[str, timedelta] = {}
        for text in texts:
            state, equals, length = text.partition("=")
            if not equals or state not in (*FINAL_STATES, RUNS, DELETES):
                raise ConfigError(
                    f"retain must be STATE=DURATION with {', '.join(FINAL_STATES)} as the state, "
                    f"or {RUNS}=DURATION, or {DELETES}=DURATION, e.g. completed=7d; got {text!r}"
                )
            if state in periods:
                raise ConfigError(f"retain names {state} twice; give one duration")
            periods[state] = duration(length)
        of_runs, of_deletes = periods.pop(RUNS, None), periods.pop(DELETES, None)
        if of_deletes is not None and of_deletes < removal.SHORTEST:
            raise ConfigError(
                f"retain {DELETES}: deletes are remembered for an hour or more, since an older change may "
                f"come later than a delete; give at least {DELETES}=1h"
            )
        return cls(tuple(periods.items()), of_runs, of_deletes)


@dataclass(frozen=True, slots=True)
class Kept:
    """Which jobs a running pipeline deletes in the end: those of its own table, and its own ones.

    Attributes:
        target: Its own table, as the ledger names it; ``UNROUTED`` for none.
        pipeline: Its name; empty if it has none.
    """

    target: str
    pipeline: str = ""

    def where(self) -> sa.ColumnElement[bool]:
        """The condition."""
        conditions: list[sa.ColumnElement[bool]] = []
        if self.target != UNROUTED:  # which many pipelines share
            conditions.append(jobs.c.target == self.target)
        if self.pipeline:
            read = sa.and_(jobs.c.pipeline.is_(None), READ_BY.in_([self.pipeline]))
            conditions += [jobs.c.pipeline == self.pipeline, read]
        return sa.or_(sa.false(), *conditions)

    def runs(self) -> sa.ColumnElement[bool]:
        """The condition on runs: those of the pipeline, which may have the name of its table."""
        return runs.c.pipeline == (self.pipeline or self.target)

    def tables(self, connection: sa.Connection) -> list[str]:
        """The tables that the pipeline has written: its own, and those of its routes."""
        query = sa.select(counts.c.target).where(
            counts.c.pipeline == (self.pipeline or self.target)
        )
        labels = {self.target, *connection.execute(query.distinct()).scalars()}
        return sorted(labels - {UNROUTED})


def prune(
    database: Database, target: str | Kept | None, retention: Retention, *, actor: str, reason: str
) -> dict[str, int]:
    """Delete the jobs, runs and deletes that have been kept long enough; the ledger keeps its counts.

    A transaction deletes at most ``job_chunks.CHUNK`` jobs, or ``RUN_CHUNK`` runs, or forgets
    ``removal.CHUNK`` deletes, and enters the audit trail, which says nothing where nothing was deleted. The newest run of each pipeline and
    table stays, and so does every run that goes on.

    Args:
        database: Which database.
        target: The table, as the ledger names it, or what a pipeline keeps; None for all.
        retention: For how long each state is kept.
        actor: Who does it.
        reason: Why.

    Returns:
        How many jobs were deleted, by state, how many runs, and how many deletes were forgotten;
        zeros included.

    Raises:
        SinkUnavailable: The database cannot be reached; the chunks before are committed.
        Contention: It kept asking for another try.
        SinkFailed: It refuses the change.
    """
    deleted = {}
    for state, before in _bounds(database, retention).items():
        where, delete = _deletion(target, state, before, actor, reason)
        deleted[state] = change_in_chunks(
            database, where, delete, doing="delete old failed records"
        )
    if retention.runs is not None:
        deleted[RUNS] = _prune_runs(database, target, retention.runs, actor, reason)
    if retention.deletes is not None:
        deleted[DELETES] = _forget_deletes(database, target, retention.deletes, actor, reason)
    return deleted


def prunable(database: Database, target: str | Kept | None, retention: Retention) -> dict[str, int]:
    """How many jobs and runs ``prune`` would delete now, as it says them; deletes nothing.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    bounds = _bounds(database, retention)
    with transaction(database, "read failed records", write=False) as connection:
        if not exists(connection):
            others = {RUNS: retention.runs, DELETES: retention.deletes}
            return dict.fromkeys(
                [*bounds, *(name for name, kept in others.items() if kept is not None)], 0
            )
        count = sa.select(sa.func.count()).select_from(jobs)
        counted = {
            state: connection.execute(count.where(_old(target, state, before))).scalar_one()
            for state, before in bounds.items()
        }
        if retention.runs is not None:
            now = dialect_of(connection).now(connection)
            of_runs = sa.select(sa.func.count()).select_from(runs)
            old = _old_runs(target, retention.runs, now)
            counted[RUNS] = connection.execute(of_runs.where(old)).scalar_one()
    if retention.deletes is not None:
        counted[DELETES] = sum(
            removal.removable(database, label, retention.deletes)
            for label in _tables(database, target)
        )
    return counted


def oldest(
    database: Database, target: str | Kept | None, retention: Retention, limit: int
) -> list[int]:
    """The numbers of the first jobs that ``prune`` would delete.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    bounds = _bounds(database, retention)
    with transaction(database, "read failed records", write=False) as connection:
        if not exists(connection):
            return []
        either = [_old(target, state, before) for state, before in bounds.items()]
        query = sa.select(jobs.c.id).where(sa.or_(sa.false(), *either))
        return list(connection.execute(query.order_by(jobs.c.id).limit(limit)).scalars())


def _bounds(database: Database, retention: Retention) -> dict[str, datetime]:
    """By state, the time before which it must have been reached."""
    with transaction(database, "read failed records", write=False) as connection:
        at = dialect_of(connection).now(connection)
    return {state: at - length for state, length in retention.periods}


def _old(target: str | Kept | None, state: str, before: datetime) -> sa.ColumnElement[bool]:
    conditions = [jobs.c.state == state, FINISHED[state] < before]
    if isinstance(target, Kept):
        conditions.append(target.where())
    elif target is not None:
        conditions.append(jobs.c.target == target)
    return sa.and_(*conditions)


def _deletion(
    target: str | Kept | None, state: str, before: datetime, actor: str, reason: str
) -> tuple[Where, Change]:
    which: dict[str, Any] = {"states": [state], "before": before.isoformat()}
    if isinstance(target, Kept):
        which |= asdict(target)
    elif target is not None:
        which["target"] = target
    old = _old(target, state, before)

    def delete(connection: sa.Connection, picked: Sequence[Picked]) -> None:
        ids = [job.id for job in picked]
        gone = connection.execute(
            sa.delete(jobs).where(dialect_of(connection).is_one_of(jobs.c.id, ids), old)
        ).rowcount
        if gone != len(picked):
            raise Contention("another process changed the same jobs; trying again")
        upkeep.forget(connection, ids)
        if state in DEAD_STATES:
            ledger_moves.purge_jobs(connection, picked)
        audit_trail.enter(connection, "prune", actor=actor, reason=reason, which=which, count=gone)

    return lambda _dialect: old, delete


def _prune_runs(
    database: Database, target: str | Kept | None, length: timedelta, actor: str, reason: str
) -> int:
    """Delete old runs and their workers, ``RUN_CHUNK`` at a time; returns how many runs."""
    deleted = 0
    while True:
        chunk = retried(lambda: _prune_chunk(database, target, length, actor, reason))
        deleted += chunk
        if chunk < RUN_CHUNK:
            return deleted


def _prune_chunk(
    database: Database, target: str | Kept | None, length: timedelta, actor: str, reason: str
) -> int:
    with transaction(database, "delete old runs") as connection:
        if not exists(connection):
            return 0
        now = dialect_of(connection).now(connection)
        old = _old_runs(target, length, now)
        query = sa.select(runs.c.id).where(old).order_by(runs.c.started_at).limit(RUN_CHUNK)
        ids = connection.execute(query.with_for_update(skip_locked=True)).scalars().all()
        if not ids:
            return 0
        connection.execute(sa.delete(workers).where(workers.c.run.in_(ids)))
        number = connection.execute(sa.delete(runs).where(runs.c.id.in_(ids))).rowcount
        which: dict[str, Any] = {"of": RUNS, "before": (now - length).isoformat()}
        if target is not None:
            which |= asdict(target) if isinstance(target, Kept) else {"target": target}
        audit_trail.enter(
            connection, "prune", actor=actor, reason=reason, which=which, count=number
        )
    return number


def _forget_deletes(
    database: Database, target: str | Kept | None, length: timedelta, actor: str, reason: str
) -> int:
    """Forget old deletes; returns how many. A running pipeline looks at a part, another each time."""
    running = isinstance(target, Kept)

    def entered(connection: sa.Connection, label: str, before: datetime, number: int) -> None:
        which = {"of": DELETES, "before": before.isoformat(), "target": label}
        audit_trail.enter(
            connection, "prune", actor=actor, reason=reason, which=which, count=number
        )

    start = uuid.uuid4() if running else uuid.UUID(int=0)
    chunks = TURN if running else None
    return sum(
        removal.remove(database, label, length, entered, start=start, chunks=chunks)
        for label in _tables(database, target)
    )


def _tables(database: Database, target: str | Kept | None) -> list[str]:
    """The tables whose deletes are meant."""
    if isinstance(target, str):
        return [target]
    with transaction(database, "forget deletes", write=False) as connection:
        if not exists(connection):
            return []
        return removal.targets_of(connection) if target is None else target.tables(connection)


def _old_runs(
    target: str | Kept | None, length: timedelta, now: datetime
) -> sa.ColumnElement[bool]:
    """Which runs are over for ``length``, and are not the newest one of their pipeline and table."""
    later = runs.alias("later")
    newer = sa.and_(
        *(later.c[name] == runs.c[name] for name in ("pipeline", "target")),
        sa.or_(
            later.c.started_at > runs.c.started_at,
            sa.and_(later.c.started_at == runs.c.started_at, later.c.id > runs.c.id),
        ),
    )
    silent = now - max(length, SILENT)
    heard = sa.exists().where(workers.c.run == runs.c.id, workers.c.heartbeat_at >= silent)
    lost = sa.and_(runs.c.ended_at.is_(None), runs.c.started_at < silent, sa.not_(heard))
    conditions = [sa.or_(runs.c.ended_at < now - length, lost), sa.exists().where(newer)]
    if isinstance(target, Kept):
        conditions.append(target.runs())
    elif target is not None:
        conditions.append(runs.c.target == target)
    return sa.and_(*conditions)
