"""How fast pipelines read: samples that the console takes while it runs, as the tables keep no history."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from sinks.console.sums import records_read
from sinks.database.database import Database
from transforms.batch.backoff import Backoff, jitter
from transforms.errors import SluiceError
from transforms.per_process import PerProcess

_log = logging.getLogger(__name__)

EVERY_SECONDS = 10.0
LONGEST_WAIT = 60.0
"""Seconds between two tries while the database is away, at most."""

KEPT = 360
"""How many samples of a pipeline are kept: an hour."""

OLD_SECONDS = 120.0
"""After so long without a sample, the last rate is no rate of now."""

MOST = 500
"""How many pipelines are sampled."""


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast a pipeline has read.

    Attributes:
        times: The ends of the spans between samples, in seconds since 1970.
        values: Records per second in each span.
    """

    times: Sequence[float] = ()
    values: Sequence[float] = ()

    @property
    def now(self) -> float | None:
        """The newest rate; None before there are two samples, and once the newest one is old."""
        fresh = self.times and time.time() - self.times[-1] < OLD_SECONDS
        return self.values[-1] if fresh else None


@dataclass(slots=True)
class Samples:
    """Samples of all pipelines of a database; used by several threads.

    Attributes:
        since: When the first one was taken, in seconds since 1970; None before that.
    """

    since: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _taken: dict[str, deque[tuple[float, int]]] = field(default_factory=dict)

    def add(self, at: float, records: Mapping[str, int]) -> None:
        """Keep how many records each pipeline had read at a time."""
        with self._lock:
            self.since = at if self.since is None else self.since
            for pipeline in self._taken.keys() - records.keys():
                del self._taken[pipeline]
            for pipeline, number in sorted(records.items())[:MOST]:
                self._taken.setdefault(pipeline, deque(maxlen=KEPT)).append((at, number))

    def rates(self, pipeline: str) -> Rates:
        """The rates of a pipeline; a ledger that became smaller, by a rewind, counts as no records."""
        with self._lock:
            taken = list(self._taken.get(pipeline, ()))
        pairs = [
            (end, max(0, after - before) / (end - begin))
            for (begin, before), (end, after) in pairwise(taken)
            if end > begin
        ]
        return Rates(tuple(end for end, _ in pairs), tuple(rate for _, rate in pairs))


_SAMPLES: PerProcess[Database, Samples] = PerProcess(lambda _: Samples())


def samples_of(database: Database) -> Samples:
    """The samples that this process has taken of a database."""
    return _SAMPLES.get(database)


@contextmanager
def sampled(
    database: Database,
    every: float = EVERY_SECONDS,
    clock: Callable[[], float] = time.time,
) -> Iterator[Samples]:
    """Take samples on a thread of its own while the block runs; outages are waited out."""
    stopped = threading.Event()
    samples = samples_of(database)

    def work() -> None:
        backoff, failed = Backoff(every, LONGEST_WAIT), 0
        while not stopped.is_set():
            try:
                samples.add(clock(), records_read(database))
                failed = 0
            except SluiceError as error:  # the pages say it too
                failed += 1
                _log.debug("no sample: %s", error)
            stopped.wait(backoff.delay(failed) if failed else every * jitter(0.9, 1.1))

    thread = threading.Thread(target=work, name="samples", daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        stopped.set()
        thread.join(every)
        _SAMPLES.pop(database)
