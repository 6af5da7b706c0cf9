"""Whether changes are published."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import sqlalchemy as sa

from sinks.doctor.item import Item, Level, length
from sinks.doctor.scope import Scope
from sinks.figures.backlog import unpublished

LATE = timedelta(minutes=15)
"""Changes that wait for longer are warned of."""

VERY_LATE = timedelta(days=1)
"""Changes that wait for longer are nobody's concern, or should be somebody's."""


def pending(table: str, number: int, oldest: datetime, now: datetime) -> Item:
    """The verdict on the changes of a table that are not published.

    Args:
        table: The table.
        number: How many, up to ``MOST_COUNTED`` of all tables (``sinks.figures.backlog``).
        oldest: When the first of them was committed.
        now: The time of the database.
    """
    age = now - oldest
    what = f"{number:,} changes are not published, the oldest for {length(age)}"
    figures = {"pending": number, "oldest_seconds": age.total_seconds()}
    if age <= LATE:
        return Item("outbox", "ok", what, table, figures=figures)
    level: Level = "error" if age > VERY_LATE else "warning"
    todo = (
        f"run `sluice outbox --table {table}`, or see why it does not go on; or leave --outbox out"
    )
    return Item("outbox", level, what, table, todo, figures)


def check(connection: sa.Connection, scope: Scope) -> Iterator[Item]:
    """Look at the first changes that are not published, by the index of those."""
    rows = connection.execute(unpublished().limit(50)).all()
    if scope.question.pipeline is not None:
        rows = [row for row in rows if row.target in scope.tables]
    for table, count, first in rows:
        yield pending(table, count, first, scope.now)
    if not rows:
        yield Item("outbox", "ok", "no change waits to be published")
