"""Worker processes: they wait for orders, end with their line, and say how they ended."""

from __future__ import annotations

import errno
import os
import signal
import time

import pytest

from runners.runner import RunnerUnavailable
from runners.workers.pool import Line, forked, received


def echo(line: Line) -> None:
    """Answers every order by its double, until the line is cut."""
    while (order := received(line.orders)) is not None:
        line.orders.send(order * 2)


def alone(line: Line) -> None:
    """Says which process it is, and waits for an order."""
    line.orders.send(os.getpid())
    received(line.orders)


def test_each_worker_has_a_line_of_its_own() -> None:
    with forked(3, echo) as workers:
        for worker in workers:
            worker.line.orders.send(worker.index + 10)
        assert [received(worker.line.orders) for worker in workers] == [20, 22, 24]
        assert len({worker.pid for worker in workers}) == 3
    assert [worker.status for worker in workers] == [0, 0, 0]


def test_one_worker_would_be_this_process() -> None:
    with forked(1, echo) as workers:
        assert list(workers) == []


def test_a_worker_whose_line_is_cut_ends_although_its_siblings_live() -> None:
    with forked(2, alone) as (first, second):
        assert received(first.line.orders) == first.pid
        assert received(second.line.orders) == second.pid
        first.line.close()
        assert first.ended(30)
        assert not second.ended()


def test_it_is_said_how_a_worker_ended() -> None:
    with forked(2, alone) as (first, second):
        for worker in (first, second):
            assert received(worker.line.orders) == worker.pid
        assert first.end_in_words == "does not answer"
        os.kill(first.pid, signal.SIGKILL)
        assert first.ended(30)
        assert received(first.line.orders) is None
        assert first.end_in_words == "was killed by SIGKILL"
    assert second.end_in_words == "ended with exit code 0"


def test_what_a_worker_does_not_catch_is_its_exit_code() -> None:
    def fail(line: Line) -> None:
        line.orders.recv()  # ends when the line is cut

    with forked(2, fail) as workers:
        pass
    assert [worker.end_in_words for worker in workers] == ["ended with exit code 1"] * 2


def test_signals_that_ask_to_stop_leave_a_waiting_worker_alone() -> None:
    with forked(2, echo) as (first, second):
        for number in (signal.SIGINT, signal.SIGTERM):
            # Only once it answers has it begun to ignore them.
            first.line.orders.send(1)
            assert received(first.line.orders) == 2
            os.kill(first.pid, number)
        first.line.orders.send(21)
        assert received(first.line.orders) == 42
        assert not second.ended()


def test_the_process_that_is_gone_takes_its_workers_with_it() -> None:
    reader, writer = os.pipe()
    parent = os.fork()
    if not parent:
        os.close(reader)
        with forked(2, echo) as workers:
            os.write(writer, b" ".join(b"%d" % worker.pid for worker in workers))
            time.sleep(60)
    os.close(writer)
    pids = [int(pid) for pid in os.read(reader, 100).split()]
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    assert len(pids) == 2
    # The workers have the writer, too: it is closed once both are gone.
    assert os.read(reader, 1) == b""
    os.close(reader)


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EAGAIN, errno.ENOMEM])
def test_workers_that_the_system_does_not_let_be_are_refused_and_none_is_left(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fork, pids = os.fork, list[int]()

    def forking() -> int:
        if len(pids) == 2:
            raise OSError(code, os.strerror(code))
        pids.append(fork())
        return pids[-1]

    monkeypatch.setattr(os, "fork", forking)
    line = rf"^--workers 5: this machine starts only 2 of them \({os.strerror(code)}\); give fewer"
    with pytest.raises(RunnerUnavailable, match=line), forked(5, echo):
        pass
    for pid in pids:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
