"""The heartbeat of a process that works for a run: its row of ``ingest_workers``.

A thread of the process writes the row every few seconds: what the process has settled for the run
so far, when it last committed, and what only the process knows, such as its lag. While the database
is away, the heartbeat pauses; the work itself never waits for it. A row that is no longer updated
shows that its process is gone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.leases import new_name
from sinks.database.tables import workers
from sinks.runs.process_figures import figures
from transforms.batch.backoff import jitter
from transforms.batch.counts import Counts
from transforms.errors import SluiceError
from transforms.metrics import MOST_TARGETS, OTHER_TARGETS
from transforms.per_process import PerProcess
from transforms.settle.sink import Settled

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Which run a process works for, and how often it says so. Picklable.

    Attributes:
        database: Where the row is kept.
        run: The run.
        seconds: Between two updates; a little less, at random, so that processes do not fall into
            step.
    """

    database: Database
    run: str
    seconds: float = 10.0

    def start(self) -> None:
        """Begin to beat in this process, unless it does so already."""
        _workers.get(self).start()

    def settled(self, settled: Sequence[Settled]) -> None:
        """Count what a commit has settled; starts the heartbeat if nothing has."""
        worker = _workers.get(self)
        worker.add(settled)
        worker.start()

    def stop(self) -> None:
        """Write the row for the last time, and stop beating. A database that is away is left alone."""
        worker = _workers.pop(self)
        if worker is not None:
            worker.stop()


class _Worker:
    """The row of this process, and the thread that keeps it up to date."""

    def __init__(self, heartbeat: Heartbeat) -> None:
        self._heartbeat = heartbeat
        self.name = new_name("worker")
        self.written = threading.Event()
        self._lock = threading.Lock()
        self._counts = Counts()
        self._tables: dict[str, Counts] = {}
        self._committed: float | None = None  # monotonic
        self._started = time.monotonic()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        with self._lock:
            if self._thread is None and not self._stopped.is_set():
                self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
                self._thread.start()

    def add(self, settled: Sequence[Settled]) -> None:
        counts = sum((each.counts for each in settled), Counts())
        with self._lock:
            self._counts += counts
            for result in settled:
                for table, of_table in result.by_target.items():
                    is_named = table in self._tables or len(self._tables) < MOST_TARGETS
                    label = table if is_named else OTHER_TARGETS
                    self._tables[label] = self._tables.get(label, Counts()) + of_table
            self._committed = time.monotonic()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(self._heartbeat.seconds)
            self._write(ended=True)

    def _beat(self) -> None:
        # Written at once, so that a run has a worker as soon as it begins.
        self._write()
        while not self._stopped.wait(self._heartbeat.seconds * jitter(0.8, 1.0)):
            if _workers.peek(self._heartbeat) is not self:
                return  # the process has forgotten it
            self._write()

    def _write(self, *, ended: bool = False) -> None:
        try:
            with transaction(self._heartbeat.database, "write a heartbeat") as connection:
                dialect = dialect_of(connection)
                dialect.defer_flush(connection)  # a lost heartbeat comes again
                now = dialect.now(connection)
                dialect.upsert(connection, workers, [self._row(now, now if ended else None)])
            self.written.set()
        except SluiceError as error:
            _log.debug("the heartbeat is late: %s", error, extra={"service": "database"})

    def _row(self, now: datetime, ended: datetime | None) -> dict[str, Any]:
        with self._lock:
            counts, committed = self._counts, self._committed
            tables = {table: _some(counts) for table, counts in sorted(self._tables.items())}
        clock = time.monotonic()
        return {
            "name": self.name,
            "run": self._heartbeat.run,
            "started_at": now - timedelta(seconds=clock - self._started),
            "heartbeat_at": now,
            "ended_at": ended,
            "committed_at": None
            if committed is None
            else now - timedelta(seconds=clock - committed),
            **dict(counts),
            "figures": {**figures(), **({"tables": tables} if tables else {})},
        }


def _some(counts: Counts) -> dict[str, int]:
    return {name: number for name, number in counts if number}


_workers: PerProcess[Heartbeat, _Worker] = PerProcess(_Worker)
"""The workers of this process. A forked child has none, and starts its own."""


def names(timeout: float = 0.0) -> set[str]:
    """The names of this process's rows, once they are written; waits ``timeout`` seconds for that at most."""
    deadline = time.monotonic() + timeout
    return {
        worker.name
        for worker in _workers.values()
        if worker.written.wait(max(0.0, deadline - time.monotonic()))
    }


def stop_all() -> None:
    """Stop every heartbeat of this process: its pipelines are over."""
    for worker in _workers.clear():
        worker.stop()
