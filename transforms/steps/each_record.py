"""Turn a per-record function into a step over batches, where no record fails its batch."""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import apache_beam as beam

import transforms.batch.coders  # noqa: F401  registers the coder of RecordBatch
from transforms import instruments
from transforms.batch.divide import divided
from transforms.batch.record import Failure, Origin, Record, RecordBatch
from transforms.batch.several import Several, with_several
from transforms.errors import Reject, RetryLater, Snooze, StepEnded
from transforms.steps import inline_calls
from transforms.steps import passage as passages
from transforms.steps import service as services
from transforms.steps.attempt import Outcome, UserStep, attempted, is_async
from transforms.steps.passage import SECONDS, Passage
from transforms.steps.service import Service, Waits
from transforms.steps.step_options import StepOptions
from transforms.steps.unavailable import reason_of, verdict

RecordFn = Callable[[Record], Record | Sequence[Record] | None]
"""A per-record step; returns the record with its new value, several of them, or None to drop it."""

CHUNK = 500
"""The most records in one uninterrupted call into C.

It bounds how long other threads (the writer) wait for the interpreter: 500 records of 2 µs take
a millisecond.
"""


class Drop(Exception):
    """Raised inside a step over values: leave this record out, on purpose."""


class GivenBack(Exception):
    """Raised inside a step over values: this record and those after it are not taken now.

    Args:
        offset: Of the record.
    """

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


def checked(record: Record, result: Any) -> Any:
    """The value that a step has returned for ``record``, or ``Several``.

    Raises:
        Drop: It returned None.
        TypeError: It returned something else than the record with other values.
    """
    if result is None:
        raise Drop
    if not isinstance(result, Record):
        return _several(record, result)
    if result is not record and (
        result.raw != record.raw
        or result.event_time != record.event_time
        or (result.origin is not record.origin and result.origin != record.origin)
    ):
        # A dead letter must hold what was read; otherwise it could not be replayed.
        raise TypeError(_MORE_THAN_VALUE)
    return result.value


def _several(record: Record, result: Any) -> Several:
    """The values of the records that a step made of ``record``.

    Raises:
        TypeError: It returned something else, or they differ from it in more than their values.
    """
    if not isinstance(result, (list, tuple)):
        raise TypeError(
            f"the step returned {type(result).__name__}; return a Record, a list of them, or None"
        )
    read = (record.raw, record.event_time, record.origin)
    for one in result:
        if isinstance(one, Record):
            if one is not record and (one.raw, one.event_time, one.origin) != read:
                raise TypeError(_MORE_THAN_VALUE)
        elif type(result) is not Several:
            raise TypeError(
                f"the step returned a list with {type(one).__name__}; return a list of Records, or "
                "Several(values)"
            )
    return Several(one.value if isinstance(one, Record) else one for one in result)


_MORE_THAN_VALUE = "the step changed more than the value; use record.with_value(...)"


def apply(batch: RecordBatch, fn: RecordFn, stage: str) -> RecordBatch:
    """``batch`` with ``fn`` applied to each record; those that fail become its failures.

    The argument is not modified; unchanged lists are shared with it.
    """

    def value_of(record: Record) -> Any:
        return checked(record, fn(record))

    return apply_to_values(batch, list(batch.records()), value_of, stage)


def apply_to_values(
    batch: RecordBatch,
    items: Sequence[Any],
    fn: Callable[[Any], Any],
    stage: str,
    whole: Callable[[Sequence[Any]], Sequence[Any] | None] | None = None,
    *,
    quotes: bool = True,
) -> RecordBatch:
    """``batch`` with the value ``fn(item)`` for each of ``items``, one per record.

    Args:
        batch: Where the items come from.
        items: The argument of ``fn`` for each record: its raw bytes, its value, or the record.
        fn: Returns the new value or ``Several``, or raises: ``Drop``, ``Reject``, ``RetryLater``,
            others. With ``GivenBack``, the result is the part of the batch before that record.
        stage: Names the step in failures.
        whole: Does the same for a whole chunk, and returns None if any of its items needs
            ``fn``, as one that becomes several does.
        quotes: Whether the texts of failures may quote what was read.

    Raises:
        StepEnded: ``fn`` raised ``MemoryError`` or ``SystemExit``.
    """
    values: list[Any] = []
    failures: list[Failure] = []
    gone: set[int] = set()
    filtered: list[int] = []
    expands = batch.ahead is not None
    for start in range(0, len(items), CHUNK):
        chunk = items[start : start + CHUNK]
        all_values = whole(chunk) if whole is not None else None
        if all_values is not None:
            values += all_values
            continue
        for index, item in enumerate(chunk, start):
            try:
                value = fn(item)
                if type(value) is Several:
                    expands = True
            except (MemoryError, SystemExit) as error:
                raise _ended(batch.record(index).origin, error, stage) from error
            except Drop:
                if batch.ahead is not None:
                    values.append(Several())
                    continue
                gone.add(index)
                filtered.append(batch.offsets[index])
                value = None
            except GivenBack as back:
                before = batch.keep(range(len(values)), None)
                part = _kept(before, values, gone, failures, filtered, stage, expands=expands)
                return divided(part, back.offset)[0]
            except Exception as error:  # noqa: BLE001 - kept, with its stack, in the failure
                gone.add(index)
                failures.append(failure_of(batch.record(index), error, stage, quotes=quotes))
                value = None
            values.append(value)
    return _kept(batch, values, gone, failures, filtered, stage, expands=expands)


def _kept(
    batch: RecordBatch,
    values: Sequence[Any],
    gone: set[int],
    failures: Sequence[Failure],
    filtered: Sequence[int],
    stage: str,
    *,
    expands: bool,
) -> RecordBatch:
    """``batch`` with ``values``, without the records that are ``gone``."""
    if expands:
        return with_several(batch, values, gone, failures, filtered, stage)
    if not gone:
        return batch.with_values(values)
    good = [index for index in range(len(values)) if index not in gone]
    return batch.keep(good, [values[index] for index in good], failures, filtered)


def _ended(origin: Origin, error: MemoryError | SystemExit, stage: str) -> StepEnded:
    """What ends the run: it must not go on without memory, or against the will of a step."""
    what = "ran out of memory" if isinstance(error, MemoryError) else f"called sys.exit({error})"
    return StepEnded(
        f"step {stage!r} {what} at offset {origin.offset} of {origin.source} (partition "
        f"{origin.partition}); nothing of this record's batch is settled, and the next run reads "
        "it again. A step that cannot use a record raises Reject"
    )


def failure_of(record: Record, error: Exception, stage: str, *, quotes: bool = True) -> Failure:
    """The failure of ``record`` for the exception that a step raised."""
    if isinstance(error, Reject):
        return Failure.of(record, stage, error.category, error, quotes=quotes)
    if isinstance(error, Snooze):
        return Failure.of(
            record, stage, "snoozed", error, transient=True, snooze=max(0.0, error.seconds)
        )
    if isinstance(error, RetryLater):
        return Failure.of(record, stage, "retry_later", error, transient=True)
    says = verdict(error)
    if says is not None:
        category = "timeout" if says == "timeout" else "service_error"
        return Failure.of(record, stage, category, error, transient=True)
    return Failure.of(record, stage, "exception", error, quotes=quotes)


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
            return tuple(self._parts(batch))

    def _parts(self, batch: RecordBatch) -> Iterator[RecordBatch]:
        """What the step takes of ``batch``; it waits for its service where no reader can."""
        service, passage = services.of(self._step), passages.current(batch)
        while True:
            part, back_from, away = self._take(batch, service, passage)
            whole = batch.claim is not None
            if back_from is None or not (whole or part is None):
                assert part is not None  # noqa: S101 - one of them is there
                yield part if back_from is None else _with_content(part, passage)
            if back_from is None:
                return
            if part is None or whole:
                back_from = batch.span.start
            wait = service.away(away) if away else 0.0
            if passage is not None:
                passage.give_back(back_from)
                return
            time.sleep(wait)
            if not whole:
                batch = divided(batch, back_from)[1]

    def _take(
        self, batch: RecordBatch, service: Service, passage: Passage | None
    ) -> tuple[RecordBatch | None, int | None, str]:
        """Returns what was taken, the offset of what was not, and why the service is away."""
        taking = _Taking(self._step, service, batch, passage)
        if self._plain:
            with inline_calls.calling(self._step.label):
                part = taking.one_by_one()
        else:
            part = taking.side_by_side()
        if taking.back_from is not None and not part.read:
            return None, taking.back_from, taking.away
        return part, taking.back_from, taking.away


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


def _with_content(part: RecordBatch, passage: Passage | None) -> RecordBatch:
    """``part``, the first of a batch, with the bytes of its span."""
    content = None if passage is None else passage.content(part.span.end)
    return replace(part, span=replace(part.span, content=content))
