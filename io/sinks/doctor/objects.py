"""Whether sinks of objects go on: ranges that stay open, and objects that no manifest names yet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import sqlalchemy as sa

from sinks.database.tables import intents, manifests, objects
from sinks.doctor.item import Item, length
from sinks.doctor.scope import Scope

LATE = timedelta(hours=1)
"""What stays open, or unpublished, for longer is warned of."""


def opened(pipeline: str, number: int, oldest: datetime, now: datetime) -> Item | None:
    """The verdict on the intents of a pipeline; None if they are young."""
    age = now - oldest
    if age <= LATE:
        return None
    what = f"{number:,} ranges are being written into objects, the first for {length(age)}"
    todo = f"run pipeline {pipeline} again: it writes them with the same bounds first"
    figures = {"intents": number, "oldest_seconds": age.total_seconds()}
    return Item("objects", "warning", what, pipeline, todo, figures)


def unpublished(sink: str, number: int, oldest: datetime, now: datetime) -> Item | None:
    """The verdict on objects that the manifest does not name as the state does; None if they are new."""
    age = now - oldest
    if age <= LATE:
        return None
    what = f"the manifest does not know of {number:,} changes, the first from {length(age)} ago"
    todo = "run an ingest into it, or `sluice compact`: either publishes them; see its log if it does not"
    figures = {"pending": number, "oldest_seconds": age.total_seconds()}
    return Item("objects", "warning", what, sink, todo, figures)


def check(connection: sa.Connection, scope: Scope) -> Iterator[Item]:
    """Look at the intents, and at the index of the objects that are not published."""
    first = sa.func.min(intents.c.created_at)
    query = sa.select(intents.c.pipeline, sa.func.count(), first).group_by(intents.c.pipeline)
    rows = connection.execute(query.order_by(first).limit(50))
    items = [opened(row[0], row[1], row[2], scope.now) for row in rows if scope.asks(row.pipeline)]
    first = sa.func.min(objects.c.changed_at)
    query = sa.select(objects.c.sink, sa.func.count(), first).where(objects.c.pending)
    rows = connection.execute(query.group_by(objects.c.sink).order_by(first).limit(50))
    items += [unpublished(row[0], row[1], row[2], scope.now) for row in rows]
    seen = [item for item in items if item is not None]
    yield from seen
    if not seen:
        sinks = connection.scalar(sa.select(sa.func.count()).select_from(manifests))
        yield Item("objects", "ok", f"nothing is late in {sinks} buckets and folders")
