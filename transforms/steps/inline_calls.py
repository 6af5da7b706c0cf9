"""Which steps call their function on the thread of the bundle now, and since when."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_under_way: dict[int, tuple[str, float]] = {}
"""By thread, the label of the step and since when it has been at its batch (monotonic seconds)."""


@contextmanager
def calling(label: str) -> Iterator[None]:
    """The step calls its function on this thread while the block runs."""
    thread = threading.get_ident()
    _under_way[thread] = (label, time.monotonic())
    try:
        yield
    finally:
        del _under_way[thread]


def oldest(began_before: float) -> str | None:
    """The label of a step that has been at its batch since before a time, or None."""
    late = [(began, label) for label, began in list(_under_way.values()) if began < began_before]
    return min(late)[1] if late else None
