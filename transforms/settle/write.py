"""Settle batches in a sink, a few transactions side by side, while the next ones are parsed.

Threads beside that of the bundle commit all batches that have arrived since the last commit began in
one transaction: a lone batch at once, many small ones together, like the group commit of a
database. While one is under way, another begins as soon as enough has arrived for it (``flight``), up
to a few. Where tables have bounds, what arrives waits until one of them is reached (``gather``). What
waits is bounded, so a slow database holds the source back.

Commits settle in order. Nothing is emitted before its commit, and a bundle does not end before the
commits of its batches: the checkpoint of a runner never runs ahead of the database.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput
from apache_beam.utils.windowed_value import WindowedValue

import transforms.batch.coders  # noqa: F401  registers the coder of Failure
from transforms import instruments, metrics
from transforms.batch.record import Failure, RecordBatch
from transforms.settle import finishing, first_dead_letters, lineage, target_counts, unsettled
from transforms.settle.commit import WriteConfig, commit
from transforms.settle.flight import Flight, Flights, Footprint, Line, flights_to
from transforms.settle.gather import Gather, Waiting
from transforms.settle.sink import Settled, Sink

__all__ = ["DEAD", "RETRY", "Write", "WriteConfig", "WriteFn"]

DEAD, RETRY = "dead", "retry"


class Write(beam.PTransform):
    """Settle every ``RecordBatch`` in ``sink``.

    Returns three outputs, each after the commit: ``settled`` (one ``Settled`` for each batch),
    ``dead`` and ``retry`` (``Failure``); the latter two are empty if ``config`` asks for that.

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
        commit = beam.ParDo(WriteFn(self._sink, self._config))
        commit = commit.with_output_types(Settled, **{DEAD: Failure, RETRY: Failure})
        return batches | "Commit" >> commit.with_outputs(DEAD, RETRY, main="settled")


@dataclass(frozen=True, slots=True)
class _Committed:
    """What one commit settled, and the seconds that it took and waited."""

    pending: Sequence[Waiting]
    settled: Sequence[Settled]
    seconds: float
    waited: float


class WriteFn(beam.DoFn):
    """Commits the batches of a bundle on threads of its own; see the module's docstring."""

    def __init__(self, sink: Sink, config: WriteConfig) -> None:
        self._sink = sink
        self._config = config

    def setup(self) -> None:
        config = self._config
        self._most = max(1, min(config.in_flight, self._sink.in_flight()))
        self._writer = ThreadPoolExecutor(self._most, thread_name_prefix="write")
        self._own_flights = Flights(self._most)
        self._sink.begin()
        share, self._full = 1, config.commit_records
        if config.bounds.unset:
            # Large records are held to about what they take with one transaction at a time. As many
            # small ones are in flight with fewer transactions, each of which costs something.
            share = self._most
            self._full = self._full * (max(1, config.in_flight) + 1) // (self._most + 1)
        self._gather = Gather(self._full, config.commit_bytes // share, config.bounds)
        instruments.hold("writer_queue_capacity_records", self._full)
        self._line = Line()
        self._running: deque[_Running] = deque()
        self._unsettled = unsettled.Unsettled()

    def start_bundle(self) -> None:
        # A failed bundle may have left commits running; its batches come again.
        self._abandon()
        self._gather.take()
        self._held = False
        self._line = Line()
        self._unsettled.clear()
        unsettled.enter(self._unsettled)

    def process(
        self,
        batch: RecordBatch,
        timestamp: Any = beam.DoFn.TimestampParam,
        window: Any = beam.DoFn.WindowParam,
    ) -> Iterator[Any]:
        gather, now = self._gather, time.monotonic()
        gather.add(Waiting(batch, timestamp, (window,)), now)
        self._unsettled.add(batch.read)
        instruments.hold("writer_queue_records", gather.records)
        while self._running and (
            self._running[0].future.done() or (gather.full and len(self._running) == self._most)
        ):
            yield from self._finish()
        if gather.due(now) and self._has_room():
            complete = self._sink.complete(gather.batches)
            self._held |= not complete
            if complete or gather.overfull:
                alone = self._held and gather.overfull
                self._start()
                while alone and self._running:  # as much as otherwise a commit and what waits
                    yield from self._finish()

    def finish_bundle(self) -> Iterator[Any]:
        if self._gather and len(self._running) < self._most:
            self._start()
        while self._running:
            yield from self._finish()
            if self._gather:
                self._start()
        unsettled.enter(None)
        finishing.finish(self._sink.finish, self._config.backoff, self._config.outage_budget)

    def teardown(self) -> None:
        self._abandon()
        self._writer.shutdown(wait=True, cancel_futures=True)

    def _has_room(self) -> bool:
        """Whether what waits may begin now, or rather waits for more, as something is under way."""
        if not self._running:
            return True
        if len(self._running) == self._most:
            return False
        if self._gather.full or self._gather.urgent:
            return True
        return self._gather.records >= self._full // 2 and not self._running[-1].flight.is_waiting()

    def _start(self) -> None:
        """Hand everything that waits to a writer thread, as one transaction."""
        records, pending = self._gather.records, self._gather.take()
        self._held = False
        instruments.hold("writer_queue_records", 0)
        footprint = self._sink.footprint([each.batch for each in pending])
        if footprint is None:
            flights, footprint = self._own_flights, Footprint()
        else:
            flights = flights_to(footprint.place)
        flight = flights.enter(self._line, footprint)
        self._unsettled.begin()
        end = partial(self._unsettled.end, records)
        future = self._writer.submit(
            _commit_pending, self._sink, pending, self._config, flight, end
        )
        future.add_done_callback(lambda future: _leave_cancelled(future, flight))
        self._running.append(_Running(future, flight))
        instruments.hold("commits_in_flight", len(self._running))

    def _finish(self) -> Iterator[Any]:
        """Wait for the first commit under way, then count and emit what it settled."""
        running = self._running.popleft()
        try:
            with instruments.stage("write"):
                done = running.future.result()
        except BaseException:
            self._abandon()  # before the batches come again
            raise
        instruments.hold("commits_in_flight", len(self._running))
        metrics.count("commits")
        metrics.count("commit_ms", round(done.seconds * 1000))
        metrics.count("outage_ms", round(done.waited * 1000))
        for name, number in running.flight.counted.items():
            metrics.count(name, number)
        target_counts.count(settled.by_target for settled in done.settled)
        for pending, settled in zip(done.pending, done.settled, strict=True):
            _count(settled)
            yield _emit(settled, pending)
            if not self._config.emits_failures:
                continue
            for failure in settled.dead:
                yield TaggedOutput(DEAD, _emit(failure, pending))
            for failure in settled.retry:
                yield TaggedOutput(RETRY, _emit(failure, pending))

    def _abandon(self) -> None:
        """Let none of the commits under way settle, and wait for their ends."""
        for running in self._running:
            running.flight.fail_line()
        wait([running.future for running in self._running])
        self._running.clear()


@dataclass(frozen=True, slots=True)
class _Running:
    """A commit under way."""

    future: Future[_Committed]
    flight: Flight


def _commit_pending(
    sink: Sink,
    pending: Sequence[Waiting],
    config: WriteConfig,
    flight: Flight,
    end: Callable[[], object],
) -> _Committed:
    batches = [each.batch for each in pending]
    started, through = time.monotonic(), False
    try:
        settled, waited = commit(sink, batches, config, flight)
        through = True
    finally:
        flight.leave(settled=through)
        end()
    _measure(batches, settled, sink.job_of)
    return _Committed(pending, settled, time.monotonic() - started, waited)


def _leave_cancelled(future: Future[_Committed], flight: Flight) -> None:
    if future.cancelled():
        flight.leave(settled=False)


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
        kinds = Counter((f.stage, f.category) for f in (*result.dead, *result.retry))
        for kind, number in kinds.items():
            instruments.add("record_failures", number, *kind)
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
