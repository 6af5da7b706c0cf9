"""Bring the manifest of a sink up to what its state says.

The root is read before the state: if it is then replaced under the condition that nobody else has
done so, no other writer's state was newer. A crash between the manifest and its entry in the state
leaves objects that are pending although the manifest has them; that is found the next time.
"""

from __future__ import annotations

import logging
import secrets
import time
from array import array
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import retried, transaction
from sinks.database.tables import manifests, objects
from sinks.objects.manifest import (
    Change,
    Entry,
    Listed,
    Root,
    Segment,
    as_bytes,
    changed,
    entries_from,
    root_from,
)
from sinks.objects.names import MANIFEST, SEGMENTS
from sinks.objects.store import ObjectChanged, ObjectExists, ObjectStore
from transforms.batch.backoff import Backoff
from transforms.errors import Contention, SinkFailed, SluiceError
from transforms.per_process import PerProcess
from transforms.throttle import Throttle

_log = logging.getLogger(__name__)

TRIES = 12
_BACKOFF = Backoff(base=0.05, cap=1.0)

TURNS: Throttle[tuple[Database, str]] = Throttle(1.0)
"""When a process publishes what it has settled, by database and sink: at most once in a second."""


MOST_SEGMENTS = 4_000
"""Of how many segments, which never change, a process remembers the names of objects: 16 MB."""

HASHES: PerProcess[None, dict[tuple[str, str], array[int]]] = PerProcess(lambda _: {})
"""The hash of each object's name, by sink and segment: to take objects out, only segments that may
have them are read. Two names may share a hash, and then a segment is read in vain."""


@dataclass(frozen=True, slots=True)
class Publisher:
    """Publishes the manifest of one sink. Picklable, without secrets.

    Attributes:
        database: The state.
        url: The label of the sink.
        store: Where it is.
    """

    database: Database
    url: str
    store: ObjectStore

    def publish_now_and_then(self) -> None:
        """Publish what is pending if it is time to; what fails is done the next time."""
        if not TURNS.take_turn((self.database, self.url)):
            return
        try:
            self.publish()
        except SluiceError as error:
            _log.warning("the manifest of %s is published later: %s", self.url, error)

    def publish(self) -> int | None:
        """Publish everything that is pending.

        Returns:
            The number of the manifest that has it; None if nothing was pending.

        Raises:
            SinkUnavailable: The state or the store cannot be reached.
            Contention: Other writers kept replacing the manifest.
            SinkFailed: The manifest is gone, or not of this sink.
        """
        for attempt in range(1, TRIES + 1):
            if not self._pending():  # only a hint: what counts is read below
                return None
            root, etag = self.root()
            rows = self._pending()
            added = [self._entry(row) for row in rows if row.state == "settled"]
            removed = [row.name for row in rows if row.state != "settled"]
            hashes = {hash(name) for name in removed}
            change = changed(
                *(root, added, removed, partial(self._noted, root.sink), _new_name(root)),
                at=datetime.now(UTC),
                holds=partial(_may_have, root.sink, hashes=hashes),
            )
            if change is None or self._put(change, etag):
                number = root.number if change is None else change.root.number
                self._enter(rows, number)
                return number
            time.sleep(_BACKOFF.delay(attempt))
        raise Contention(f"other writers kept replacing the manifest of {self.url}; trying again")

    def root(self) -> tuple[Root, str]:
        """The manifest's root as it is, and its etag.

        Raises:
            SinkFailed: There is none, or it is not of this sink.
        """
        content = self.store.read(MANIFEST)
        where = f"{self.url}/{MANIFEST}"
        if content is None:
            raise SinkFailed(f"{where} is gone; without it nobody can tell which objects count")
        root = root_from(content[0], where)
        own = self._id()
        if root.sink != own:
            raise SinkFailed(
                f"{where} belongs to another state (sink {root.sink}, and this one has {own})"
            )
        return root, content[1]

    def load(self, segment: Segment) -> tuple[Entry, ...]:
        """The objects of a segment.

        Raises:
            SinkFailed: It is gone.
        """
        content = self.store.read(segment.name)
        where = f"{self.url}/{segment.name}"
        if content is None:
            raise SinkFailed(f"{where}, a part of the manifest, is gone")
        return entries_from(content[0], where)

    def _noted(self, sink: str, segment: Segment) -> tuple[Entry, ...]:
        """The objects of a segment, whose names are remembered."""
        entries = self.load(segment)
        _remember(sink, segment.name, entries)
        return entries

    def entries(self) -> list[Entry]:
        """Every object that the manifest names."""
        root, _ = self.root()
        return [*(e for part in root.segments for e in self.load(part)), *root.objects]

    def _put(self, change: Change, etag: str) -> bool:
        """Replace the root; False if another writer was faster, as far as the answer says.

        New segments stay even then: a request that was repeated after its answer was lost finds its
        own root, which names them. ``compact`` deletes those that no root names.
        """
        for name, entries in change.segments.items():
            with suppress(ObjectExists):  # the answer to an earlier request of ours was lost
                self.store.create(name, as_bytes(Listed(entries)))
            _remember(change.root.sink, name, entries)
        try:
            self.store.replace(MANIFEST, as_bytes(change.root), etag)
        except ObjectChanged:
            return False
        return True

    def _id(self) -> str | None:
        query = sa.select(manifests.c.id).where(manifests.c.sink == self.url)
        with transaction(self.database, "read the manifest's id", write=False) as connection:
            return connection.scalar(query)

    def _pending(self) -> Sequence[Any]:
        """In one statement, so that a replacement of objects is seen as a whole or not at all."""
        columns = objects.c
        query = sa.select(objects).where(columns.sink == self.url, columns.pending)
        with transaction(self.database, "read new objects", write=False) as connection:
            return connection.execute(query.order_by(columns.id)).all()

    def _entry(self, row: Any) -> Entry:
        return Entry(
            name=row.name,
            dataset=row.target.removeprefix(self.url).strip("/"),
            rows=row.rows,
            bytes=row.bytes,
            etag=row.etag,
            source=row.source,
            partition=row.partition,
            start=row.start_offset,
            end=row.end_offset,
        )

    def _enter(self, rows: Sequence[Any], number: int) -> None:
        """Note in the state what the manifest says, unless the state has changed since."""

        def enter() -> None:
            with transaction(self.database, "enter what is published") as connection:
                dialect = dialect_of(connection)
                for state in sorted({row.state for row in rows}):
                    numbers = [row.id for row in rows if row.state == state]
                    these = (dialect.is_one_of(objects.c.id, numbers), objects.c.state == state)
                    values: dict[str, Any] = {"pending": False, "published": number}
                    if state == "replaced":  # its readers need it for a while from now on
                        values["changed_at"] = dialect.now(connection)
                    connection.execute(sa.update(objects).where(*these).values(values))
                newer = (manifests.c.sink == self.url, manifests.c.number < number)
                at = dialect.now(connection)
                published = {"number": number, "published_at": at}
                connection.execute(sa.update(manifests).where(*newer).values(published))

        retried(enter)


def _remember(sink: str, name: str, entries: Iterable[Entry]) -> None:
    """Note what a segment has; the oldest note makes room."""
    memory = HASHES.get(None)
    memory[sink, name] = array("q", (hash(entry.name) for entry in entries))
    while len(memory) > MOST_SEGMENTS:
        del memory[next(iter(memory))]


def _may_have(sink: str, segment: Segment, hashes: Collection[int]) -> bool:
    """Whether a segment may have an object whose name has one of ``hashes``."""
    own = HASHES.get(None).get((sink, segment.name))
    return own is None or any(number in hashes for number in own)


def _new_name(root: Root) -> Any:
    """Names of segments; those of another change that did not come about have others."""
    token = secrets.token_hex(4)
    return lambda number: f"{SEGMENTS}{root.number + 1:012d}-{number:04d}-{token}.json"
