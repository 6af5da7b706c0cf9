"""Counts that are exact as long as that is cheap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

EXACT = 10_000
"""Up to this number counts are exact."""


@dataclass(frozen=True, slots=True)
class Count:
    """A number of rows.

    Attributes:
        number: How many, or about how many.
        exact: Whether that is certain.
    """

    number: int
    exact: bool = True


def bounded(connection: sa.Connection, query: sa.Select[Any], about: int | None = None) -> Count:
    """How many rows a query has: exact up to ``EXACT``, above it ``about``, or at least ``EXACT``."""
    rows = query.limit(EXACT + 1).subquery()
    number: int = connection.execute(sa.select(sa.func.count()).select_from(rows)).scalar_one()
    if number <= EXACT:
        return Count(number)
    return Count(max(EXACT, about or 0), exact=False)
