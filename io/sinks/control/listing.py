"""Pipelines by name, each with what is asked of it: a page for people who steer them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from sinks.control.requests import Requested, rows_of
from sinks.database.database import Database
from sinks.database.engine import transaction
from sinks.database.tables import control, pipelines

SHOWN = 50
"""How many pipelines a page has."""

MOST_ROWS = 1_000
"""How many rows a page reads of what is asked of its pipelines."""


@dataclass(frozen=True, slots=True)
class Steered:
    """A pipeline.

    Attributes:
        name: Its name.
        target: The table that it writes.
        requests: What is asked of it: the whole pipeline first, then sources by name.
    """

    name: str
    target: str
    requests: Sequence[Requested]


@dataclass(frozen=True, slots=True)
class SteeredPage:
    """A page of pipelines in the order of their names.

    Attributes:
        pipelines: The pipelines.
        after: Goes into ``after`` for the next page; None at the end.
        complete: Whether all that is asked of them is there: it is cut at ``MOST_ROWS``.
    """

    pipelines: Sequence[Steered]
    after: str | None
    complete: bool


def page(
    database: Database, name: str | None = None, *, after: str | None = None, limit: int = SHOWN
) -> SteeredPage:
    """A page of pipelines, or the one called ``name``.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    query = sa.select(pipelines.c.name, pipelines.c.target).order_by(pipelines.c.name)
    if name is not None:
        query = query.where(pipelines.c.name == name)
    if after is not None:
        query = query.where(pipelines.c.name > after)
    with transaction(database, "read what is asked of pipelines", write=False) as connection:
        rows = connection.execute(query.limit(limit + 1)).all()
        shown = rows[:limit]
        chosen = control.c.pipeline.in_([row.name for row in shown])
        asked = rows_of(connection, which=chosen, limit=MOST_ROWS + 1)
    requests: dict[str, list[Requested]] = defaultdict(list)
    for row in asked[:MOST_ROWS]:
        requests[row.pipeline].append(row)
    return SteeredPage(
        [Steered(row.name, row.target, requests[row.name]) for row in shown],
        shown[-1].name if len(rows) > limit else None,
        len(asked) <= MOST_ROWS,
    )
