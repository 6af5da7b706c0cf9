"""End a process whose step does not return after it was asked to stop."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

from pipelines.terminal import say
from transforms.read import drain
from transforms.steps import inline_calls

SECONDS = 8.0
"""How long a step may go on with one record after the request to stop."""

_LOOK_SECONDS = 0.25


def stop() -> None:
    """Stop reading; if a step does not return within ``SECONDS``, end the process with exit code 1.

    A call that waits for a service cannot be interrupted. To end is safe: nothing of its batch is
    settled, and the next run reads it again.
    """
    drain.request()
    threading.Thread(target=watch, name="stuck step", daemon=True).start()


def watch(seconds: float = SECONDS, end: Callable[[int], object] = os._exit) -> None:
    """End the process once a step has been at one batch for ``seconds`` since now; until then, wait.

    It returns when no pipeline is asked to stop any more.
    """
    asked = time.monotonic()
    while drain.requested():
        label = inline_calls.oldest(began_before=time.monotonic() - seconds / 2)
        if label is not None and time.monotonic() - asked >= seconds:
            line = f"stopped; step {label!r} had not returned {seconds:g} s later"
            say(f"ingest: {line}: its records are read again by the next run")
            sys.stderr.flush()
            end(1)
            return
        time.sleep(_LOOK_SECONDS)
