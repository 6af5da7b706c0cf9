"""How many rows a page is about: exact up to a bound, an estimate above it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from sinks.database.dialects import dialect_of

MOST = 10_000
"""How many rows are counted one by one."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are.

    Attributes:
        number: How many; if it is not exact, at least ``MOST``.
        exact: Whether they were counted. Otherwise the database's planner estimates them, and where
            it gives no figure, ``number`` is ``MOST``: there are more than that.
    """

    number: int
    exact: bool


def counted(connection: sa.Connection, query: sa.Select[Any]) -> Count:
    """How many rows ``query`` finds; it stops to count after ``MOST``.

    Args:
        connection: In a transaction.
        query: Without order and limit.
    """
    bounded = query.limit(MOST + 1).subquery()
    number = connection.scalar(sa.select(sa.func.count()).select_from(bounded)) or 0
    if number <= MOST:
        return Count(number, exact=True)
    return Count(max(MOST, about(connection, query)), exact=False)


def about(connection: sa.Connection, query: sa.Select[Any]) -> int:
    """About how many rows ``query`` finds; 0 where the database does not say."""
    return dialect_of(connection).about_matches(connection, query) or 0
