"""Due jobs as a source: failed records come back as one more split and are parsed again."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sources.jobs.ahead import ClaimsAhead
from transforms.batch.backoff import Backoff, Outage
from transforms.batch.coverage import Ledger
from transforms.batch.expected import ExpectedFields
from transforms.batch.record import RecordBatch
from transforms.batch.splits import Acknowledger, BatchLimits, Polled, Position, Split
from transforms.errors import Contention, SinkUnavailable, SluiceError
from transforms.per_process import PerProcess
from transforms.read import drain
from transforms.read.job_queue import JobQueue
from transforms.steps.pipeline_identity import PipelineIdentity

SCHEME = "jobs://"
_QUIET = "quiet"

LOOK_SECONDS = 60.0
"""How often a streaming reader looks for jobs that wait for other pipelines."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JobsSource:
    """The jobs of a target table, each as soon as it is due.

    A stream reads it first: what is claimed is then tried before anything else of the bundle. A run that
    ends reads it last, and tries what has failed in it.

    Attributes:
        queue: Where they are stored.
        streaming: Read forever; otherwise end once nothing is due within ``retry_wait``.
        retry_wait: Seconds that a bounded run waits for the next job to become due.
        limits: Bounds of one claim.
        outage_budget: Seconds to wait for a database that is away.
    """

    queue: JobQueue
    streaming: bool = False
    retry_wait: float = 30.0
    limits: BatchLimits = BatchLimits()  # noqa: RUF009 - frozen
    outage_budget: float = 300.0

    @property
    def uri(self) -> str:
        """Names the target table."""
        return f"{SCHEME}{self.queue.name}"

    @property
    def open_ended(self) -> bool:
        """Yes: more may always come."""
        return True

    @property
    def holds_several(self) -> bool:
        """No: a job is one record."""
        return False

    def expecting(self, fields: ExpectedFields) -> JobsSource:
        """This source: a job keeps the format of its record."""
        return self

    def check(self) -> None:
        """Does nothing: the sink has been checked."""

    def fixed(self) -> JobsSource:
        """This source: how many splits it has does not depend on a service."""
        return self

    def owns(self, source: str) -> bool:
        """No: the origin of a record stays the one it was first read from."""
        return False

    def splits(self, ledger: Ledger) -> Iterator[Split]:
        """One split; runs of other processes claim other jobs of the same queue."""
        yield Split(self.uri, self.uri)

    def open(self, split: Split, position: Position, ledger: Ledger) -> JobsReader:
        """A reader; I/O begins with its first poll."""
        return JobsReader(self, position)

    def acknowledger(self) -> Acknowledger | None:
        """None: the rows themselves say what is settled."""
        return None


class JobsReader:
    """Claims due jobs under a lease of its own.

    A position says how many batches were taken and whether the last claim was empty; a reader
    that is opened anew asks the queue.
    """

    def __init__(self, source: JobsSource, position: Position = ()) -> None:
        at = dict(position)
        self._source = source
        self._count = at.get("", 0)
        self._quiet = bool(at.get(_QUIET, 0))
        self._claims: ClaimsAhead | None = None
        self._taken = False
        self._waiting_since: float | None = None
        self._outage = Outage(
            Backoff(0.25, 15.0), source.outage_budget, service="database", sleep=drain.wait
        )

    def poll(self, timeout: float) -> Polled:
        """The jobs that are due; otherwise waits for one within bounds, or ends.

        The bundle ends before a wait, so that the jobs taken before are settled, and those that
        fail again are scheduled.

        Raises:
            SinkUnavailable: The database was away for longer than the outage budget.
        """
        try:
            batches = self._claim()
            settling = bool(batches) or self._taken
            wait = None if settling or self._source.streaming else self._wait()
            if self._source.streaming and not batches:
                LEFT_JOBS.get(self._source.queue).report()
        except SinkUnavailable as error:
            if drain.requested():
                raise
            if not self._outage.wait(error):
                self._outage.say_waited(error)
                raise
            return self._rest()
        except Contention:
            return self._rest()
        self._outage.end()
        if batches:
            self._quiet = False
            self._taken = True
            self._waiting_since = None
            self._count += len(batches)
            watermark = time.time()
            return Polled(batches, self._position, watermark=watermark, release=self._release)
        if self._source.streaming:
            return self._rest()
        if wait is not None:
            self._quiet = False
            drain.wait(min(wait, timeout))
            return self._rest()
        if self._quiet:
            return Polled((), self._position, done=True)
        # Records of this bundle may have failed: look once more after its commit.
        self._taken = False
        self._quiet = True
        return self._rest()

    def backlog(self) -> int:
        """Not known without I/O."""
        return 0

    def attend(self) -> None:
        """Hold no jobs while they are not to be tried; see ``transforms.batch.splits.Attended``."""
        self.close()

    def close(self) -> None:
        """Give back the jobs that were claimed ahead."""
        claims, self._claims = self._claims, None
        if claims is not None:
            claims.close()

    def _claim(self) -> Sequence[RecordBatch]:
        if self._claims is None:
            self._claims = ClaimsAhead(self._source.queue, self._source.limits)
        return self._claims.take()

    def _release(self, batches: Sequence[RecordBatch]) -> None:
        """Give back jobs that the steps could not take: they have not been tried."""
        try:
            self._source.queue.give_back(batches)
        except SluiceError as error:
            _log.debug("jobs that were not tried are due again once their lease ends: %s", error)

    def _wait(self) -> float | None:
        """How long to wait for a job to become due; None if there is nothing to wait for.

        Jobs that another process has claimed count too, in case it has died, but not for long: a
        live one may always have some.
        """
        bound = self._source.retry_wait
        due = self._source.queue.due_in()
        if due is None or due > bound:
            if self._waiting_since is None:
                self._waiting_since = time.monotonic()
            left = bound - (time.monotonic() - self._waiting_since)
            due = self._source.queue.lease_ends_in()
            if due is None or due > bound or left <= 0:
                return None
        return max(due, 0.02)

    def _rest(self) -> Polled:
        # Records that are due later have old event times and are late: they hold nothing back.
        return Polled((), self._position, watermark=time.time(), rest=True)

    @property
    def _position(self) -> Position:
        return (("", self._count), (_QUIET, int(self._quiet)))


class _LeftJobs:
    """Says which jobs of a queue wait for other pipelines: each pipeline once, asked now and then.

    A reader may be made anew for every bundle, so that this is kept for the process.
    """

    def __init__(self, queue: JobQueue) -> None:
        self._queue = queue
        self._lock = threading.Lock()
        self._next_look = -math.inf
        self._reported: set[PipelineIdentity | None] = set()

    def report(self) -> None:
        """Log a warning for each pipeline that is new, unless the last look was just now."""
        clock = time.monotonic()
        with self._lock:
            if clock < self._next_look:
                return
            self._next_look = clock + LOOK_SECONDS
        for waiting in self._queue.left():
            with self._lock:
                fresh = waiting.owner not in self._reported
                self._reported.add(waiting.owner)
            if fresh:
                _log.warning("%s", waiting, extra={"jobs": waiting.jobs})


LEFT_JOBS = PerProcess(_LeftJobs)
"""What this process has said about the jobs of each queue."""
