"""Turn a per-record function into a step over batches, where no record fails its batch."""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import apache_beam as beam

import transforms.batch.coders  # noqa: F401  registers the coder of RecordBatch
from transforms import instruments
from transforms.batch.record import Record, RecordBatch
from transforms.steps import inline_calls
from transforms.steps import service as services
from transforms.steps.apply import GivenBack, apply_to_values, checked
from transforms.steps.attempt import Outcome, UserStep, attempted, is_async
from transforms.steps.passage import SECONDS, Passage
from transforms.steps.service import Service, Taken, Waits, parts_taken
from transforms.steps.step_options import StepOptions
from transforms.steps.unavailable import reason_of, verdict


class EachRecord(beam.PTransform):
    """Apply ``fn`` to every record of every ``RecordBatch``.

    ``fn`` returns the record with its new value (``record.with_value``), or None to drop
    it. It may return a list of such records, or ``Several`` of their values, which are written in
    this order; an empty list drops the record. An exception is kept with its record and affects no
    other. ``Reject`` makes the record a dead letter, ``RetryLater`` schedules another attempt (``Snooze``: without using an attempt).
    A call that times out, or that a service answers with a server's error (500, 502, 504), is tried
    again as well; any other exception makes the record a dead letter of category ``exception``, with its
    stack. ``MemoryError`` and ``SystemExit`` end the run (``StepEnded``).

    Where the service itself is away (connection errors, HTTP 429 and 503, ``ServiceUnavailable``, or 20
    time-outs in a row), nothing is settled: the source waits, at most for the outage budget.

    The record that ``fn`` returns may differ in its value only: the rest is needed for a replay. A
    record that became several is tried again as the one of them that failed: ``fn`` is applied to
    the whole once more, and must make as many of it as before.
    Results are gathered in order. After a crash, ``fn`` may see a record again.

    Args:
        fn: The step, ``async`` or not. Picklable; it must not modify the value of its record in place.
        label: Names the step in the pipeline and, as ``stage``, in its failures.
        concurrency: The most calls at once in each process: threads, or tasks of one event loop.
        timeout: Seconds for each call. A call of a plain function that takes longer keeps its thread.
        rate: The most calls a second in each process.
        batch: Call ``fn`` with a list of up to so many records; it returns one result for each.
        setup: Makes a client, once in each process: the second argument of ``fn``.
        teardown: Closes the client when the process is done.

    Raises:
        ConfigError: An option makes no sense.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        label: str,
        concurrency: int = 1,
        timeout: float | None = None,
        rate: float | None = None,
        batch: int | None = None,
        setup: Callable[[], Any] | None = None,
        teardown: Callable[[Any], Any] | None = None,
    ) -> None:
        super().__init__(label)
        self._fn = fn
        self._stage = label
        self._options = StepOptions(concurrency, timeout, rate, batch, setup, teardown)
        self._waits = Waits()

    def waiting(self, waits: Waits) -> None:
        """Wait for its service as ``waits`` says; a program tells it to each of its steps."""
        self._waits = waits

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        step = UserStep(self._fn, self._stage, self._options, self._waits, uuid4().hex)
        return batches | "Apply" >> beam.ParDo(_EachRecordFn(step)).with_input_types(
            RecordBatch
        ).with_output_types(RecordBatch)


class _EachRecordFn(beam.DoFn):
    """Applies a step, and gives back what it cannot take now (``transforms.steps.passage``)."""

    def __init__(self, step: UserStep) -> None:
        self._step = step
        self._plain = step.options.plain and not is_async(step.fn)

    def setup(self) -> None:
        services.of(self._step)  # so that the first batch is a small one

    def process(self, batch: RecordBatch) -> Sequence[RecordBatch]:
        with instruments.stage("step"):
            return tuple(parts_taken(batch, services.of(self._step), self._take))

    def _take(self, batch: RecordBatch, passage: Passage | None) -> Taken:
        taking = _Taking(self._step, services.of(self._step), batch, passage)
        if self._plain:
            with inline_calls.calling(self._step.label):
                part = taking.one_by_one()
        else:
            part = taking.side_by_side()
        if taking.back_from is not None and not part.read:
            return Taken(None, taking.back_from, taking.away)
        return Taken(part, taking.back_from, taking.away)


class _Taking:
    """One try of a step at a batch."""

    def __init__(
        self, step: UserStep, service: Service, batch: RecordBatch, passage: Passage | None
    ) -> None:
        self._step = step
        self._service = service
        self._batch = batch
        self._passage = passage
        self.back_from: int | None = None
        self.away = ""

    def one_by_one(self) -> RecordBatch:
        """Call the function in this thread."""
        fn, clock, began = self._step.fn, time.monotonic, time.monotonic()
        bounded = self._passage is not None and not self._passage.whole
        deadline = began + SECONDS if bounded else math.inf

        def value_of(record: Record) -> Any:
            if clock() > deadline:
                self._stop_after_message(record)
            try:
                result = fn(record)
            except Exception as error:
                self._judge(record, error)
                raise
            return checked(record, result)

        self._late: int | None = None
        self._last_timeout = -2
        part = apply_to_values(self._batch, list(self._batch.records()), value_of, self._step.label)
        seconds = clock() - began
        if not self.away and part.read and self._last_timeout != len(self._batch.raws) - 1:
            self._service.answered()
        offsets = self._batch.offsets
        taken = len(offsets) if self.back_from is None else bisect_left(offsets, self.back_from)
        self._service.took(taken, seconds)
        instruments.add("step_busy_seconds", seconds, self._step.label)
        return part

    def _stop_after_message(self, record: Record) -> None:
        """Its time is up: stop at the first record of the next message."""
        offset = record.origin.offset
        if self._late is None:
            self._late = offset
        elif offset != self._late:
            self._give_back(offset)

    def _judge(self, record: Record, error: Exception) -> None:
        says = verdict(error)
        if says == "away":
            self.away = reason_of(error)
        elif says == "timeout":
            index = bisect_left(self._batch.offsets, record.origin.offset)
            if index != self._last_timeout + 1 and self._last_timeout >= 0:
                self._service.answered()
            self._last_timeout = index
            self._service.answered(in_time=False)
            if self._service.silent:
                self.away = "calls time out, one after another"
        if self.away:
            self._give_back(record.origin.offset)

    def _give_back(self, offset: int) -> None:
        self.back_from = offset
        raise GivenBack(offset)

    def side_by_side(self) -> RecordBatch:
        """Make calls as the options of the step say."""
        attempt = attempted(self._step, self._service, self._batch, self._passage)
        self.away = attempt.away
        index = attempt.back_from
        if index is not None:
            self.back_from = self._batch.offsets[index]

        def value_of(outcome: Outcome) -> Any:
            if outcome.error is not None:
                raise outcome.error
            return checked(outcome.record, outcome.result)

        items: list[Any] = list(attempt.outcomes)
        if self.back_from is not None:
            items.append(Outcome(self._batch.record(len(items)), error=GivenBack(self.back_from)))
        return apply_to_values(self._batch, items, value_of, self._step.label)
