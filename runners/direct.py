"""DirectRunner: Beam's in-process FnApiRunner, named explicitly.

Beam's own ``DirectRunner`` chooses for itself: it may download Prism, or fall back to a
legacy runner that cannot run splittable DoFns (apache_beam/runners/direct/direct_runner.py,
``SwitchingDirectRunner``).

What the rest of the program needs to know about it:

* ``run()`` blocks until the pipeline has ended, and shows no metrics before.
* It ignores the delay of a deferred split, so readers wait in their own poll.
* A bundle costs some 3 ms and 29 KB that stay until the end (monitoring infos are kept),
  so a streaming bundle is seconds long.
* It is one process, so a signal can ask the readers to stop.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from apache_beam.runners.portability.fn_api_runner import FnApiRunner

PARALLEL = False
"""One thread reads everything: splits for others to read would only take memory."""

STREAMING_BUNDLE_SECONDS = 5.0
"""How long a streaming split keeps its bundle open here."""

_GC_THRESHOLD = 100_000


def runner() -> FnApiRunner:
    """A runner for one pipeline in this process."""
    return FnApiRunner()


def tune_process() -> None:
    """Set this process up for large batches of small values.

    Batches are acyclic, so the garbage collector has little to find in them and much to
    scan: collecting rarely gives a quarter more records a second (docs/performance.md).
    Only a program's own process is tuned.
    """
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, 20, 100)


@contextmanager
def stop_on_signals(stop: Callable[[], None]) -> Iterator[list[str]]:
    """Call ``stop`` on the first SIGINT or SIGTERM; a second one ends the process at once.

    Ending at once is safe: what is not committed is not in the ledger and is read again.

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
        yield received  # only the main thread may set handlers
        return
    previous = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


_SIGNALS = (signal.SIGINT, signal.SIGTERM)
