"""Changes in the outbox: those that wait, by table and one by one, and those published last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sinks.console.moment import moment
from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.tables import OPERATION
from sinks.database.tables import outbox as changes

SHOWN = 50
"""How many changes a page has."""

MOST_COUNTED = 100_000
"""How many changes that wait are counted at most, the oldest ones."""

RECENT = 20
"""How many of the published changes are shown."""

LOOKED_AT = 20_000
"""How many changes that wait are looked at for those of one table."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a row. What it says, and of which key, is not read.

    Attributes:
        id: Its number.
        target: The table.
        operation: ``insert``, ``update`` or ``delete``.
        shard: Of its key.
        source: Of the record that made it.
        partition: Of that record.
        offset: Of that record.
        size: How many bytes are to be published.
        created_at: When it was made.
        published_at: When it was published; None while it waits.
    """

    id: int
    target: str
    operation: str
    shard: int
    source: str
    partition: str
    offset: int
    size: int
    created_at: datetime
    published_at: datetime | None


@dataclass(frozen=True, slots=True)
class Pending:
    """The changes of a table that wait.

    Attributes:
        target: The table.
        changes: How many.
        oldest: Since when the oldest waits.
    """

    target: str
    changes: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Outbox:
    """The outbox.

    Attributes:
        at: The database's time.
        pending: By table, the one that waits longest first.
        counted: Whether ``pending`` has all changes: it counts the oldest ``MOST_COUNTED``.
        rows: Changes that wait, the oldest first.
        after: Goes into ``after`` for the next page, or to search on; None at the end.
        searched: How many changes were looked at where that ended the search; otherwise None.
        published: Those published last, the newest first.
    """

    at: datetime
    pending: Sequence[Pending]
    counted: bool
    rows: Sequence[Change]
    after: int | None
    searched: int | None
    published: Sequence[Change]


def outbox(
    database: Database,
    target: str | None = None,
    *,
    after: int | None = None,
    limit: int = SHOWN,
) -> Outbox:
    """A page of the outbox, of one table or of all.

    Raises:
        ConfigError: The tables are missing, or have another version.
        SinkUnavailable: The database cannot be reached.
    """
    with moment(database, "read the outbox") as connection:
        now = dialect_of(connection).now(connection)
        waiting = pending(connection)
        rows, following, searched = _page(connection, target, after, limit)
        recent = sa.select(*_SHOWN).where(changes.c.published_at.is_not(None))
        recent = recent.order_by(changes.c.published_at.desc()).limit(RECENT)
        published = [Change(*row) for row in connection.execute(recent)]
    counted = sum(one.changes for one in waiting) < MOST_COUNTED
    return Outbox(now, waiting, counted, rows, following, searched, published)


def pending(connection: sa.Connection) -> list[Pending]:
    """The changes that wait by table, the one that waits longest first: of the oldest ``MOST_COUNTED``."""
    some = _WAITING.limit(MOST_COUNTED).subquery()
    of_table = (
        sa.select(
            some.c.target, sa.func.count().label("changes"), sa.func.min(some.c.id).label("id")
        )
        .group_by(some.c.target)
        .subquery()
    )
    query = sa.select(of_table.c.target, of_table.c.changes, changes.c.created_at).join(
        changes, changes.c.id == of_table.c.id
    )
    rows = connection.execute(query.order_by(changes.c.created_at, of_table.c.target))
    return [Pending(*row) for row in rows]


def _page(
    connection: sa.Connection, target: str | None, after: int | None, limit: int
) -> tuple[list[Change], int | None, int | None]:
    """Changes, where the next page begins, and how many were looked at if that was the bound."""
    waiting = _WAITING if after is None else _WAITING.where(changes.c.id > after)
    end = None
    if target is not None:
        end = connection.scalar(
            waiting.with_only_columns(changes.c.id).offset(LOOKED_AT - 1).limit(1)
        )
        waiting = waiting.where(changes.c.target == target)
    if end is not None:
        waiting = waiting.where(changes.c.id <= end)
    numbers = waiting.limit(limit + 1).subquery()
    query = sa.select(*_SHOWN).join(numbers, numbers.c.id == changes.c.id).order_by(changes.c.id)
    candidates = connection.execute(query).all()
    rows = [Change(*row) for row in candidates[:limit]]
    if len(candidates) > limit:
        return rows, rows[-1].id, None
    return rows, end, None if end is None else LOOKED_AT


# The index of these changes has both columns, so that no published change is looked at on the way.
_WAITING = (
    sa.select(changes.c.id, changes.c.target)
    .where(changes.c.published_at.is_(None))
    .order_by(changes.c.id)
)
_SHOWN: tuple[Any, ...] = (
    changes.c.id,
    changes.c.target,
    OPERATION,
    changes.c.shard,
    changes.c.source,
    changes.c.partition,
    changes.c.offset,
    sa.func.length(changes.c.payload),
    changes.c.created_at,
    changes.c.published_at,
)
