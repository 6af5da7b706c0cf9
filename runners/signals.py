"""Stop gracefully on the first signal, at once on the second; close what is open without being stopped."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_on_signals(stop: Callable[[], None]) -> Iterator[list[str]]:
    """Call ``stop`` on the first SIGINT or SIGTERM; a second one ends the process at once.

    Ending at once is safe: what is not committed is not in the ledger and is read again. Outside
    the main thread, which alone may set handlers, signals keep the handlers that they have.

    Yields:
        The names of the signals received so far.
    """
    received: list[str] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        received.append(signal.Signals(number).name)
        if len(received) > 1:
            os._exit(128 + number)
        stop()

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    previous = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore SIGINT while the block runs, which must be short: for the end of what is over anyway.

    Outside the main thread, where SIGINT raises nothing, it changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
