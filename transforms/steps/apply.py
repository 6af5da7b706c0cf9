"""Apply a function to each record of a batch, where no record fails its batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from transforms.batch.divide import divided
from transforms.batch.record import Failure, Origin, Record, RecordBatch
from transforms.batch.several import Several, with_several
from transforms.errors import Reject, RetryLater, Snooze, StepEnded
from transforms.frozen import maker_of
from transforms.refused import EXCEPTION, Refused
from transforms.steps.unavailable import verdict

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
        fn: Returns the new value, ``Several`` or ``Refused``, or raises: ``Drop``, ``Reject``, ``RetryLater``,
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
                elif type(value) is Refused:
                    gone.add(index)
                    target = None if batch.targets is None else batch.targets[index]
                    failures.append(
                        failure_at(batch, index, stage, EXCEPTION, value, target=target)
                    )
                    value = None
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
                failure = failure_of(batch.record(index), error, stage, quotes=quotes)
                failures.append(batch.of_target(failure, index))
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


def failure_at(
    batch: RecordBatch,
    index: int,
    stage: str,
    exception: str,
    refused: Refused,
    *,
    sqlstate: str | None = None,
    transient: bool = False,
    target: str | None = None,
) -> Failure:
    """The failure of the record at ``index``, as ``Failure.of`` makes it of the record and an exception.

    Args:
        batch: Where the record is.
        index: Its index there.
        stage: Where it has failed.
        exception: The name of the exception's class.
        refused: What else the exception says.
        sqlstate: The database's code, if it gave one.
        transient: Whether a later attempt may succeed.
        target: The table that its route has sent it to; None for the pipeline's own.
    """
    elements, expansions, headers = batch.elements, batch.expansions, batch.headers
    origin = _origin(
        *(batch.span.source, batch.span.partition, batch.offsets[index]),
        None if elements is None else elements[index],
        () if expansions is None else expansions[index],
    )
    return _failure(
        *(origin, batch.raws[index], batch.format, stage, refused.category, exception),
        *(refused.message, refused.stack, sqlstate, transient),
        None if batch.times is None else batch.times[index],
        None if batch.keys is None else batch.keys[index],
        () if headers is None else headers[index],
        *(None, None, target),
    )


_origin, _failure = maker_of(Origin), maker_of(Failure)


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
