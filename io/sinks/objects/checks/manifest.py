"""The manifest beside the state: the same objects, as far as the manifest is published."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.database.tables import objects
from sinks.objects.checks.finding import Findings
from sinks.objects.manifest import Entry, Root
from sinks.objects.publish import Publisher

DIFFERENT = "the manifest says another size, version or number of rows than the state"
MISSING = "settled and published, but the manifest does not name it"
NOT_SETTLED = "the manifest names it, but it is no longer part of its dataset"
TWICE = "the manifest names it twice"
UNKNOWN = "the manifest names it, but the state does not know it"


def check(publisher: Publisher, findings: Findings) -> tuple[int, int]:
    """Compare the manifest of a sink with its state.

    What is settled or replaced meanwhile is no finding: the state says for each object which number of
    the manifest has it.

    Args:
        publisher: Of the sink.
        findings: Gets what differs.

    Returns:
        The number of the manifest, and how many objects it names.

    Raises:
        SinkFailed: The manifest, or a part of it, is gone.
        SinkUnavailable: The state or the store cannot be reached.
    """
    root, _ = publisher.root()
    listed: dict[int, int] = {}  # hashes, so that a million objects fit
    for entry in _entries(publisher, root):
        key = hash(entry.name)
        if key in listed:
            findings.add(TWICE, entry.name)
        listed[key] = hash((entry.rows, entry.bytes, entry.etag))
    number = len(listed)
    for row in _rows(publisher):
        value = listed.pop(hash(row.name), None)
        published = not row.pending and row.published is not None and row.published <= root.number
        if row.state == "settled":
            if value is None and published:
                findings.add(MISSING, row.name)
            elif value not in (None, hash((row.rows, row.bytes, row.etag))):
                findings.add(DIFFERENT, row.name)
        elif value is not None and published:
            findings.add(NOT_SETTLED, row.name)
    if listed:
        _name_rest(publisher, root, listed, findings)
    return root.number, number


def _entries(publisher: Publisher, root: Root) -> Iterator[Entry]:
    for segment in root.segments:
        yield from publisher.load(segment)
    yield from root.objects


def _rows(publisher: Publisher) -> Iterator[sa.Row[Any]]:
    """What is or was a part of a dataset."""
    columns = ("name", "state", "pending", "published", "rows", "bytes", "etag")
    query = sa.select(*(objects.c[name] for name in columns)).where(
        objects.c.sink == publisher.url, objects.c.state != "orphan"
    )
    with transaction(publisher.database, "read its objects", write=False) as connection:
        yield from connection.execute(query.execution_options(yield_per=1_000))


def _name_rest(publisher: Publisher, root: Root, rest: Collection[int], findings: Findings) -> None:
    """Add what the manifest names and the state does not have as a part of a dataset."""
    orphans = sa.select(objects.c.name).where(
        objects.c.sink == publisher.url, objects.c.state == "orphan"
    )
    with transaction(publisher.database, "read its objects", write=False) as connection:
        of_nobody = {hash(name) for name in connection.scalars(orphans)}
    for entry in _entries(publisher, root):
        key = hash(entry.name)
        if key in rest:
            findings.add(NOT_SETTLED if key in of_nobody else UNKNOWN, entry.name)
