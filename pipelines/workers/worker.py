"""What a worker process does: it reads the splits that it is assigned, through the whole pipeline."""

from __future__ import annotations

import copy
import logging
import os
import threading
import traceback
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Protocol

import apache_beam as beam
from apache_beam.internal import pickler

from pipelines import execution
from pipelines.ingestion import stuck_step
from pipelines.ingestion.config import IngestConfig, RunConfig
from pipelines.workers.messages import (
    Begin,
    Drain,
    Elsewhere,
    Ended,
    Failed,
    Logged,
    Report,
    Snapshot,
)
from runners.runner import Runner
from runners.workers.pool import Line, received
from sinks.sql import SqlSink
from transforms.batch.splits import Split
from transforms.errors import SluiceError
from transforms.read import assigned
from transforms.settle import dead_budget

REPORT_SECONDS = 0.25
"""Between two snapshots."""


class Build(Protocol):
    """Builds the pipeline of an ingestion."""

    def __call__(
        self,
        pipeline: beam.Pipeline,
        config: IngestConfig,
        sink: SqlSink,
        runner: Runner,
        *,
        planned_elsewhere: Collection[str],
    ) -> object: ...


def serve(line: Line, config: IngestConfig, run: RunConfig, build: Build) -> None:
    """Wait until there is something to read; read it, and report how that ended.

    Args:
        line: This worker's end of its line.
        config: As the program was called; the order to begin replaces what was found out since.
        run: How the program runs.
        build: Builds the pipeline.
    """
    begin = received(line.orders)
    if not isinstance(begin, Begin):
        return  # the run has ended before it began
    reports = _Reports(line)
    reports.take_logs()
    sources, sink = pickler.loads(begin.payload)
    config = replace(config, sources=sources)
    assigned.ask_with(lambda: _asked(line))
    threading.Thread(target=_listen, args=(line,), name="orders", daemon=True).start()
    threading.Thread(target=reports.repeat, name="reports", daemon=True).start()
    last: Ended | Failed
    try:
        with execution.empty_pipeline(run.runner, run.beam_options) as pipeline:
            build(pipeline, config, sink, run.runner, planned_elsewhere=begin.elsewhere)
            _, signals = execution.execute(
                pipeline, run.runner, streaming=config.streaming, stop=stuck_step.stop
            )
        last = Ended(Snapshot.taken(), tuple(signals))
    except Exception as error:  # noqa: BLE001 - it is raised again where the run was started
        own = error if isinstance(error, SluiceError) else None
        last = Failed(Snapshot.taken(), own, str(error), traceback.format_exc())
    reports.end(last)


class _Reports:
    """What this worker reports, from all of its threads."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def take_logs(self) -> None:
        """Report lines of the log instead of writing them."""
        logging.getLogger().handlers = [_Handler(self.send)]

    def repeat(self) -> None:
        """Report snapshots until the end."""
        while not self._ended.wait(REPORT_SECONDS):
            self.send(Snapshot.taken())

    def send(self, report: Report) -> None:
        """Report; nobody may be left who hears it."""
        with self._lock:
            if not self._ended.is_set():
                self._send(report)

    def end(self, last: Ended | Failed) -> None:
        """Report for the last time."""
        with self._lock:
            self._ended.set()
            self._send(last)

    def _send(self, report: Report) -> None:
        try:
            self._line.orders.send(report)
        except OSError:
            os._exit(1)  # the run has ended; whoever runs it again reads what is not settled


class _Handler(logging.Handler):
    """Passes records on as what they say, without what cannot leave the process."""

    def __init__(self, send: Callable[[Logged], None]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        said = copy.copy(record)
        said.msg, said.args = record.getMessage(), None
        if record.exc_info:
            said.exc_text = logging.Formatter().formatException(record.exc_info)
            said.exc_info = None
        self._send(Logged(said))


def _asked(line: Line) -> Split | None:
    """The next split that this worker is assigned."""
    line.requests.send(None)
    split: Split | None = line.requests.recv()
    return split


def _listen(line: Line) -> None:
    """Do as the run says; once it is gone, end at once, as it has."""
    while (order := received(line.orders)) is not None:
        if isinstance(order, Drain):
            stuck_step.stop()
        elif isinstance(order, Elsewhere):
            dead_budget.elsewhere(order.dead)
    os._exit(1)
