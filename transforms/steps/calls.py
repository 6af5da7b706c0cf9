"""Calls of one function, side by side and in order, in this process.

The threads are daemons of our own: one that hangs in a call keeps neither the bundle nor the process. An
``async`` function runs on one event loop, on a thread of its own. Results are gathered in the order in
which the calls were made.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from inspect import isawaitable, iscoroutinefunction
from queue import SimpleQueue
from typing import Any

from transforms import instruments
from transforms.background import in_background
from transforms.errors import ServiceUnavailable
from transforms.steps.rate import Rate

HANG_SECONDS = 1.0
"""How long all calls may hang before nobody waits for a place; a cancelled task needs a moment."""

MOST_HUNG = 1_000
"""How many threads may hang, beside those of the concurrency."""

_LOOK_SECONDS = 0.1
"""How often a thread that waits for calls asks whether it should stop."""


class CallTimedOut(TimeoutError):
    """A call did not return within the ``timeout`` of its step."""


class Abandoned(Exception):
    """Nobody waits for the call any more: the run ends."""


@dataclass(slots=True, eq=False)
class Call:
    """One call.

    Attributes:
        argument: What the function is called with.
        started: Since when (monotonic seconds).
        seconds: How long it took; until it ends, None.
        result: What it returned.
        error: What it raised, or ``CallTimedOut`` or ``Abandoned``.
        given_up: Whether it may go on although nobody waits for it.
        written_off: Whether its place was given to another call meanwhile.
    """

    argument: Any
    started: float = field(default_factory=time.monotonic)
    seconds: float | None = None
    result: Any = None
    error: BaseException | None = None
    given_up: bool = False
    written_off: bool = False


class Calls:
    """Makes calls of one function for all bundles of this process.

    Args:
        fn: The function, ``async`` or not.
        label: Of its step, for threads, metrics and messages.
        concurrency: The most calls at once.
        timeout: Seconds for each call, or None.
        rate: The most calls a second, or None.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        label: str,
        concurrency: int = 1,
        timeout: float | None = None,
        rate: float | None = None,
    ) -> None:
        self._fn = fn
        self._label = label
        self._concurrency = concurrency
        self._timeout = timeout
        self._rate = None if rate is None else Rate(rate)
        self._changed = threading.Condition()
        self._free = concurrency
        self._running = 0
        self._hung: set[Call] = set()
        self._written_off = 0
        self._said_so = False
        self._hung_since = time.monotonic()
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._awaited: dict[Call, asyncio.Task[None]] = {}
        if iscoroutinefunction(fn):
            self._loop = asyncio.new_event_loop()
            in_background(self._run_loop, f"step {label}")
        instruments.hold("step_concurrency", concurrency, label)
        instruments.hold("step_hung_calls", 0, label)

    def run(
        self,
        arguments: Sequence[Any],
        halted: Callable[[Sequence[Call]], bool],
        leaving: Callable[[], bool],
    ) -> list[Call]:
        """Call the function with one argument after another.

        Args:
            arguments: What to call it with.
            halted: Asked before each call, with the calls so far: whether to make no more.
            leaving: Asked while waiting: whether to wait no longer for calls that were made.

        Returns:
            The calls that were made, in order, each with its result or error. Calls that were
            not made any more are left out.
        """
        calls: list[Call] = []
        flight: deque[Call] = deque()
        looked = 0.0
        for index, argument in enumerate(arguments):
            try:
                if not self._take_slot(calls, flight, halted):
                    break
            except ServiceUnavailable as error:
                calls.append(Call(argument, seconds=0.0, error=error))
                break
            call = Call(argument)
            calls.append(call)
            flight.append(call)
            if call.started > looked + _LOOK_SECONDS:
                looked = call.started
                instruments.hold("step_queue_records", len(arguments) - index, self._label)
            self._begin(call)
        while flight:
            self._wait(flight, leaving())
        self._measure(calls)
        return calls

    def apart(self, function: Callable[[], Any]) -> Future[Any]:
        """Call ``function`` where the calls are made, and await it if it is ``async``."""
        if self._loop is not None:

            async def called() -> Any:
                result = function()
                return await result if isawaitable(result) else result

            return asyncio.run_coroutine_threadsafe(called(), self._loop)
        future: Future[Any] = Future()

        def work() -> None:
            try:
                future.set_result(function())
            except BaseException as error:  # noqa: BLE001 - raised where the result is taken
                future.set_exception(error)

        self._put(work)
        return future

    def close(self) -> None:
        """Let idle threads end."""
        for _ in range(self._threads):
            self._tasks.put(None)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)

    def _run_loop(self) -> None:
        assert self._loop is not None  # noqa: S101 - it runs the loop
        self._loop.run_forever()
        tasks = list(self._awaited.values())
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.wait(tasks, timeout=HANG_SECONDS))
        self._loop.close()

    def _take_slot(
        self,
        calls: Sequence[Call],
        flight: deque[Call],
        halted: Callable[[Sequence[Call]], bool],
    ) -> bool:
        """Wait until another call may be made; False if none should be."""
        while not halted(calls):
            with self._changed:
                if len(self._hung) < self._concurrency:
                    self._hung_since, self._said_so = time.monotonic(), False
                elif not flight and time.monotonic() - self._hung_since > HANG_SECONDS:
                    self._all_hang()
                free = self._free > 0
                if not free:
                    self._changed.wait(self._pause(flight))
            if free:
                pause = 0.0 if self._rate is None else self._rate.wait()
                if not pause:
                    with self._changed:
                        if self._free > 0:
                            self._free -= 1
                            self._running += 1
                            return True
                else:
                    time.sleep(min(pause, _LOOK_SECONDS))
            self._expire(flight)
        return False

    def _all_hang(self) -> None:
        """Say that the service is away; whoever tries it again after that gets a place for one call.

        Calls to a service that has vanished may never return, even when it is back.
        """
        if self._said_so and len(self._hung) + self._written_off < MOST_HUNG + self._concurrency:
            self._free = max(self._free, 1)
            return
        self._said_so = True
        hung = len(self._hung)
        calls = "its only call has" if hung == 1 else f"all {hung} calls have"
        raise ServiceUnavailable(f"{calls} timed out and still not returned")

    def _begin(self, call: Call) -> None:
        call.started = time.monotonic()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._begin_task, call)
            return
        self._put(lambda: self._make(call))

    def _put(self, work: Callable[[], None]) -> None:
        with self._changed:
            busy = self._running + len(self._hung) + self._written_off
            new = self._threads < max(1, busy)
            self._threads += new
        if new:
            in_background(self._work, f"step {self._label}")
        self._tasks.put(work)

    def _work(self) -> None:
        while (work := self._tasks.get()) is not None:
            work()

    def _make(self, call: Call) -> None:
        try:
            result = self._fn(call.argument)
        except BaseException as error:  # noqa: BLE001 - raised again where it is gathered
            self._end(call, None, error)
        else:
            self._end(call, result, None)

    def _begin_task(self, call: Call) -> None:
        assert self._loop is not None  # noqa: S101 - the loop calls this
        self._awaited[call] = self._loop.create_task(self._await(call))

    async def _await(self, call: Call) -> None:
        try:
            result = await self._fn(call.argument)
        except BaseException as error:  # noqa: BLE001 - raised again where it is gathered
            del self._awaited[call]
            self._end(call, None, error)
        else:
            del self._awaited[call]
            self._end(call, result, None)

    def _end(self, call: Call, result: Any, error: BaseException | None) -> None:
        with self._changed:
            if call.written_off:
                self._written_off -= 1
            elif call.given_up:
                self._hung.remove(call)
                self._free += 1
            else:
                call.result, call.error = result, error
                call.seconds = time.monotonic() - call.started
                self._running -= 1
                self._free += 1
                if len(self._hung) >= self._concurrency:  # the service answers again
                    self._write_off()
            if call.given_up:
                self._count_hung()
            self._changed.notify_all()

    def _write_off(self) -> None:
        """Give the places of the calls that hang to others; the lock is held."""
        for call in self._hung:
            call.written_off = True
        self._written_off += len(self._hung)
        self._hung.clear()
        self._free = self._concurrency - self._running

    def _count_hung(self) -> None:
        hung = len(self._hung) + self._written_off
        instruments.hold("step_hung_calls", hung, self._label)

    def _wait(self, flight: deque[Call], leaving: bool) -> None:
        """Wait a little for the first call in flight, or for none if ``leaving``."""
        with self._changed:
            if leaving:
                for call in flight:
                    if call.seconds is None:
                        self._give_up(call, Abandoned())
            elif flight[0].seconds is None:
                self._changed.wait(self._pause(flight))
        self._expire(flight)

    def _pause(self, flight: deque[Call]) -> float:
        if self._timeout is None or not flight:
            return _LOOK_SECONDS
        return max(0.0, min(_LOOK_SECONDS, self._timeout - (time.monotonic() - flight[0].started)))

    def _expire(self, flight: deque[Call]) -> None:
        """Take the calls that have ended from the head of ``flight``; those whose time is up end."""
        now = time.monotonic()
        while flight:
            head = flight[0]
            with self._changed:
                if head.seconds is None:
                    if self._timeout is None or now < head.started + self._timeout:
                        return
                    late = f"no answer within {self._timeout:g} s"
                    self._give_up(head, CallTimedOut(late))
            flight.popleft()

    def _give_up(self, call: Call, error: Exception) -> None:
        """End a call that goes on; the lock is held."""
        call.given_up = True
        call.error = error
        call.seconds = time.monotonic() - call.started
        self._running -= 1
        self._hung.add(call)
        self._count_hung()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._cancel, call)

    def _cancel(self, call: Call) -> None:
        task = self._awaited.get(call)
        if task is not None:
            task.cancel()

    def _measure(self, calls: Sequence[Call]) -> None:
        if not calls:
            return
        late = sum(isinstance(call.error, CallTimedOut) for call in calls)
        failed = sum(call.error is not None for call in calls) - late
        for result, number in (
            *(("ok", len(calls) - failed - late), ("error", failed)),
            ("timeout", late),
        ):
            if number:
                instruments.add("step_calls", number, self._label, result)
        instruments.add(
            "step_busy_seconds", sum(call.seconds or 0.0 for call in calls), self._label
        )
        instruments.hold("step_queue_records", 0, self._label)
