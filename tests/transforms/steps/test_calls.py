from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from tests.waiting import wait_until
from transforms import instruments
from transforms.errors import ServiceUnavailable
from transforms.steps import calls as calls_module
from transforms.steps.calls import Abandoned, Call, Calls, CallTimedOut


def never(_: Sequence[Call] = ()) -> bool:
    return False


def made(calls: Calls, arguments: Sequence[Any]) -> list[Call]:
    return calls.run(arguments, never, never)


@contextmanager
def calls_of(fn: Callable[[Any], Any], **options: Any) -> Iterator[Calls]:
    calls = Calls(fn, "Step", **options)
    yield calls
    calls.close()


class Gate:
    """A function whose calls wait until they are let through; how many wait is counted."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.waiting = 0
        self.most = 0
        self.lock = threading.Lock()

    def __call__(self, argument: int) -> int:
        with self.lock:
            self.waiting += 1
            self.most = max(self.most, self.waiting)
        assert self.opened.wait(60)
        with self.lock:
            self.waiting -= 1
        return -argument

    async def awaited(self, argument: int) -> int:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        while not self.opened.is_set():
            await asyncio.sleep(0.01)
        self.waiting -= 1
        return -argument


@pytest.mark.parametrize("kind", ["threads", "loop"])
def test_as_many_calls_are_made_at_once_as_allowed_and_results_come_in_order(kind: str) -> None:
    gate = Gate()
    with calls_of(gate if kind == "threads" else gate.awaited, concurrency=4) as calls:
        done: list[list[Call]] = []
        thread = threading.Thread(target=lambda: done.append(made(calls, range(10))))
        thread.start()
        wait_until(lambda: gate.waiting == 4, "four calls at once")
        gate.opened.set()
        thread.join()
    assert gate.most == 4
    assert [call.result for call in done[0]] == [-n for n in range(10)]


@pytest.mark.parametrize("kind", ["threads", "loop"])
def test_an_error_stays_with_its_call(kind: str) -> None:
    def halve(number: int) -> float:
        return 10 / number

    async def awaited(number: int) -> float:
        return 10 / number

    with calls_of(halve if kind == "threads" else awaited, concurrency=2) as calls:
        ended = made(calls, [5, 0, 2])
    assert [call.result for call in ended] == [2.0, None, 5.0]
    assert [type(call.error) for call in ended] == [type(None), ZeroDivisionError, type(None)]


def test_a_call_that_hangs_times_out_and_keeps_its_thread_until_it_returns() -> None:
    gate = Gate()

    def hang_at_one(number: int) -> int:
        return gate(number) if number == 1 else number

    with calls_of(hang_at_one, concurrency=2, timeout=0.5) as calls:
        assert instruments.measured().gauges["step_hung_calls"]["Step",] == 0
        ended = made(calls, range(4))
        assert [type(call.error) for call in ended] == [
            *(type(None), CallTimedOut, type(None), type(None)),
        ]
        assert instruments.measured().gauges["step_hung_calls"]["Step",] == 1
        gate.opened.set()
        wait_until(
            lambda: instruments.measured().gauges["step_hung_calls"]["Step",] == 0, "its thread"
        )


def test_once_every_thread_hangs_the_service_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls_module, "HANG_SECONDS", 0.01)
    gate = Gate()
    with calls_of(gate, concurrency=2, timeout=0.05) as calls:
        errors = [type(call.error) for call in made(calls, range(5))]
        assert errors == [CallTimedOut, CallTimedOut, ServiceUnavailable]
        assert str(made(calls, [0])[-1].error) == "no answer within 0.05 s", "a place to try"
        gate.opened.set()
        wait_until(lambda: not gate.waiting, "the threads")
        wait_until(lambda: made(calls, [7])[0].result == -7, "a thread for the next call")


@pytest.mark.parametrize("tries", [1, 3])
def test_calls_that_never_return_do_not_keep_others_from_a_service_that_is_back(
    tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls_module, "HANG_SECONDS", 0.01)
    gate, back = Gate(), threading.Event()

    def call(number: int) -> int:
        return number if back.is_set() else gate(number)

    with calls_of(call, concurrency=4, timeout=0.5) as calls:
        assert isinstance(made(calls, range(9))[-1].error, ServiceUnavailable)
        for _ in range(tries - 1):
            assert isinstance(made(calls, [0])[-1].error, CallTimedOut)
        back.set()
        assert made(calls, [5])[0].result == 5
        assert [call.result for call in made(calls, range(9))] == list(range(9))
        assert instruments.measured().gauges["step_hung_calls"]["Step",] == 4 + tries - 1
        gate.opened.set()
        wait_until(
            lambda: instruments.measured().gauges["step_hung_calls"]["Step",] == 0, "the threads"
        )
        assert [call.result for call in made(calls, range(9))] == list(range(9))


def test_threads_that_hang_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls_module, "HANG_SECONDS", 0.01)
    monkeypatch.setattr(calls_module, "MOST_HUNG", 3)
    gate = Gate()
    with calls_of(gate, concurrency=2, timeout=0.01) as calls:
        for _ in range(10):
            made(calls, range(5))
        wait_until(lambda: gate.waiting == 2 + 3, "the threads that hang")
        assert gate.most == 2 + 3
        gate.opened.set()


def test_a_task_that_times_out_is_cancelled_and_leaves_its_place() -> None:
    async def hang(number: int) -> int:
        await asyncio.sleep(3600 if number < 3 else 0)
        return number

    with calls_of(hang, concurrency=1, timeout=0.3) as calls:
        ended = made(calls, range(5))
    assert [call.result for call in ended] == [None, None, None, 3, 4]


def test_no_call_is_made_after_a_halt_and_those_under_way_are_gathered() -> None:
    with calls_of(lambda number: number, concurrency=1) as calls:
        ended = calls.run(range(10), lambda calls: len(calls) == 3, never)
    assert [call.result for call in ended] == [0, 1, 2]


def test_whoever_leaves_does_not_wait_for_calls_that_hang() -> None:
    gate = Gate()
    with calls_of(gate, concurrency=2) as calls:
        ended = calls.run(range(2), never, lambda: gate.waiting == 2)
        gate.opened.set()
    assert [type(call.error) for call in ended] == [Abandoned, Abandoned]


def test_two_bundles_share_the_calls_of_their_process() -> None:
    gate = Gate()
    with calls_of(gate, concurrency=3) as calls:
        threads = [threading.Thread(target=made, args=(calls, range(5))) for _ in range(2)]
        for thread in threads:
            thread.start()
        wait_until(lambda: gate.waiting == 3, "three calls at once")
        gate.opened.set()
        for thread in threads:
            thread.join()
    assert gate.most == 3


def test_calls_are_measured_by_their_step() -> None:
    instruments.reset()
    with calls_of(lambda number: 1 / number) as calls:
        made(calls, [1, 0, 2])
    measured = instruments.measured()
    assert measured.counters["step_calls"] == {("Step", "ok"): 2.0, ("Step", "error"): 1.0}
    assert measured.counters["step_busy_seconds"]["Step",] > 0
    assert measured.gauges["step_concurrency"] == {("Step",): 1}
    assert measured.gauges["step_queue_records"] == {("Step",): 0}


def test_what_goes_apart_runs_where_the_calls_run() -> None:
    async def loop(_: object) -> int:
        return id(asyncio.get_running_loop())

    async def prepared() -> int:
        return id(asyncio.get_running_loop())

    with calls_of(loop) as calls:
        assert calls.apart(prepared).result() == made(calls, [0])[0].result

    with calls_of(lambda _: threading.get_ident()) as calls:
        assert calls.apart(threading.get_ident).result() == made(calls, [0])[0].result
        with pytest.raises(ZeroDivisionError):
            calls.apart(lambda: 1 / 0).result()
