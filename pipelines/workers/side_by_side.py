"""Have worker processes read the splits of a run, and wait for them as for one pipeline."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait

from apache_beam.internal import pickler

from pipelines.ingestion.config import IngestConfig, RunConfig
from pipelines.ingestion.pulse import beating
from pipelines.telemetry import progress
from pipelines.workers.enumerator import SplitEnumerator
from pipelines.workers.messages import Begin, Drain, Elsewhere, Ended, Failed, Logged, Snapshot
from runners.signals import stop_on_signals
from runners.workers.pool import Worker, received
from sinks.sql import SqlSink
from transforms import metrics
from transforms.errors import DeadBudgetExceeded, SluiceError
from transforms.settle.dead_budget import DeadBudget

_log = logging.getLogger(__name__)

_END_SECONDS = 10.0
"""How long a worker that has ended its work may take to leave."""


def read(
    workers: Sequence[Worker], config: IngestConfig, sink: SqlSink, run: RunConfig
) -> tuple[Counter[str], list[str]]:
    """Read the sources to their end, or until a signal asks to stop.

    Args:
        workers: Those that wait for it.
        config: What to read.
        sink: Where to write.
        run: How the program runs.

    Returns:
        The counters of all, and the names of the signals received.

    Raises:
        Exception: As a pipeline in this process raises it; the other workers have settled what they read.
        DeadBudgetExceeded: The workers together made more dead letters than the run may.
        SluiceError: A worker was killed.
    """
    metrics.reset()
    enumerator = SplitEnumerator(config.sources, config.ledger, streaming=config.streaming)
    if config.streaming:
        workers = _with_splits(workers, enumerator)
    reading = _Reading(workers, enumerator)
    beats: AbstractContextManager[None] = nullcontext()
    if config.streaming:
        beats = beating(level=progress.level_beside(run.progress))
    with (
        beats,
        stop_on_signals(reading.ask_to_stop) as signals,
        progress.shown(run.progress, config.sources, streaming=config.streaming),
    ):
        elsewhere = tuple(source.uri for source in config.sources)
        reading.begin(Begin(pickler.dumps((config.sources, sink)), elsewhere))
        config.controls.begin()  # so that the bar and the metrics say what is held
        reading.wait()
    if reading.error is not None:
        raise reading.error
    reading.check_budget(config.budget)
    return Counter(metrics.tally()), signals or reading.signals


def _with_splits(workers: Sequence[Worker], enumerator: SplitEnumerator) -> Sequence[Worker]:
    """The workers that have something to read; one at least, for the jobs."""
    number = max(1, enumerator.share_out(len(workers)))
    if number < len(workers):
        _log.info(
            "%d of %d workers read: there are no more splits (a topic has one for each partition, a "
            "watched place has one)",
            *(number, len(workers)),
        )
    for idle in workers[number:]:
        idle.line.close()
    for idle in workers[number:]:
        idle.ended(_END_SECONDS)
    return workers[:number]


class _Reading:
    """The workers that read, and how they end."""

    def __init__(self, workers: Sequence[Worker], enumerator: SplitEnumerator) -> None:
        self._enumerator = enumerator
        self._reading: dict[Connection, Worker] = {worker.line.orders: worker for worker in workers}
        self._workers = workers
        self._dead: dict[int, int] = {}
        self._asked, self._ask = Pipe(duplex=False)
        self._stopping = False
        self.signals: list[str] = []
        self.error: Exception | None = None

    def begin(self, order: Begin) -> None:
        """Have every worker begin."""
        for worker in self._workers:
            _tell(worker, order)
            thread = threading.Thread(
                target=self._assign, args=(worker,), name="splits", daemon=True
            )
            thread.start()

    def ask_to_stop(self) -> None:
        """Have every worker stop reading, soon. A signal handler calls it, which may not send orders itself."""
        self._ask.send(None)

    def wait(self) -> None:
        """Wait until every worker has ended, and count with what they report."""
        while self._reading:
            for connection in wait([self._asked, *self._reading]):
                if connection is self._asked:
                    self._asked.recv()
                    self._stop()
                elif connection in self._reading:
                    worker = self._reading[connection]
                    self._take(worker, received(worker.line.orders))
            if self._enumerator.error is not None:
                self._fail(self._enumerator.error)

    def check_budget(self, budget: DeadBudget | None) -> None:
        """Refuse more dead letters than allowed, which workers made before they heard of each other's.

        Raises:
            DeadBudgetExceeded: There are more.
        """
        dead = sum(self._dead.values())
        if budget is None or budget.pauses or budget.number is None or dead <= budget.number:
            return
        raise DeadBudgetExceeded(
            f"{dead:,} records are dead letters, more than --max_dead {budget.text} allows; the workers "
            "made them at the same time, so that all are stored: repair the cause, and replay or purge them"
        )

    def _stop(self) -> None:
        if not self._stopping:
            self._stopping = True
            self._enumerator.end()
            for worker in self._reading.values():
                _tell(worker, Drain())

    def _take(self, worker: Worker, report: object) -> None:
        if isinstance(report, Logged):
            logging.getLogger(report.record.name).handle(report.record)
        elif isinstance(report, Snapshot):
            self._count(worker, report)
        else:
            del self._reading[worker.line.orders]
            if isinstance(report, Ended):
                self._count(worker, report.snapshot)
                self.signals += report.signals
                worker.ended(_END_SECONDS)
                if report.signals:
                    self._stop()  # what that worker leaves, nobody else would read
            elif isinstance(report, Failed):
                self._count(worker, report.snapshot)
                _log.debug("worker %d: %s", worker.index, report.stack)
                self._fail(report.error or RuntimeError(report.text))
            else:
                worker.ended(_END_SECONDS)
                self._fail(
                    SluiceError(
                        f"worker process {worker.pid} {worker.end_in_words}; what the others had read is "
                        "settled, and the next run reads the rest"
                    )
                )

    def _count(self, worker: Worker, snapshot: Snapshot) -> None:
        snapshot.adopt(worker.index)
        if self._dead.get(worker.index, 0) != snapshot.dead:
            self._dead[worker.index] = snapshot.dead
            total = sum(self._dead.values())
            for other in self._reading.values():
                if other is not worker:
                    _tell(other, Elsewhere(total - self._dead.get(other.index, 0)))

    def _fail(self, error: Exception) -> None:
        self.error = self.error or error
        self._stop()

    def _assign(self, worker: Worker) -> None:
        """Answer what a worker asks for, until its line is cut."""
        requests = worker.line.requests
        try:
            while True:
                requests.recv()
                requests.send(self._enumerator.next_for(worker.index))
        except (EOFError, OSError):
            return


def _tell(worker: Worker, order: object) -> None:
    """Send an order to a worker that may be gone."""
    try:
        worker.line.orders.send(order)
    except OSError:
        return  # that it is gone is noticed where its reports are read
