"""How long jobs are kept once they are in a final state, and the deletion of those kept longer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.tables import READ_BY, jobs
from sinks.jobs import audit_trail
from sinks.jobs.chunks import Change, Picked, Where, change_in_chunks
from sinks.jobs.store import exists
from sinks.ledger import moves as ledger_moves
from transforms.batch.job_states import DEAD_STATES, FINAL_STATES
from transforms.errors import ConfigError, Contention
from transforms.route.table_name import UNROUTED

LONGEST = timedelta(days=36_500)
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
    """How long to keep finished jobs, by state; jobs in a state that is not named are kept forever.

    Attributes:
        periods: Final states, each with how long to keep a job after it got there.
    """

    periods: tuple[tuple[str, timedelta], ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Retention:
        """Read ``STATE=DURATION`` entries, e.g. ``completed=12h`` and ``discarded=30d``.

        Raises:
            ConfigError: An entry cannot be read, or its state is not final or was named before.
        """
        periods: dict[str, timedelta] = {}
        for text in texts:
            state, equals, length = text.partition("=")
            if not equals or state not in FINAL_STATES:
                raise ConfigError(
                    f"retain must be STATE=DURATION with {', '.join(FINAL_STATES)} as the state, "
                    f"e.g. completed=7d; got {text!r}"
                )
            if state in periods:
                raise ConfigError(f"retain names {state} twice; give one duration")
            periods[state] = duration(length)
        return cls(tuple(periods.items()))


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


def prune(
    database: Database, target: str | Kept | None, retention: Retention, *, actor: str, reason: str
) -> dict[str, int]:
    """Delete the jobs that have been kept long enough; the ledger keeps its counts.

    A transaction deletes at most ``job_chunks.CHUNK`` jobs and enters the audit trail, which
    says nothing where nothing was deleted.

    Args:
        database: Which database.
        target: The table, as the ledger names it, or what a pipeline keeps; None for all.
        retention: For how long each state is kept.
        actor: Who does it.
        reason: Why.

    Returns:
        How many jobs were deleted, by state, zeros included.

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
    return deleted


def prunable(database: Database, target: str | Kept | None, retention: Retention) -> dict[str, int]:
    """How many jobs ``prune`` would delete now, by state; deletes nothing.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    bounds = _bounds(database, retention)
    with transaction(database, "read failed records", write=False) as connection:
        if not exists(connection):
            return dict.fromkeys(bounds, 0)
        count = sa.select(sa.func.count()).select_from(jobs)
        return {
            state: connection.execute(count.where(_old(target, state, before))).scalar_one()
            for state, before in bounds.items()
        }


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
        if state in DEAD_STATES:
            ledger_moves.purge_jobs(connection, picked)
        audit_trail.enter(connection, "prune", actor=actor, reason=reason, which=which, count=gone)

    return lambda _dialect: old, delete
