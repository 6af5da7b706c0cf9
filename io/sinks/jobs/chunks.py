"""Change many jobs a bounded number at a time, each chunk in a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialect import Dialect
from sinks.database.dialects import dialect_of
from sinks.database.engine import retried, transaction
from sinks.database.tables import READ_BY, jobs
from sinks.jobs.store import exists
from transforms.errors import Contention, SinkFailed, SinkUnavailable

CHUNK = 5_000
"""Jobs a transaction: what bounds memory and how long their rows stay locked."""


@dataclass(frozen=True, slots=True)
class Picked:
    """A job that the transaction holds: no other may change it until the end."""

    id: int
    read_by: str
    target: str
    source: str
    partition: str
    state: str
    pipeline: str | None
    steps: str | None
    mapped: bool


_PICKED = (
    *(jobs.c.id, READ_BY, jobs.c.target, jobs.c.source, jobs.c.partition),
    *(jobs.c.state, jobs.c.pipeline, jobs.c.steps, jobs.c.mapped),
)

Where = Callable[[Dialect], sa.ColumnElement[bool]]
"""A condition in the SQL of a database."""

Change = Callable[[sa.Connection, Sequence[Picked]], None]
"""Changes what was picked, in the transaction that picked it."""


def change_in_chunks(
    database: Database,
    where: Where,
    change: Change,
    *,
    doing: str,
    limit: int | None = None,
    committed: Callable[[Sequence[Picked]], object] = len,
) -> int:
    """Call ``change`` with the jobs ``where``, oldest first; returns how many there were.

    Jobs that another transaction holds are left to it (SKIP LOCKED, where the database has
    it), and jobs that are stored after the call began are left for the next one. What failed
    midway can be called again: the chunks before it are committed.

    Args:
        database: Which database.
        where: Which jobs; it must not hold any more once a job has been changed.
        change: Changes one chunk; a transaction that is run again calls it again.
        doing: What ``change`` does, for messages: after "to".
        limit: How many at most.
        committed: Called with each chunk once its change is committed.

    Raises:
        SinkUnavailable: The database cannot be reached.
        Contention: It kept asking for another try.
        SinkFailed: It refuses the change.
    """
    done = last = 0
    try:
        newest = _newest(database)
        while last < newest and (limit is None or done < limit):
            size = CHUNK if limit is None else min(CHUNK, limit - done)
            picked = _change(
                database, where, change, doing=doing, after=last, upto=newest, size=size
            )
            if not picked:
                break
            committed(picked)
            done += len(picked)
            last = picked[-1].id
    except (SinkUnavailable, Contention, SinkFailed) as error:
        if not done:
            raise
        raise type(error)(f"{error}; {done:,} were changed before that, see the audit") from error
    return done


def _newest(database: Database) -> int:
    with transaction(database, "read failed records", write=False) as connection:
        if not exists(connection):
            return 0
        return connection.execute(sa.select(sa.func.max(jobs.c.id))).scalar() or 0


def _change(
    database: Database,
    where: Where,
    change: Change,
    *,
    doing: str,
    after: int,
    upto: int,
    size: int,
) -> Sequence[Picked]:
    def changed() -> Sequence[Picked]:
        with transaction(database, doing) as connection:
            picked = pick(connection, where, after=after, upto=upto, size=size)
            if picked:
                change(connection, picked)
        return picked

    return retried(changed)


def pick(
    connection: sa.Connection, where: Where, *, after: int, upto: int, size: int
) -> Sequence[Picked]:
    """The first jobs ``where``, with numbers above ``after`` and up to ``upto``, at most ``size``.

    The transaction holds them. Those that another one holds are left out, where the database can.
    """
    query = (
        sa.select(*_PICKED)
        .where(jobs.c.id > after, jobs.c.id <= upto, where(dialect_of(connection)))
        .order_by(jobs.c.id)
        .limit(size)
        .with_for_update(skip_locked=True)
    )
    return [Picked(*row) for row in connection.execute(query)]
