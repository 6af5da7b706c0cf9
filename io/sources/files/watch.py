"""Watch a glob forever: read each object, and each new version of one, as it appears.

A file may still be being written. A last line without an end, and a file that ends early, are left
until nobody has written to the file for a while. Of a file that has grown, only what is new is
read: its new version takes over what was settled of the version before.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Container, Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice

from sources.files.aside.put_off import PutOff
from sources.files.aside.selection import leave, set_aside
from sources.files.json.layout import LINES, Layout, parsed_partition
from sources.files.plan import PAGE, SettledSoFar
from sources.files.versions.read_state import ReadState
from sources.files.versions.takeover import batches_of
from sources.storage.objects import StoredObject
from sources.storage.tails import FILES
from transforms.background import in_background
from transforms.batch.backoff import Backoff, Clock, Outage, jitter
from transforms.batch.content import Content
from transforms.batch.coverage import Coverage
from transforms.batch.record import RecordBatch, Span
from transforms.batch.splits import ContentOf, Polled, Reader, Split
from transforms.errors import ObjectUnavailable, SourceUnavailable
from transforms.read import drain

_log = logging.getLogger(__name__)

PATIENCE = Backoff(base=5.0, cap=300.0)
"""Waits between tries at an object that cannot be read."""

_RECENT = 86_400.0
"""A file that was written to within this many seconds may still grow."""


@dataclass(frozen=True, slots=True)
class WatchedStorage:
    """What a watching reader needs from its source.

    Attributes:
        list: Lists the objects that exist now.
        splits: What is left of an object, given what is settled of it, in a layout; None to
            detect that.
        settled: What is settled of each object; of those with one of the names, which this reader
            has read, only what has their present version.
        layout: The layout to read an object in that is not settled whole.
        open: Opens a split at its start.
        interval: Seconds between two listings; jittered by a tenth.
        outage_budget: Seconds that the storage may be away.
        backoff: Waits between tries while it is away.
        open_growing: Opens a split of an object that may still be being written.
        continues: Whether an object still begins with what was read of its version before.
        forget: Forgets what was read of an object, since it is read from its start.
        recall: Where to read on if an object grows that was read up to an offset in a layout; 0
            if that is not known.
        rest: Seconds without a write after which an object is whole.
    """

    list: Callable[[], Iterator[StoredObject]]
    splits: Callable[[StoredObject, Coverage, Layout | None], Iterator[Split]]
    settled: Callable[[Sequence[StoredObject], Container[str]], Sequence[SettledSoFar]]
    layout: Callable[[StoredObject, SettledSoFar], Layout | None]
    open: Callable[[Split], Reader]
    interval: float
    outage_budget: float
    backoff: Backoff = Backoff(base=0.5, cap=30.0)  # noqa: RUF009 - frozen
    open_growing: Callable[[Split], Reader] | None = None
    continues: Callable[[StoredObject], bool] = lambda stored: False
    forget: Callable[[str], None] = lambda uri: None
    recall: Callable[[StoredObject, int, Layout], int] = lambda stored, end, layout: 0
    rest: float = 0.0


class WatchReader:
    """Reads what the ledger lacks, object after object, and never ends.

    A position is the number of batches so far and does not say what was read: a reader that is
    opened anew asks the ledger. A reader begins each object once: it remembers a 64-bit hash of
    each (name, version) that is still listed, and how far it has read the most recent files.

    Args:
        watched: What to watch.
        batches: The number of batches read before.
        clock: Monotonic seconds.
        wall: Seconds since the epoch.
    """

    def __init__(
        self,
        watched: WatchedStorage,
        batches: int = 0,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
    ) -> None:
        self._watched = watched
        self._count = batches
        self._clock = clock
        self._wall = wall
        self._reads: OrderedDict[str, ReadState] = OrderedDict()
        self._there: set[str] = set()
        self._stored: StoredObject | None = None
        self._split: Split | None = None
        self._last: RecordBatch | None = None
        self._content: Content | None = None
        self._begun: set[int] = set()
        self._put_off = PutOff(PATIENCE, clock)
        self._listed: set[int] = set()
        self._pending: deque[tuple[StoredObject, SettledSoFar]] = deque()
        self._splits: deque[Split] = deque()
        self._reader: Reader | None = None
        self._pages: Iterator[StoredObject] | None = None
        self._page: Future[list[StoredObject]] | None = None
        self._not_before = clock()
        self._outage: Outage | None = None
        self._content_of: ContentOf | None = None

    def poll(self, timeout: float) -> Polled:
        """The next batches; waits at most ``timeout`` seconds for an object to appear.

        Raises:
            SourceUnavailable: The storage was away for longer than the outage budget.
        """
        deadline = self._clock() + timeout
        batches: Sequence[RecordBatch] = ()
        while not batches:
            left = deadline - self._clock()
            pause = self._not_before - self._clock()
            if pause > 0 and (self._idle or self._outage):
                drain.wait(max(0.0, min(pause, left)))
            else:
                batches = self._try(max(0.0, left))
            if not batches and (self._clock() >= deadline or drain.requested()):
                break
        self._count += len(batches)
        return Polled(batches, (("", self._count),), content_of=self._content_of)

    def backlog(self) -> int:
        """Bytes listed and not read yet."""
        reading = self._reader.backlog() if self._reader else 0
        begun = sum(split.size for split in self._splits)
        return reading + begun + sum(stored.size for stored, _ in self._pending)

    def close(self) -> None:
        """Close the current object; a listing in progress ends by itself."""
        if self._reader is not None:
            self._reader.close()

    @property
    def _idle(self) -> bool:
        """Whether there is nothing to do until the next listing."""
        return not (self._reader or self._splits or self._pending or self._pages)

    def _try(self, timeout: float) -> Sequence[RecordBatch]:
        """Do the next thing there is to do; returns the batches of it."""
        try:
            return self._advance(timeout)
        except ObjectUnavailable as error:
            self._leave(error)
            return ()
        except SourceUnavailable as error:
            self._back_off(error)
            return ()

    def _advance(self, timeout: float) -> Sequence[RecordBatch]:
        if self._reader is None:
            if not self._splits:
                return self._next_object(timeout)
            self._reader = self._open(self._splits[0])
            self._split = self._splits.popleft()
            self._last = None
        polled = self._reader.poll(timeout)
        self._content_of = polled.content_of
        self._recover()
        for batch in polled.batches:
            self._last, content = batch, batch.span.content
            self._content = self._content and content and self._content.then(content)
        if polled.done:
            self._reader.close()
            self._reader = None
            self._take_note(dict(polled.position)[""])
        return polled.batches

    def _leave(self, error: ObjectUnavailable) -> None:
        """Go on without the current object, which is tried again after a while."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._splits.clear()
        if self._stored is None:
            return
        hashed = _hash(self._stored.uri, self._stored.version)
        self._begun.discard(hashed)
        if self._put_off.add(hashed):
            leave(str(error))
            _log.warning(
                "%s; it is tried again now and then",
                error,
                extra={"source": self._stored.uri},
            )

    def _open(self, split: Split) -> Reader:
        opened = self._watched.open_growing
        if opened is None or self._stored is None or self._is_at_rest(self._stored):
            return self._watched.open(split)
        return opened(split)

    def _is_at_rest(self, stored: StoredObject) -> bool:
        """Whether nobody has written to an object for long enough, so that it is whole."""
        rest = self._watched.rest
        if stored.modified is None or not rest or self._wall() - stored.modified >= rest:
            return True
        # Clocks may differ: an object that this reader has not seen change is at rest as well.
        read = self._reads.get(stored.uri)
        seen = read is not None and read.version == stored.version
        return seen and self._clock() - read.since >= rest  # type: ignore[union-attr]

    def _take_note(self, end: int) -> None:
        """Remember how far the object of the split that has just ended was read."""
        stored, split, last = self._stored, self._split, self._last
        if stored is None or split is None or split.end is not None or stored.modified is None:
            return
        before = self._reads.pop(stored.uri, None)
        same = before is not None and before.version == stored.version
        final = last is not None and last.span.final
        layout = parsed_partition(split.version if last is None else last.span.partition)[1]
        self._reads[stored.uri] = ReadState(
            stored.version,
            layout.read_on_at(last, end) if final and last is not None else end,
            end,
            final,
            before.since if same and before is not None else self._clock(),
            layout,
            content=self._content,
        )
        self._shed()

    def _begin(self, stored: StoredObject, settled: SettledSoFar) -> Sequence[RecordBatch]:
        """Queue what is left of an object, which takes over what was read of its last version."""
        self._stored = stored
        batches = batches_of(settled.takes_over)
        coverage, layout = settled.coverage, settled.layout
        content = coverage.content if coverage.ranges else Content()
        before = self._reads.get(stored.uri)
        if before is None:
            layout = self._watched.layout(stored, settled)
        elif before.version != stored.version:
            grown = before.offset > 0 and not coverage.ranges and self._watched.continues(stored)
            if not grown:
                layout = self._watched.layout(stored, settled)
            if not before.final:
                # What is left of it belongs to the new version.
                name = before.layout.partition(before.version)
                span = Span(stored.uri, name, before.end, before.end, final=True)
                batches += batches_of([span])
            if grown:
                layout = before.layout
                content = before.content if before.offset == before.end else None
                name = layout.partition(stored.version)
                batches += batches_of([Span(stored.uri, name, 0, before.offset, content=content)])
                coverage = Coverage(((0, before.offset),))
            else:
                self._watched.forget(stored.uri)
            del self._reads[stored.uri]
        self._content = content
        self._splits.extend(self._watched.splits(stored, coverage, layout))
        return batches

    def _next_object(self, timeout: float) -> Sequence[RecordBatch]:
        if self._pending:
            try:
                batches = self._begin(*self._pending[0])
            except ObjectUnavailable:
                self._pending.popleft()
                raise
            self._pending.popleft()
            return batches
        if self._pages is None:
            self._pages = self._watched.list()
            self._listed = set()
            self._there = set()
        pages = self._pages
        if self._page is None:
            self._page = in_background(lambda: list(islice(pages, PAGE)), "list")
        wait([self._page], timeout)
        if not self._page.done():
            return ()
        page = self._page.result()
        self._page = None
        self._recover()
        if page:
            self._take(page)
        else:
            self._pages = None
            self._begun &= self._listed
            self._put_off.keep(self._listed)
            self._forget_gone()
            self._not_before = self._clock() + self._watched.interval * jitter(0.9, 1.1)
        return ()

    def _forget_gone(self) -> None:
        """Forget the objects that are gone; those whose end was awaited become failures."""
        for uri, read in list(self._reads.items()):
            if uri in self._there or _hash(uri, read.version) in self._listed:
                continue
            del self._reads[uri]
            if not read.final:
                self._stored = None
                partition = read.layout.partition(read.version)
                self._splits.append(Split(uri, uri, partition, 1, read.end))

    def _take(self, page: list[StoredObject]) -> None:
        """Queue the objects of ``page`` that have not been begun and are not settled."""
        hashes = [_hash(stored.uri, stored.version) for stored in page]
        self._listed.update(hashes)
        new = [
            stored
            for stored, hashed in zip(page, hashes, strict=True)
            if hashed not in self._begun and not set_aside(stored)
            if hashed not in self._put_off
        ]
        self._begun.update(hashed for hashed in hashes if hashed not in self._put_off)
        self._there.update(stored.uri for stored in page if stored.uri in self._reads)
        for stored in page:
            read = self._reads.get(stored.uri)
            if read is None or read.version != stored.version or read.final or read.queued:
                continue
            if self._is_at_rest(stored):
                read.queued = True
                settled_so_far = ((0, read.end),) if read.end else ()
                layout = read.layout if read.end else None
                coverage = Coverage(settled_so_far, content=read.content)
                self._pending.append((stored, SettledSoFar(coverage, layout)))
        for stored, settled in zip(new, self._watched.settled(new, self._reads), strict=True):
            if not settled.coverage.complete or settled.takes_over:
                self._pending.append((stored, settled))
            elif stored.modified is not None and self._wall() - stored.modified < _RECENT:
                self._recall(stored, settled)

    def _recall(self, stored: StoredObject, settled: SettledSoFar) -> None:
        """Remember a file that another run has read and that may still grow."""
        end, layout = settled.coverage.end or 0, settled.layout or LINES
        offset = self._watched.recall(stored, end, layout)
        if offset:
            self._reads[stored.uri] = ReadState(
                *(stored.version, offset, end, True, self._clock(), layout),
                content=settled.coverage.content,
            )
            self._shed()

    def _shed(self) -> None:
        """Forget the file that was read longest ago if there are too many."""
        if len(self._reads) > FILES:
            oldest = next((uri for uri, read in self._reads.items() if read.final), None)
            if oldest is not None:
                del self._reads[oldest]

    def _recover(self) -> None:
        if self._outage is not None:
            self._outage.end()
        self._outage = None

    def _back_off(self, error: SourceUnavailable) -> None:
        """Plan the next try, or give up; a broken listing begins again."""
        self._pages = self._page = None
        if self._outage is None:
            watched = self._watched
            self._outage = Outage(
                watched.backoff, watched.outage_budget, service="objects", clock=self._clock
            )
        pause = self._outage.next_wait(error)
        if pause is None:
            self._outage.say_waited(error)
            raise error
        self._not_before = self._clock() + pause


def _hash(uri: str, version: str) -> int:
    name = f"{version}\0{uri}".encode(errors="surrogateescape")
    return int.from_bytes(blake2b(name, digest_size=8).digest())
