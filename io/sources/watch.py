"""Watch a glob for ever: read each object, and each new version of one, as it appears."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice

from sources.objects import StoredObject
from sources.plan import PAGE
from transforms import drain
from transforms.backoff import Backoff
from transforms.coverage import Coverage, Ledger
from transforms.errors import SourceUnavailable
from transforms.record import RecordBatch
from transforms.splits import Polled, Reader, Split

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Watched:
    """What a watching reader needs of its source.

    Attributes:
        list: Lists the objects that are there now.
        splits: What is left of an object, given what is settled of it.
        open: Opens a split at its start.
        ledger: Says what is settled.
        interval: Seconds between two listings; jittered by a tenth.
        outage_budget: Seconds that the storage may be away.
        backoff: Waits between tries while it is.
    """

    list: Callable[[], Iterator[StoredObject]]
    splits: Callable[[StoredObject, Coverage], Iterator[Split]]
    open: Callable[[Split], Reader]
    ledger: Ledger
    interval: float
    outage_budget: float
    backoff: Backoff = Backoff(base=0.5, cap=30.0)  # noqa: RUF009 - frozen


class WatchReader:
    """Reads what the ledger lacks, object after object, and never ends.

    A position is the number of batches so far and says nothing about what was read: a
    reader that is opened anew asks the ledger. An object once begun is not begun again by
    this reader; it remembers a 64-bit hash of each (name, version) that is still listed.

    Args:
        watched: What to watch.
        batches: The number of batches read before.
        clock: Monotonic seconds.
    """

    def __init__(self, watched: Watched, batches: int = 0, clock: Clock = time.monotonic) -> None:
        self._watched = watched
        self._count = batches
        self._clock = clock
        self._begun: set[int] = set()
        self._listed: set[int] = set()
        self._pending: deque[tuple[StoredObject, Coverage]] = deque()
        self._splits: deque[Split] = deque()
        self._reader: Reader | None = None
        self._pages: Iterator[StoredObject] | None = None
        self._page: Future[list[StoredObject]] | None = None
        self._not_before = clock()
        self._away_since: float | None = None
        self._failures = 0

    def poll(self, timeout: float) -> Polled:
        """The next batches; waits for an object to appear at most ``timeout`` seconds.

        Raises:
            SourceUnavailable: The storage was away for longer than the outage budget.
        """
        deadline = self._clock() + timeout
        batches: Sequence[RecordBatch] = ()
        while not batches:
            left = deadline - self._clock()
            pause = self._not_before - self._clock()
            if pause > 0 and (self._idle or self._failures):
                drain.wait(max(0.0, min(pause, left)))
            else:
                batches = self._try(max(0.0, left))
            if not batches and (self._clock() >= deadline or drain.requested()):
                break
        self._count += len(batches)
        return Polled(batches, (("", self._count),))

    def backlog(self) -> int:
        """Bytes listed and not read yet."""
        reading = self._reader.backlog() if self._reader else 0
        begun = sum(split.size for split in self._splits)
        return reading + begun + sum(stored.size for stored, _ in self._pending)

    def close(self) -> None:
        """Close the object under way; a listing under way is left to end by itself."""
        if self._reader is not None:
            self._reader.close()

    @property
    def _idle(self) -> bool:
        """Whether nothing is under way until the next listing."""
        return not (self._reader or self._splits or self._pending or self._pages)

    def _try(self, timeout: float) -> Sequence[RecordBatch]:
        """Do the next thing there is to do; what it brought."""
        try:
            return self._advance(timeout)
        except SourceUnavailable as error:
            self._back_off(error)
            return ()

    def _advance(self, timeout: float) -> Sequence[RecordBatch]:
        if self._reader is None:
            if not self._splits:
                self._next_object(timeout)
                return ()
            self._reader = self._watched.open(self._splits.popleft())
        polled = self._reader.poll(timeout)
        self._recover()
        if polled.done:
            self._reader.close()
            self._reader = None
        return polled.batches

    def _next_object(self, timeout: float) -> None:
        if self._pending:
            stored, coverage = self._pending.popleft()
            self._splits.extend(self._watched.splits(stored, coverage))
            return
        if self._pages is None:
            self._pages = self._watched.list()
            self._listed = set()
        pages = self._pages
        if self._page is None:
            self._page = _in_background(lambda: list(islice(pages, PAGE)))
        wait([self._page], timeout)
        if not self._page.done():
            return
        page = self._page.result()
        self._page = None
        self._recover()
        if page:
            self._take(page)
        else:
            self._pages = None
            self._begun &= self._listed
            self._not_before = self._clock() + self._watched.interval * random.uniform(0.9, 1.1)  # noqa: S311

    def _take(self, page: list[StoredObject]) -> None:
        """Queue what of ``page`` has not been begun and is not settled."""
        hashes = [_hash(stored) for stored in page]
        self._listed.update(hashes)
        new = [
            stored for stored, hashed in zip(page, hashes, strict=True) if hashed not in self._begun
        ]
        self._begun.update(hashes)
        settled = self._watched.ledger.coverage([(each.uri, each.version) for each in new])
        for stored in new:
            coverage = settled.get((stored.uri, stored.version), Coverage())
            if not coverage.complete:
                self._pending.append((stored, coverage))

    def _recover(self) -> None:
        self._away_since = None
        self._failures = 0

    def _back_off(self, error: SourceUnavailable) -> None:
        """Wait before the next try, or give up; a broken listing begins again."""
        now = self._clock()
        self._pages = self._page = None
        if self._away_since is None:
            self._away_since = now
        if now - self._away_since >= self._watched.outage_budget:
            raise error
        self._failures += 1
        self._not_before = now + self._watched.backoff.delay(self._failures)


def _hash(stored: StoredObject) -> int:
    name = f"{stored.version}\0{stored.uri}".encode(errors="surrogateescape")
    return int.from_bytes(blake2b(name, digest_size=8).digest())


def _in_background(work: Callable[[], list[StoredObject]]) -> Future[list[StoredObject]]:
    """Run ``work`` on a thread that does not keep the process alive."""
    future: Future[list[StoredObject]] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits for the result
            future.set_exception(error)

    threading.Thread(target=run, name="list", daemon=True).start()
    return future
