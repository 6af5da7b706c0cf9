"""Settle batches in a sink, one transaction at a time, while the next ones are parsed.

A writer thread, beside the thread of the bundle, commits all batches that have arrived since its
last commit in one transaction: a lone batch at once, many small ones together, like the group
commit of a database. Where tables have bounds, what arrives waits until one of them is reached
(``gather``). The database works while the next batch is parsed. What waits is bounded, so a slow
database holds the source back.

Nothing is emitted before its commit, and a bundle does not end before the commits of its batches:
the checkpoint of a runner never runs ahead of the database.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput
from apache_beam.utils.windowed_value import WindowedValue

from transforms import instruments, metrics
from transforms.batch.backoff import Backoff, Outage
from transforms.batch.counts import Counts
from transforms.batch.coverage import Ledger
from transforms.batch.record import Failure, RecordBatch, Span
from transforms.errors import CommitUnknown, Contention, SinkUnavailable
from transforms.read import drain
from transforms.settle import finishing, first_dead_letters, lineage, target_counts
from transforms.settle.bounds import TableBounds
from transforms.settle.gather import Gather, Waiting

_log = logging.getLogger(__name__)

DEAD, RETRY = "dead", "retry"


@dataclass(frozen=True, slots=True)
class Settled:
    """The result of one committed transaction for one batch.

    Attributes:
        span: The range of the batch.
        counts: What it adds to the counts of this run. Records that the ledger already had
            (``trimmed``) are not in it; those that this run had counted as retrying (``again``)
            are not read once more, but leave ``retrying``.
        trimmed: Records that an earlier transaction had settled.
        attempts: Further attempts at records that had failed before; 0 in a batch that
            comes from a source.
        again: Those of them that this run had counted as retrying.
        failed_again: How many of the attempts ended in a dead letter, and how many in a further
            attempt. ``dead`` and ``retry`` may hold more: a step may make several records of a job.
        raw_bytes: Bytes of the settled records, as read.
        dead: The dead letters, which are stored now.
        retry: The failures that are scheduled for another attempt, which are stored now.
        by_target: ``counts`` by table; empty where all are of the pipeline's own.
    """

    span: Span
    counts: Counts
    trimmed: int = 0
    attempts: int = 0
    again: int = 0
    failed_again: tuple[int, int] = (0, 0)
    raw_bytes: int = 0
    dead: tuple[Failure, ...] = ()
    retry: tuple[Failure, ...] = ()
    by_target: Mapping[str, Counts] = field(default_factory=dict)


class Sink(Protocol):
    """Where batches are settled. Picklable, without secrets; used by one thread at a time."""

    def check_read(self, ledger: Ledger) -> None:
        """Refuse a read that asks another ledger; called while the pipeline is built.

        Raises:
            ConfigError: ``ledger`` does not know what is settled here.
        """
        ...

    def begin(self) -> None:
        """Say that this process is ready to settle batches; called again and again, so cheap."""
        ...

    def job_of(self, failure: Failure) -> int | None:
        """The number of the job under which a settled failure is kept, for the log.

        None if that cannot be told; it never raises.
        """
        ...

    def complete(self, batches: Sequence[RecordBatch]) -> bool:
        """Whether ``batches``, of which a bound is reached, may be committed without further ones.

        No, where they end within a range that must be settled as a whole. Then this is asked again
        with each further batch, so it must be cheap. The end of the bundle does not ask, nor do
        twice as many records or bytes as a transaction takes.
        """
        ...

    def commit(self, batches: Sequence[RecordBatch], *, isolate: bool = False) -> list[Settled]:
        """Settle ``batches`` in one transaction: rows, dead letters and ledger.

        Args:
            batches: What to settle.
            isolate: Set the records aside that make the database roll back, as failures that may
                be tried again later, and settle the rest.

        Returns:
            One ``Settled`` for each batch, in order, after the commit.

        Raises:
            SinkUnavailable: The database cannot be reached; nothing was written, or, when it is
                ``CommitUnknown``, perhaps everything. Calling again is right in both cases.
            Contention: The transaction was rolled back (deadlock, serialization).
            SinkFailed: The database refuses, and no record is to blame.
        """
        ...

    def finish(self) -> None:
        """Do what a bundle ends with, after its last commit; it raises what ``commit`` does."""
        ...


@dataclass(frozen=True, slots=True)
class WriteConfig:
    """Bounds of the writer.

    Attributes:
        commit_records: Records at which a transaction takes no further batch.
        commit_bytes: Raw bytes at which a transaction takes no further batch.
        backoff: Waits between tries, both when the database is away and on contention.
        outage_budget: Seconds to wait, inside the bundle, for a database that is away.
        contention_tries: Attempts at a transaction that the database rolls back, before one last
            attempt without the records that make it roll back.
        bounds: When what waits for a table is written; without them at once.
    """

    commit_records: int = 10_000
    commit_bytes: int = 16 << 20
    backoff: Backoff = field(default_factory=lambda: Backoff(base=0.25, cap=15.0))
    outage_budget: float = 300.0
    contention_tries: int = 5
    bounds: TableBounds = TableBounds()  # noqa: RUF009 - frozen

    def with_bounds(self, bounds: TableBounds, most_records: int | None = None) -> WriteConfig:
        """The same with ``bounds``, and with room for what they let wait.

        Args:
            bounds: The bounds of each table.
            most_records: Records at which a transaction takes no further batch, whatever the bounds
                ask for; None leaves it to them.
        """
        records = max(self.commit_records, bounds.most_records)
        return replace(
            self,
            bounds=bounds,
            commit_records=records if most_records is None else most_records,
            commit_bytes=max(self.commit_bytes, bounds.most_bytes),
        )


class Write(beam.PTransform):
    """Settle every ``RecordBatch`` in ``sink``.

    Returns three outputs, each after the commit: ``settled`` (one ``Settled`` for each batch),
    ``dead`` and ``retry`` (``Failure``).

    The reads that the batches come from must ask the ledger of ``sink``, and must have no other
    ``Write``; otherwise applying it raises ``ConfigError``.

    Raises (failing the bundle):
        SinkUnavailable: The database stayed away for longer than the outage budget.
        Contention: The database rolled back every attempt at a transaction.
        SinkFailed: The database refuses every write.
    """

    def __init__(self, sink: Sink, config: WriteConfig | None = None) -> None:
        super().__init__()
        self._sink = sink
        self._config = config or WriteConfig()

    def expand(self, batches: beam.PCollection) -> beam.pvalue.DoOutputsTuple:
        for read in lineage.reads_behind(batches):
            self._sink.check_read(read.transform.ledger)
            lineage.claim_read(read)
        return batches | "Commit" >> beam.ParDo(WriteFn(self._sink, self._config)).with_outputs(
            DEAD, RETRY, main="settled"
        )


@dataclass(frozen=True, slots=True)
class _Committed:
    """What one commit settled, and the seconds that it took and waited."""

    pending: Sequence[Waiting]
    settled: Sequence[Settled]
    seconds: float
    waited: float


def commit(
    sink: Sink, batches: Sequence[RecordBatch], config: WriteConfig
) -> tuple[list[Settled], float]:
    """Commit ``batches``, and wait while the database is away.

    Returns:
        What was settled, and the seconds spent waiting.

    Raises:
        SinkUnavailable: The outage budget is used up, or a drain was requested meanwhile.
        Contention: Every attempt was rolled back, even without the records to blame.
    """
    waited = 0.0
    unknown: Sequence[Settled] = ()

    def pause(seconds: float) -> None:
        nonlocal waited
        waited += seconds
        drain.wait(seconds)

    outage = Outage(config.backoff, config.outage_budget, service="database", sleep=pause)
    attempt = 0
    while True:
        started = time.perf_counter()
        try:
            settled = sink.commit(batches, isolate=attempt == config.contention_tries)
            _observe(started, "ok")
            outage.end()
            return list(unknown) if _went_through(unknown, settled) else settled, waited
        except SinkUnavailable as error:
            _observe(started, "error")
            if isinstance(error, CommitUnknown):
                unknown = error.settled
            if drain.requested() or not outage.wait(error):
                outage.leave()
                raise
        except Contention as error:
            _observe(started, "error")
            outage.end()  # it answers
            attempt += 1
            if attempt > config.contention_tries:
                raise
            seconds = config.backoff.delay(attempt)
            place = _place_of(batches)
            _log.warning("waiting %.1f s: %s", seconds, error, extra={"seconds": seconds, **place})
            pause(seconds)


def _place_of(batches: Sequence[RecordBatch]) -> dict[str, object]:
    """Where the records of a transaction are from: of several ranges, the first."""
    if not batches:
        return {}
    span = batches[0].span
    offsets = {"first_offset": span.start, "last_offset": span.end - 1}
    return {"source": span.source, "partition": span.partition, **offsets}


def _observe(started: float, result: str) -> None:
    """Count one attempt at a transaction as the time in which the writer is busy."""
    seconds = time.perf_counter() - started
    instruments.observe("commit_duration", (seconds,), result)
    instruments.add("writer_busy_seconds", seconds)


def _went_through(unknown: Sequence[Settled], settled: Sequence[Settled]) -> bool:
    """Whether a commit whose answer was lost had settled everything that is settled now."""
    return bool(unknown) and all(
        now.trimmed == before.trimmed + before.counts.records + before.again
        and not now.counts.records
        for before, now in zip(unknown, settled, strict=True)
    )


class WriteFn(beam.DoFn):
    """Commits the batches of a bundle on a thread of its own; see the module's docstring."""

    def __init__(self, sink: Sink, config: WriteConfig) -> None:
        self._sink = sink
        self._config = config

    def setup(self) -> None:
        # One thread, so that the commits of a split stay in order. The first commit starts it.
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="write")
        self._sink.begin()
        config = self._config
        self._gather = Gather(config.commit_records, config.commit_bytes, config.bounds)
        instruments.hold("writer_queue_capacity_records", config.commit_records)

    def start_bundle(self) -> None:
        # A failed bundle may have left a commit running; its batches come again.
        self._gather.take()
        self._held = False
        self._running: Future[_Committed] | None = None

    def process(
        self,
        batch: RecordBatch,
        timestamp: Any = beam.DoFn.TimestampParam,
        window: Any = beam.DoFn.WindowParam,
    ) -> Iterator[Any]:
        gather, now = self._gather, time.monotonic()
        gather.add(Waiting(batch, timestamp, (window,)), now)
        instruments.hold("writer_queue_records", gather.records)
        if self._running is not None and (gather.full or self._running.done()):
            yield from self._finish()
        if self._running is None and gather.due(now):
            complete = self._sink.complete(gather.batches)
            self._held |= not complete
            if complete or gather.overfull:
                alone = self._held and gather.overfull
                self._start()
                if alone:  # as much as otherwise a commit and what waits behind it
                    yield from self._finish()

    def finish_bundle(self) -> Iterator[Any]:
        while self._running is not None or self._gather:
            if self._running is not None:
                yield from self._finish()
            if self._gather:
                self._start()
        finishing.finish(self._sink.finish, self._config.backoff, self._config.outage_budget)

    def teardown(self) -> None:
        self._writer.shutdown(wait=True, cancel_futures=True)

    def _start(self) -> None:
        """Hand everything that waits to the writer thread, as one transaction."""
        pending = self._gather.take()
        self._held = False
        instruments.hold("writer_queue_records", 0)
        self._running = self._writer.submit(_commit_pending, self._sink, pending, self._config)

    def _finish(self) -> Iterator[Any]:
        """Wait for the running commit, then count and emit what it settled."""
        assert self._running is not None  # noqa: S101 - callers have just checked
        running, self._running = self._running, None
        with instruments.stage("write"):
            done = running.result()
        metrics.count("commits")
        metrics.count("commit_ms", round(done.seconds * 1000))
        metrics.count("outage_ms", round(done.waited * 1000))
        target_counts.count(settled.by_target for settled in done.settled)
        for pending, settled in zip(done.pending, done.settled, strict=True):
            _count(settled)
            yield _emit(settled, pending)
            for failure in settled.dead:
                yield TaggedOutput(DEAD, _emit(failure, pending))
            for failure in settled.retry:
                yield TaggedOutput(RETRY, _emit(failure, pending))


def _commit_pending(sink: Sink, pending: Sequence[Waiting], config: WriteConfig) -> _Committed:
    started = time.monotonic()
    batches = [each.batch for each in pending]
    settled, waited = commit(sink, batches, config)
    _measure(batches, settled, sink.job_of)
    return _Committed(pending, settled, time.monotonic() - started, waited)


def _measure(
    batches: Sequence[RecordBatch],
    settled: Sequence[Settled],
    job_of: Callable[[Failure], int | None],
) -> None:
    """Count what a commit has settled, and how old it was."""
    now = time.time()
    instruments.committed()
    instruments.observe("commit_records", (sum(batch.read for batch in batches),))
    for batch in batches:
        if batch.times:
            instruments.observe("freshness", [now - at for at in batch.times], batch.span.source)
    for result in settled:
        first_dead_letters.report(result.dead, job_of)
        for source, number in Counter(failure.origin.source for failure in result.dead).items():
            instruments.add("dead_letters", number, source)
        for failure in (*result.dead, *result.retry):
            instruments.add("record_failures", 1, failure.stage, failure.category)
        if result.attempts:
            discarded, again = result.failed_again
            instruments.add("job_attempts", result.attempts - discarded - again, "completed")
            instruments.add("job_attempts", again, "retryable")
            instruments.add("job_attempts", discarded, "discarded")


def _emit(value: object, pending: Waiting) -> WindowedValue:
    return WindowedValue(value, pending.timestamp, pending.windows)


def _count(settled: Settled) -> None:
    metrics.count_all(settled.counts)
    metrics.count("attempts", settled.attempts)
    metrics.count("trimmed", settled.trimmed)
    metrics.count("batches")
