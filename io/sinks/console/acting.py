"""What an action by hand would change, as its confirmation shows it; and what became of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from sinks.console.counting import MOST, Count
from sinks.console.job_search import LOOKED_AT, SECONDS, Direction, Search
from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.tables import audit, dead, jobs
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import Order
from sinks.jobs.state import CURRENT
from sinks.jobs.store import exists

ENTRIES = 200
"""How many entries of the audit trail one action at once makes at most, and an outcome reads."""

PURGED = "purged"
"""What stands for the state of jobs that are gone."""


@dataclass(frozen=True, slots=True)
class Extent:
    """What an order would change.

    Attributes:
        count: How many jobs.
        ids: Their numbers, the newest first; None if there are more than were looked at.
        left_alone: How many of those that were looked at match, but are left alone, by reason.
        looked_at: How many jobs that was.
    """

    count: Count
    ids: tuple[int, ...] | None = ()
    left_alone: Mapping[str, int] = field(default_factory=dict)
    looked_at: int = 0


@dataclass(frozen=True, slots=True)
class Afterwards:
    """What became of the jobs of an action.

    Attributes:
        action: Its name.
        actor: Who acted.
        reason: Why.
        count: How many jobs were changed.
        states: How many of them are in each state now.
        ids: The numbers of some of them.
    """

    action: str
    actor: str
    reason: str
    count: int
    states: Mapping[str, int]
    ids: tuple[int, ...]


def extent(
    database: Database, order: Order, *, most: int = MOST, seconds: float = SECONDS
) -> Extent:
    """What ``order`` would change now, counted exactly if it is at most ``most`` jobs.

    Where an index finds the jobs, more than ``most`` are known at once, and only the newest are looked
    at. Otherwise candidates are looked at for ``seconds``.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(database, "read failed records", write=False) as connection:
        if not exists(connection):
            return Extent(Count(0, exact=True))
        search = Search.of(connection, order.which, order.states)
        about = None if search.looks else _many(search, order, most)
        ids: list[int] = []
        left_alone: Counter[str] = Counter()
        looked_at = 0
        until = time.monotonic() + seconds
        for numbers in search.numbers(Direction(), 500):
            # Only now is it known that there are more candidates.
            late = looked_at >= LOOKED_AT or (looked_at and time.monotonic() > until)
            if (about and looked_at) or (search.looks and late):
                return _bounded(ids, about, left_alone, looked_at)
            ids += _changed(connection, order, numbers)
            left_alone.update(_left_alone(connection, order, numbers))
            looked_at += len(numbers)
            if len(ids) > most:
                return _bounded(ids, about, left_alone, looked_at)
    return Extent(Count(len(ids), exact=True), tuple(ids), dict(left_alone), looked_at)


def _bounded(
    ids: Sequence[int], about: int | None, left_alone: Mapping[str, int], looked_at: int
) -> Extent:
    """What is known of more than was looked at."""
    count = Count(max(len(ids), about or 0), exact=False)
    return Extent(count, None, dict(left_alone), looked_at)


def entries_since(
    database: Database, action: str, actor: str, reason: str, after: int
) -> tuple[int, ...]:
    """The numbers of the entries that an action has made behind the entry ``after``.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(database, "read the audit trail", write=False) as connection:
        query = sa.select(audit.c.id).where(
            *(audit.c.id > after, audit.c.action == action),
            *(audit.c.actor == actor, audit.c.reason == reason),
        )
        return tuple(connection.execute(query.order_by(audit.c.id).limit(ENTRIES)).scalars())


def newest_entry(database: Database) -> int:
    """The number of the newest entry of the audit trail; 0 if there is none.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(database, "read the audit trail", write=False) as connection:
        if not sa.inspect(connection).has_table(audit.name):
            return 0
        return connection.scalar(sa.select(sa.func.max(audit.c.id))) or 0


def afterwards(database: Database, entries: Sequence[int]) -> Afterwards | None:
    """What became of the jobs that ``entries`` of the audit trail name; None if they name none.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(database, "read failed records", write=False) as connection:
        if not exists(connection):
            return None
        query = sa.select(audit).where(audit.c.id.in_(list(entries)[:ENTRIES]))
        rows = connection.execute(query.order_by(audit.c.id)).all()
        if not rows:
            return None
        numbers = sorted({number for row in rows for number in row.filter.get("ids") or ()})
        states: Counter[str] = Counter()
        if numbers:
            among = dialect_of(connection).is_one_of(jobs.c.id, numbers)
            chosen = sa.select(CURRENT).where(among).subquery().c.state
            grouped = sa.select(chosen, sa.func.count()).group_by(chosen)
            for state, number in connection.execute(grouped):
                states[state] = number
        gone = len(numbers) - states.total()
        if gone:
            states[PURGED] = gone
    first = rows[0]
    count = sum(row._mapping["count"] for row in rows)
    return Afterwards(
        first.action, first.actor, first.reason, count, dict(states), tuple(numbers[:20])
    )


def _many(search: Search, order: Order, most: int) -> int | None:
    """About how many candidates there are, if there are more than ``most``."""
    connection = search.connection
    rows = search.candidates(Direction(), None, most + 1).subquery()
    number = connection.execute(sa.select(sa.func.count()).select_from(rows)).scalar_one()
    if number <= most:
        return None
    everything = order.which == JobFilter() and order.states == ("discarded",)
    about = dialect_of(connection).about_rows(connection, dead.name) if everything else 0
    return max(number, about)


def _changed(connection: sa.Connection, order: Order, numbers: Sequence[int]) -> list[int]:
    dialect = dialect_of(connection)
    among = dialect.is_one_of(jobs.c.id, numbers)
    query = sa.select(jobs.c.id).where(among, order.where(dialect)).order_by(jobs.c.id.desc())
    return list(connection.execute(query).scalars())


def _left_alone(connection: sa.Connection, order: Order, numbers: Sequence[int]) -> dict[str, int]:
    dialect = dialect_of(connection)
    among = dialect.is_one_of(jobs.c.id, numbers)
    conditions = order.left_alone(dialect)
    if not conditions:
        return {}
    counts = [sa.func.sum(sa.case((where, 1), else_=0)) for where in conditions.values()]
    row = connection.execute(sa.select(*counts).where(among)).one()
    return {reason: int(n) for reason, n in zip(conditions, row, strict=True) if n}
