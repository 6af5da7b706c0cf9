from __future__ import annotations

import threading

import pytest

from transforms.background import in_background


def test_the_call_runs_on_a_daemon_thread_of_that_name() -> None:
    thread = in_background(threading.current_thread, "look").result(10)
    assert (thread.name, thread.daemon) == ("look", True)
    assert thread is not threading.current_thread()


def test_what_the_call_raises_is_raised_where_the_result_is_taken() -> None:
    def fail() -> None:
        raise KeyboardInterrupt("even this")

    with pytest.raises(KeyboardInterrupt, match="even this"):
        in_background(fail, "look").result(10)
