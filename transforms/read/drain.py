"""Ask this process to stop reading, settle what it has read, and end the pipeline.

It works only for a runner that shares the process with its caller (DirectRunner). On a cluster,
the runner drains or takes a savepoint.
"""

from __future__ import annotations

import threading

_requested = threading.Event()


def request() -> None:
    """Stop claiming; safe to call from a signal handler, more than once."""
    _requested.set()


def requested() -> bool:
    """Whether this process should stop reading."""
    return _requested.is_set()


def wait(seconds: float) -> bool:
    """Sleep, but wake up at once when a drain is requested; True if one is."""
    return _requested.wait(seconds)


def reset() -> None:
    """Forget the request: a new pipeline starts in this process."""
    _requested.clear()
