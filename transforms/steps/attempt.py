"""One attempt at a batch by calls side by side: which records they took, and where they stopped."""

from __future__ import annotations

import atexit
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import TimeoutError as NoResult
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any

from transforms.batch.record import Record, RecordBatch
from transforms.errors import RetryLater, SluiceError
from transforms.per_process import PerProcess
from transforms.steps.calls import Abandoned, Call, Calls
from transforms.steps.passage import SECONDS, Passage
from transforms.steps.service import Service, Waits
from transforms.steps.source_function import SourceFunction
from transforms.steps.step_options import StepOptions
from transforms.steps.unavailable import reason_of, verdict

_GRACE_SECONDS = 3.0
"""How long a drain waits for calls that were made."""

_CLOSE_SECONDS = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UserStep:
    """A function of the user's, and how it is called. Copies of one step are equal.

    Attributes:
        fn: The function.
        label: Of the step.
        options: How it is called.
        waits: How long to wait for its service.
        token: What its copies have in common.
    """

    fn: Callable[..., Any]
    label: str
    options: StepOptions
    waits: Waits
    token: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UserStep) and other.token == self.token

    def __hash__(self) -> int:
        return hash(self.token)

    def service(self) -> Service:
        """What is known of its service at first."""
        return Service(self.label, self.waits)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the function did with one record: its result, or what it raised."""

    record: Record
    result: Any = None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of a batch.

    Attributes:
        outcomes: Of its first records, in order.
        back_from: The index of the first record that was not taken; None if all were.
        away: Why the service is away; empty if it is not.
    """

    outcomes: Sequence[Outcome]
    back_from: int | None = None
    away: str = ""


def attempted(
    step: UserStep, service: Service, batch: RecordBatch, passage: Passage | None
) -> Attempt:
    """Call the function of ``step`` with the records of ``batch``, as its options say.

    Raises:
        SluiceError: The client cannot be made.
    """
    try:
        running = _RUNNING.get(step)
    except Exception as error:
        if verdict(error) in ("away", "timeout"):
            return Attempt((), 0, reason_of(error))
        raise SluiceError(
            f"setup of step {step.label!r} failed: {type(error).__name__}: {error}"
        ) from error
    return _Attempt(running, service, batch, passage).made()


class _Running:
    """The calls of one step in this process, and their client."""

    def __init__(self, step: UserStep) -> None:
        options = step.options
        self.step = step
        self.size = options.batch or 1
        self._client: Any = None
        self.calls = Calls(
            self._function(), step.label, options.concurrency, options.timeout, options.rate
        )
        if options.setup is not None:
            try:
                self._client = self.calls.apart(options.setup).result()
            except BaseException:
                self.calls.close()
                raise

    def _function(self) -> Callable[[Any], Any]:
        fn = self.step.fn
        client = self.step.options.setup is not None
        if is_async(fn):

            async def awaited(argument: Any) -> Any:
                return await (fn(argument, self._client) if client else fn(argument))

            return awaited
        return (lambda argument: fn(argument, self._client)) if client else fn

    def close(self) -> None:
        """Close the client, if the step says how, and let the threads end."""
        teardown = self.step.options.teardown
        if teardown is not None:
            closing = self.calls.apart(lambda: teardown(self._client))
            try:
                closing.result(_CLOSE_SECONDS)
            except NoResult:
                _log.warning("teardown of step %r has not returned; left alone", self.step.label)
            except Exception as error:  # noqa: BLE001 - the run is over, and settled
                _log.warning("teardown of step %r failed: %s", self.step.label, error)
        self.calls.close()


_RUNNING: PerProcess[UserStep, _Running] = PerProcess(_Running)


def close_steps() -> None:
    """Close the clients of all steps of this process, and let their threads end."""
    for running in _RUNNING.clear():
        running.close()


atexit.register(close_steps)


def is_async(fn: object) -> bool:
    """Whether calls of ``fn`` are awaited."""
    fn = fn.__wrapped__ if isinstance(fn, SourceFunction) else fn
    return iscoroutinefunction(fn) or iscoroutinefunction(getattr(fn, "__call__", None))  # noqa: B004


class _Attempt:
    """See ``attempted``."""

    def __init__(
        self, running: _Running, service: Service, batch: RecordBatch, passage: Passage | None
    ) -> None:
        self._running = running
        self._service = service
        self._batch = batch
        self._passage = passage
        self._records = list(batch.records())
        self._began = time.monotonic()
        self._unjudged: list[Call] = []
        self._judged = 0
        self._away = ""
        self._draining_since: float | None = None

    def made(self) -> Attempt:
        size = self._running.size
        if self._running.step.options.batch is None:
            arguments: list[Any] = self._records
        else:
            arguments = [
                self._records[low : low + size] for low in range(0, len(self._records), size)
            ]
        calls = self._running.calls.run(arguments, self._halted, self._leaving)
        self._judge(calls)
        outcomes = list(self._outcomes(calls[: self._taken(calls)]))
        self._learn(calls, len(outcomes))
        _let_go(calls)
        back = None if len(outcomes) == len(self._records) else len(outcomes)
        return Attempt(outcomes, back, self._away)

    def _halted(self, calls: Sequence[Call]) -> bool:
        """Whether no more calls should be made."""
        self._judge(calls)
        if self._away or self._draining():
            return True
        if self._passage is None or self._passage.whole or not calls:
            return False
        if time.monotonic() - self._began < SECONDS:
            return False
        offsets, index = self._batch.offsets, len(calls) * self._running.size
        return offsets[index] != offsets[index - 1]  # the records of one message stay together

    def _draining(self) -> bool:
        return self._passage is not None and self._passage.draining()

    def _leaving(self) -> bool:
        if not self._draining():
            return False
        if self._draining_since is None:
            self._draining_since = time.monotonic()
        return time.monotonic() - self._draining_since > _GRACE_SECONDS

    def _judge(self, calls: Sequence[Call]) -> None:
        """Take note of what ended calls say of the service."""
        self._unjudged += calls[self._judged :]
        self._judged = len(calls)
        if not self._unjudged:
            return
        left = []
        for call in self._unjudged:
            if call.seconds is None:
                left.append(call)
                continue
            says = None if call.error is None else verdict(call.error)
            if isinstance(call.error, Abandoned):
                continue
            if says == "away":
                self._away = self._away or reason_of(call.error)  # type: ignore[arg-type]
            elif not self._away:
                self._service.answered(in_time=says != "timeout")
                if self._service.silent:
                    self._away = "calls time out, one after another"
        self._unjudged = left

    def _taken(self, calls: Sequence[Call]) -> int:
        """How many calls, from the first on, have an outcome that stands."""
        count = next(
            (
                index
                for index, call in enumerate(calls)
                if call.error is not None
                and (isinstance(call.error, Abandoned) or verdict(call.error) == "away")
            ),
            len(calls),
        )
        if self._service.silent:  # none of its time-outs is the fault of a record
            while count and _timed_out(calls[count - 1]):
                count -= 1
        return count

    def _outcomes(self, calls: Sequence[Call]) -> Iterator[Outcome]:
        if self._running.step.options.batch is None:
            for call in calls:
                yield Outcome(call.argument, call.result, call.error)
            return
        for call in calls:
            group: Sequence[Record] = call.argument
            if call.error is None:
                yield from _shared_out(group, call.result)
            elif len(group) == 1 or isinstance(call.error, RetryLater) or _timed_out(call):
                yield from (Outcome(record, error=call.error) for record in group)
            else:
                single = [[record] for record in group]
                again = self._running.calls.run(single, self._halted_for_good, self._leaving)
                taken = again[: self._taken(again)]
                for one in taken:
                    if one.error is not None:
                        yield Outcome(one.argument[0], error=one.error)
                    else:
                        yield from _shared_out(one.argument, one.result)
                if len(taken) < len(single):
                    self._away = self._away or next(
                        (reason_of(c.error) for c in again if c.error is not None), ""
                    )
                _let_go(again)
                if len(taken) < len(single):
                    return

    def _halted_for_good(self, calls: Sequence[Call]) -> bool:
        return self._draining() or any(
            call.error is not None and verdict(call.error) == "away" for call in calls
        )

    def _learn(self, calls: Sequence[Call], records: int) -> None:
        options = self._running.step.options
        spent = sum(call.seconds or 0.0 for call in calls)
        capacity = 0.0
        if calls and spent:
            capacity = options.concurrency * self._running.size * SECONDS * len(calls) / spent
            if options.rate is not None:
                capacity = min(capacity, options.rate * self._running.size * SECONDS)
        self._service.took(records, time.monotonic() - self._began, capacity)


def _let_go(calls: Sequence[Call]) -> None:
    """Forget what calls have raised, once it is in the outcomes.

    The stack of an error holds its call: as a circle, the two would keep what the error holds, such as a
    socket, until garbage is collected.
    """
    for call in calls:
        call.error = None


def _timed_out(call: Call) -> bool:
    return call.error is not None and verdict(call.error) == "timeout"


def _shared_out(group: Sequence[Record], results: Any) -> Iterator[Outcome]:
    """The outcome of each record of a group."""
    if not isinstance(results, list | tuple) or len(results) != len(group):
        what = f"{len(results)} results" if isinstance(results, list | tuple) else "no list"
        error = TypeError(
            f"the step returned {what} for {len(group)} records "
            f"({type(results).__name__}); return a list with one result for each"
        )
        yield from (Outcome(record, error=error) for record in group)
        return
    for record, result in zip(group, results, strict=True):
        if isinstance(result, Exception):
            yield Outcome(record, error=result)
        else:
            yield Outcome(record, result)
