"""The objects that are there beside those that the state knows: by listing, a thousand at a request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.tables import intents, objects
from sinks.objects.checks.finding import NAMED, Findings
from sinks.objects.names import MANIFEST, SEGMENTS
from sinks.objects.store import ObjectStore, Stored

CHANGED = "another object than was settled"
GONE = "settled, but not there"

_CHUNK = 500


@dataclass(slots=True)
class Listing:
    """What is there.

    Attributes:
        objects: How many objects are a part of a dataset.
        waiting: How many were replaced, belong to nobody or are being written; a sweep deletes what no
            reader needs.
        foreign: How many the state does not know; no sweep deletes them.
        foreign_names: The first of these.
    """

    objects: int = 0
    waiting: int = 0
    foreign: int = 0
    foreign_names: list[str] = field(default_factory=list)


def check(database: Database, sink: str, store: ObjectStore, findings: Findings) -> Listing:
    """Look for every settled object, and compare its size and etag with those of the state.

    Args:
        database: The state.
        sink: The label of the sink.
        store: Where its objects are.
        findings: Gets what is gone or changed.

    Raises:
        SinkFailed: The store refuses.
        SinkUnavailable: The state or the store cannot be reached.
    """
    there: dict[int, int] = {}  # hashes, so that a million objects fit
    for name, stored in _data(store):
        there[hash(name)] = hash((stored.bytes, stored.etag))
    listing = Listing()
    doubtful: list[int] = []
    for row in _rows(database, sink, "settled"):
        value = there.pop(hash(row.name), None)
        listing.objects += value is not None
        if value != hash((row.bytes, row.etag)):
            doubtful.append(row.id)
    for start in range(0, len(doubtful), _CHUNK):
        _judge(database, store, doubtful[start : start + _CHUNK], findings)
    if there:
        for row in _rows(database, sink, "replaced", "orphan"):
            listing.waiting += there.pop(hash(row.name), None) is not None
        for name in _intended(database, sink):
            listing.waiting += there.pop(hash(name), None) is not None
    listing.foreign = len(there)
    if there:
        names = (name for name, _ in _data(store) if hash(name) in there)
        listing.foreign_names = [name for name, _ in zip(names, range(NAMED), strict=False)]
    return listing


def _data(store: ObjectStore) -> Iterator[tuple[str, Stored]]:
    for name, stored in store.names():
        if name != MANIFEST and not name.startswith((SEGMENTS, "_temporary/")):
            yield name, stored


def _rows(database: Database, sink: str, *states: str) -> Iterator[sa.Row[Any]]:
    columns = (objects.c.id, objects.c.name, objects.c.bytes, objects.c.etag)
    query = sa.select(*columns).where(objects.c.sink == sink, objects.c.state.in_(states))
    with transaction(database, "read its objects", write=False) as connection:
        rows: Iterator[sa.Row[Any]] = iter(
            connection.execute(query.execution_options(yield_per=1_000))
        )
        yield from rows


def _intended(database: Database, sink: str) -> Iterator[str]:
    with transaction(database, "read its intents", write=False) as connection:
        for names in connection.scalars(sa.select(intents.c.objects)):
            yield from (name for of_sink, _, name in names if of_sink == sink)


def _judge(
    database: Database, store: ObjectStore, numbers: Sequence[int], findings: Findings
) -> None:
    """Look again at objects that did not fit: they may have been settled or replaced meanwhile."""
    with transaction(database, "read its objects", write=False) as connection:
        chosen = dialect_of(connection).is_one_of(objects.c.id, numbers)
        rows = connection.execute(
            sa.select(objects).where(chosen, objects.c.state == "settled").order_by(objects.c.id)
        ).all()
    for row in rows:
        stored = store.head(row.name)
        if stored is None:
            findings.add(GONE, row.name)
        elif (stored.bytes, stored.etag) != (row.bytes, row.etag):
            findings.add(CHANGED, row.name)
