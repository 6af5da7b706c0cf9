"""Wait for a condition instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(
    condition: Callable[[], object],
    what: str,
    *,
    seconds: float = 90.0,
    alive: Callable[[], object] = lambda: True,
) -> None:
    """Return as soon as ``condition`` holds.

    Args:
        condition: Called again and again.
        what: What is waited for, for the message.
        seconds: How long at most: generous, as a machine may be loaded. It proves nothing.
        alive: Waiting is in vain once this no longer holds.

    Raises:
        AssertionError: It did not hold in time, or waiting was in vain.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert alive(), f"waiting in vain for {what}"
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)
